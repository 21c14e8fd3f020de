"""EUSR under JAX: see `models.eusr`, whose losses and steps these are."""

import jax
import keras

from misc.jax_training.archives import name_of
from misc.jax_training.network import Network
from models.footprint import count_eusr
from models.generator import Generator
from models.generator_settings import Architecture, Training
from training.options import POLICIES


class EUSR:
    """One network for x2, x4 and x8, trained on one scale at a time.

    Attributes:
        name: Its name in the registry.
        architecture: `models.generator_settings.Architecture`.
        networks: From a root's name in checkpoints to a `Network`.
        rates: From the same to the learning rate at step 0.
        training: `models.generator_settings.Training`.
        precision: Of the network between its first and its last convolution.
    """

    name = "eusr"
    trained_scales = None
    settings_classes = (Architecture, Training)

    def __init__(self, architecture, training, options):
        """Makes the network.

        Args:
            architecture: An `Architecture`.
            training: A `Training`.
            options: `training.options.BasicOptions`.
        """
        self.architecture, self.training = architecture, training
        self.precision = options.precision
        self.scales = tuple(architecture.model_scales)
        self.generator = Network(
            Generator.from_architecture(architecture, POLICIES[options.precision])
        )
        self.networks = {"generator": self.generator}
        self.rates = {"generator": training.learning_rate}

    @classmethod
    def from_flags(cls, options):
        """Makes the model that the flags describe."""
        return cls(*(each.from_flags() for each in cls.settings_classes), options)

    def count_step_memory(self, scales):
        """See `models.base.Model.count_step_memory`."""
        return count_eusr(self.architecture, scales, self.precision)

    def differentiate(self, scale, state, lr, hr, step):
        """Losses and gradients of a batch.

        Args:
            scale: Upscaling factor, a Python int.
            state: See `misc.jax_training.steps.start_state`.
            lr: float32 (N, P, P, 3), RGB in [0, 255].
            hr: float32 (N, P * scale, P * scale, 3), the same places.
            step: int32 scalar.

        Returns:
            values: dict from a name to a float32 scalar; `loss` is minimised.
            gradients: For each network that is trained a dict from a weight's name to
                its gradient; of those that the scale does not use there is none.
        """
        weights = state["generator"]
        path = [name_of(v) for v in self.generator.layer.path_variables(scale)]

        def measure(moving):
            sr = self.generator(weights | moving, lr, scale=scale)
            return keras.losses.mean_absolute_error(hr, sr).mean()

        moving = {name: weights[name] for name in path}
        loss, gradients = jax.value_and_grad(measure)(moving)
        return {"loss": loss}, {"generator": gradients}
