"""Adam that never applies a gradient that is not finite, and what belongs to it."""

import dataclasses

import keras
import tensorflow as tf


class FollowStep(keras.optimizers.schedules.LearningRateSchedule):
    """The rate at the run's own step; an optimizer counts only what it applied."""

    def __init__(self, schedule, step):
        """Takes a `Schedule` and the variable that holds the step."""
        self.schedule, self.step = schedule, step

    def __call__(self, _):
        """Returns the rate, a float32 scalar."""
        return self.schedule.at(self.step)

    def get_config(self):
        """A schedule that holds a variable has no configuration to save."""
        return {}


class GuardedAdam(keras.optimizers.Adam):
    """Keras' Adam, whose steps can be made to change nothing at all.

    Each variable is moved by one operation of TensorFlow, that of the TF1 code's Adam,
    where Keras makes a dozen: a first step comes seconds earlier.

    `tf.cond` around `apply` fails under a distribution strategy, so a step that is
    not to count runs as any other, with a rate of zero and moments that keep all.
    """

    def __init__(self, schedule, state, clip_norm=0.0, **kwargs):
        """Makes the optimizer.

        Args:
            schedule: A `Schedule`.
            state: `training.state.State`: the step, and what went wrong.
            clip_norm: Largest norm of all gradients together; 0 for any.
            **kwargs: What Keras' Adam takes.
        """
        rate = FollowStep(schedule, state.step)
        super().__init__(rate, **kwargs)
        self.rate_of_step = rate
        self.schedule, self.state, self.clip_norm = schedule, state, clip_norm
        self.factors = {}

    def moments(self):
        """For each Keras variable that it moves: it, its first moment, its second."""
        return zip(
            self._trainable_variables, self._momentums, self._velocities, strict=True
        )

    def end_at(self, steps):
        """Lets a cosine schedule reach zero after so many steps in all.

        To be called before the first step is traced.
        """
        self.schedule = dataclasses.replace(self.schedule, decay_steps=steps)
        self.rate_of_step.schedule = self.schedule

    def apply_if(self, is_finite, gradients, variables):
        """Moves the variables, or nothing at all.

        Args:
            is_finite: bool scalar, whether to move them.
            gradients: Of the whole batch, neither scaled nor clipped.
            variables: As many Keras variables.
        """
        # Zero times NaN is NaN, so factors alone would not do.
        gradients = [tf.where(is_finite, g, tf.zeros_like(g)) for g in gradients]
        mask = tf.cast(is_finite, tf.float32)
        step = tf.cast(self.iterations + 1, tf.float32)
        self.factors = {
            "mask": mask,
            "beta1_power": self.beta_1**step,
            "beta2_power": self.beta_2**step,
            # What the moments keep.
            "beta1": tf.where(is_finite, self.beta_1, 1.0),
            "beta2": tf.where(is_finite, self.beta_2, 1.0),
        }
        self.apply(gradients, variables)
        self.iterations.assign_sub(tf.cast(~is_finite, self.iterations.dtype))

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable; what Keras calls for each."""
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
        """Keras would sum over replicas here; that was done, before the clipping."""
        return grads_and_vars
