"""What a run remembers beside its weights, as variables of its checkpoints."""

import json
import math

import tensorflow as tf

from console.errors import InputError


class NotFiniteError(InputError):
    """Weights have gone astray, and are not worth saving."""


class Arguments(tf.train.experimental.PythonState):
    """What a model was made from, in its checkpoints as JSON."""

    def __init__(self, values):
        """Takes the arguments, ready for JSON."""
        super().__init__()
        self.values = values

    def serialize(self):
        """Writes them."""
        return json.dumps(self.values)

    def deserialize(self, text):
        """Reads them."""
        self.values = json.loads(text)


class State:
    """What a run remembers beside its weights.

    Attributes:
        step: int64 scalar, training steps done, skipped ones included.
        arguments: What the model was made from and the run was started with, so that
            a checkpoint copied alone still knows its model and its run.
        bad_in_a_row: int64 scalar, steps up to now whose loss or gradient was not
            finite, one after the other.
        first_bad_step: int64 scalar, where more such steps began than are tolerated;
            -1 if nowhere.
        skipped: int64 scalar, all such steps so far.
        tolerated: How many such steps in a row do no harm, an int.
        loss_scale: `LossScale`.
        best: float32 scalar, the best that a validation has found; greater is better.
        best_of: Of which images that is the mean, and by which metric, a str.
        validated: int64 scalar, the step after which the last validation was done.
    """

    def __init__(self, arguments, options):
        """Starts at step 0.

        Args:
            arguments: What the model was made from, ready for JSON.
            options: `training.options.StepOptions`.
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

    def record(self, is_fine):
        """Notes in the graph whether the present step was fine; a bool scalar."""
        in_a_row = tf.where(is_fine, tf.zeros_like(self.step), self.bad_in_a_row + 1)
        is_first = (in_a_row > self.tolerated) & (self.first_bad_step < 0)
        self.first_bad_step.assign(
            tf.where(is_first, self.step - self.tolerated, self.first_bad_step)
        )
        self.bad_in_a_row.assign(in_a_row)
        self.skipped.assign_add(tf.cast(~is_fine, tf.int64))

    def tree(self):
        """The variables as a root of a checkpoint."""
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
    """The factor of the loss that keeps gradients within float16's range.

    It doubles after many good steps and halves when a gradient overflows: that step
    is not taken, and does no harm until there is nothing left to halve.

    Attributes:
        factor: float32 scalar; of no effect unless `is_dynamic`, but kept, so that a
            run may go on in another precision.
        steps: int64 scalar, good steps since it last changed.
        is_dynamic: Whether the loss is scaled: in float16.
    """

    START, MOST, GROWTH_STEPS = 2.0**15, 2.0**24, 2000

    def __init__(self, is_dynamic):
        """Starts high, if it may fall."""
        self.is_dynamic = is_dynamic
        self.factor = tf.Variable(
            self.START,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="loss_scale",
        )
        self.steps = make_counter(0, "steps_at_loss_scale")

    def adapt(self, is_finite, losses_are_finite):
        """Changes the factor in the graph after a step.

        Args:
            is_finite: bool scalar, whether losses and gradients were.
            losses_are_finite: bool scalar, whether the losses were, unscaled.

        Returns:
            bool scalar: Whether a smaller factor may mend what was not finite.
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


def make_counter(value, name, dtype=tf.int64):
    """Makes a number that a checkpoint can hold; a whole one if not said otherwise."""
    return tf.Variable(
        value,
        dtype=dtype,
        trainable=False,
        # All replicas would assign the same.
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name=name,
    )
