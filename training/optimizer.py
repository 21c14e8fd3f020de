"""Adam that never applies a gradient that is not finite."""

import keras
import tensorflow as tf


class GuardedAdam(keras.optimizers.Adam):
    """Keras' Adam, whose steps can be made to change nothing at all.

    `tf.cond` around `apply` fails under a distribution strategy, so a step that is
    not to count runs as any other, with all that it would add multiplied by zero.
    """

    def __init__(self, *args, **kwargs):
        """Takes what Keras' Adam takes."""
        super().__init__(*args, **kwargs)
        self.mask = 1.0

    def apply_guarded(self, gradients, variables, loss, state):
        """Applies the gradients if they and the loss are finite; counts them if not.

        Args:
            gradients: Tensors.
            variables: Keras variables, as many.
            loss: float32 scalar.
            state: `training.checkpoints.State`, told of the outcome.

        Returns:
            float32 scalar: The norm of all gradients together.
        """
        norm = tf.linalg.global_norm(gradients)
        is_finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        self.mask = tf.cast(is_finite, tf.float32)
        # Zero times NaN is NaN, so the mask alone would not do.
        gradients = [tf.where(is_finite, g, tf.zeros_like(g)) for g in gradients]
        self.apply(gradients, variables)
        self.iterations.assign_sub(tf.cast(~is_finite, self.iterations.dtype))
        self.mask = 1.0
        state.record(is_finite)
        return norm

    def assign_add(self, variable, value):
        """Adds to a variable, unless the step is not to count."""
        super().assign_add(variable, value * self.mask)

    def assign_sub(self, variable, value):
        """Subtracts from a variable, unless the step is not to count."""
        super().assign_sub(variable, value * self.mask)
