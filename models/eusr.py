"""EUSR and the step that trains it (Kim and Lee, CVPR Workshops 2018).

Two deviations from the original code, both on purpose: only the variables that a
scale uses move in its step (the original's Adam also moved the others by their
momentum), and the learning rate may also follow a cosine.
"""

import tensorflow as tf

from models.footprint import count_eusr
from models.generator_model import GeneratorModel
from models.generator_settings import (
    Architecture,
    Training,
)
from models.losses import mean_absolute_error
from training.replicas import count_replicas


class EUSR(GeneratorModel):
    """One network for x2, x4 and x8, trained on one scale at a time."""

    name = "eusr"
    step_options = (*GeneratorModel.step_options, "jit_compile")
    settings_classes = (Architecture, Training)

    def __init__(self, architecture, training=None, options=None):
        """Makes the network, and what trains it if it is to be trained.

        Args:
            architecture: A `models.generator_settings.Architecture`.
            training: A `models.generator_settings.Training`; None for a model that only
                upscales.
            options: A `training.options.StepOptions`; None for the defaults.
        """
        super().__init__(architecture, training, options)
        if training is not None:
            self.optimizer = self.make_optimizer(
                training, training.learning_rate, self.generator.trainable_variables
            )
            self.start_average()

    def count_step_memory(self, scales):
        """See `Model.count_step_memory`."""
        return count_eusr(self.architecture, scales, self.options.precision)

    def train_step(self, lr, hr, scale):
        """See `Model.train_step`: mean absolute error, Adam."""
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        variables = self.generator.path_variables(scale)

        def differentiate(loss_scale):
            with tf.GradientTape() as tape:
                sr = self.generator.head(self.generator.trunk(lr, scale), scale)
                loss = mean_absolute_error(sr, hr) / count_replicas()
                scaled = loss * loss_scale
            return loss, tape.gradient(scaled, [v.value for v in variables])

        if self.options.jit_compile:
            differentiate = tf.function(
                differentiate, autograph=False, jit_compile=True
            )
        loss, norm, is_finite = self.optimizer.minimize_guarded(
            differentiate, variables
        )
        self.follow_average(is_finite)
        return {"loss": loss, "gradient_norm": norm}
