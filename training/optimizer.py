"""Adam that never applies a gradient that is not finite."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from training.schedule import Schedule
from training.state import State


class FollowStep(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate at the run's step, which also counts skipped steps."""

    def __init__(self, schedule: Schedule, step: tf.Variable) -> None:
        """Stores the schedule and the variable of the step."""
        self.schedule, self.step = schedule, step

    def __call__(self, _: Any) -> tf.Tensor:
        """Returns the learning rate, a float32 scalar."""
        return self.schedule.at(self.step)

    def get_config(self) -> dict[str, Any]:
        """Returns no configuration: the schedule depends on a variable."""
        return {}


class GuardedAdam(keras.optimizers.Adam):
    """Keras' Adam with steps that can be skipped.

    Each variable is updated by a single TensorFlow operation, the same as in the TF1
    code, instead of Keras' dozen: the first step is traced seconds faster.

    `tf.cond` around `apply` fails under a distribution strategy, so a skipped step
    runs like any other, with a learning rate of zero and unchanged moments.
    """

    def __init__(
        self, schedule: Schedule, state: State, clip_norm: float = 0.0, **kwargs: Any
    ) -> None:
        """Makes Keras' Adam with the learning rate of the run's step.

        Gradients are scaled to a global norm of at most `clip_norm`; 0 for no limit.
        """
        rate = FollowStep(schedule, state.step)
        super().__init__(rate, **kwargs)
        self.rate_of_step = rate
        self.schedule, self.state, self.clip_norm = schedule, state, clip_norm
        self.factors: dict[str, tf.Tensor] = {}

    def moments(
        self,
    ) -> Iterator[tuple[keras.Variable, keras.Variable, keras.Variable]]:
        """Yields each trained variable with its first and its second moment."""
        return zip(
            self._trainable_variables, self._momentums, self._velocities, strict=True
        )

    def end_at(self, steps: int) -> None:
        """Sets the total steps after which a cosine schedule reaches zero.

        Must be called before the first step is traced.
        """
        self.schedule = dataclasses.replace(self.schedule, decay_steps=steps)
        self.rate_of_step.schedule = self.schedule

    def apply_if(
        self,
        is_finite: tf.Tensor,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ) -> None:
        """Updates the variables if all is finite, and changes nothing otherwise.

        `gradients` are those of the whole batch, with no loss scale.
        """
        # Zero times NaN is NaN, so factors alone do not suffice.
        gradients = [tf.where(is_finite, g, tf.zeros_like(g)) for g in gradients]
        mask = tf.cast(is_finite, tf.float32)
        step = tf.cast(self.iterations + 1, tf.float32)
        self.factors = {
            "mask": mask,
            "beta1_power": self.beta_1**step,
            "beta2_power": self.beta_2**step,
            # Share of the moments that stays.
            "beta1": tf.where(is_finite, self.beta_1, 1.0),
            "beta2": tf.where(is_finite, self.beta_2, 1.0),
        }
        self.apply(gradients, variables)
        self.iterations.assign_sub(tf.cast(~is_finite, self.iterations.dtype))

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Updates a variable; Keras calls it for each."""
        index = self._get_variable_index(variable)
        factors = dict(self.factors)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=learning_rate * factors.pop("mask"),
            epsilon=self.epsilon,
            grad=gradient,
            **factors,
        )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Skips Keras' sum over replicas: it was done before the clipping."""
        return grads_and_vars
