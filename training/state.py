"""The state of a run besides its weights, as variables of its checkpoints."""

import json
import math
from typing import Any

import tensorflow as tf

from console.errors import InputError
from training.options import StepOptions


class NotFiniteError(InputError):
    """A loss or a gradient is not finite, and the weights must not be saved."""


class Arguments(tf.train.experimental.PythonState):
    """Values that checkpoints store as JSON."""

    def __init__(self, values: Any) -> None:
        """Stores the values, which JSON can represent."""
        super().__init__()
        self.values = values

    def serialize(self) -> str:
        """Converts the values to JSON."""
        return json.dumps(self.values)

    def deserialize(self, text: str) -> None:
        """Reads the values from JSON."""
        self.values = json.loads(text)


class State:
    """The state of a run besides its weights; most numbers are int64 scalars.

    Attributes:
        step: Training steps done, skipped steps included.
        arguments: Arguments of the model and of the run, so that a copied checkpoint
            still describes both.
        bad_in_a_row: Steps in a row up to now whose loss or gradient was not finite.
        first_bad_step: First of more such steps in a row than tolerated; -1 for none.
        skipped: Total number of such steps.
        tolerated: Number of such steps in a row that are tolerated, an int.
        best: float32 scalar, best result of a validation; greater is better.
        best_of: Images and metric of `best`, a str.
        validated: Step of the last validation.
    """

    def __init__(self, arguments: dict[str, Any], options: StepOptions) -> None:
        """Starts at step 0.

        `arguments` are those of the model, which JSON can represent.
        """
        self.arguments = Arguments(arguments)
        self.step = make_counter(0, "step")
        self.bad_in_a_row = make_counter(0, "bad_in_a_row")
        self.skipped = make_counter(0, "skipped")
        self.first_bad_step = make_counter(-1, "first_bad_step")
        self.tolerated = options.skip_nonfinite
        self.loss_scale = LossScale(is_dynamic=options.precision == "float16")
        self.best = tf.Variable(-math.inf, trainable=False, name="best")
        self.best_of = Arguments("")
        self.validated = make_counter(0, "validated")

    def record(self, is_fine: tf.Tensor) -> None:
        """Counts the current step, in the graph.

        `is_fine`, a bool scalar, says that it was finite or that a skip is expected.
        """
        in_a_row = tf.where(is_fine, tf.zeros_like(self.step), self.bad_in_a_row + 1)
        is_first = (in_a_row > self.tolerated) & (self.first_bad_step < 0)
        self.first_bad_step.assign(
            tf.where(is_first, self.step - self.tolerated, self.first_bad_step)
        )
        self.bad_in_a_row.assign(in_a_row)
        self.skipped.assign_add(tf.cast(~is_fine, tf.int64))

    def tree(self) -> tf.train.Checkpoint:
        """Returns the variables as an item of a checkpoint."""
        return tf.train.Checkpoint(
            step=self.step,
            arguments=self.arguments,
            bad_in_a_row=self.bad_in_a_row,
            skipped=self.skipped,
            first_bad_step=self.first_bad_step,
            loss_scale=self.loss_scale.factor,
            steps_at_loss_scale=self.loss_scale.steps,
            best=self.best,
            best_of=self.best_of,
            validated=self.validated,
        )


class LossScale:
    """Dynamic loss scaling, which keeps gradients within float16's range.

    The factor doubles after many finite steps, and halves when a gradient overflows.
    Such a step is skipped, and is harmless while the factor is above 1.

    Attributes:
        factor: float32 scalar; without effect unless `is_dynamic`, but stored, so that
            a run can be resumed in another precision.
        steps: int64 scalar, finite steps since the last change.
        is_dynamic: Whether the loss is scaled, as in float16.
    """

    START, MOST, GROWTH_STEPS = 2.0**15, 2.0**24, 2000

    def __init__(self, is_dynamic: bool) -> None:
        """Starts with a large factor."""
        self.is_dynamic = is_dynamic
        self.factor = tf.Variable(
            self.START,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="loss_scale",
        )
        self.steps = make_counter(0, "steps_at_loss_scale")

    def adapt(self, is_finite: tf.Tensor, losses_are_finite: tf.Tensor) -> tf.Tensor:
        """Updates the factor after a step, in the graph; all are bool scalars.

        Args:
            is_finite: Whether losses and gradients are finite.
            losses_are_finite: Whether the unscaled losses are finite.

        Returns:
            Whether a smaller factor may make the gradients finite.
        """
        if not self.is_dynamic:
            return tf.constant(False)
        may_mend = ~is_finite & losses_are_finite & (self.factor > 1.0)
        grows = is_finite & (self.steps + 1 >= self.GROWTH_STEPS)
        doubled = tf.minimum(self.factor * 2.0, self.MOST)
        halved = tf.maximum(self.factor / 2.0, 1.0)
        factor = tf.where(grows, doubled, tf.where(is_finite, self.factor, halved))
        is_kept = is_finite & ~grows
        steps = tf.where(is_kept, self.steps + 1, tf.zeros_like(self.steps))
        self.factor.assign(factor)
        self.steps.assign(steps)
        return may_mend


def make_counter(value: float, name: str, dtype: tf.DType = tf.int64) -> tf.Variable:
    """Makes a variable for a number in checkpoints, by default an integer."""
    return tf.Variable(
        value,
        dtype=dtype,
        trainable=False,
        # All replicas assign the same value.
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name=name,
    )
