"""EUSR under JAX, with the loss and the steps of `models.eusr`."""

from collections.abc import Sequence
from typing import Any, Self

import jax
import keras

from misc.jax_training.network import Network
from models.footprint import count_eusr
from models.generator import Generator
from models.generator_settings import Architecture, Training
from training.options import POLICIES, BasicOptions

# From a name to a float32 scalar, and from a network to the gradients of its weights.
ValuesAndGradients = tuple[dict[str, jax.Array], dict[str, dict[str, jax.Array]]]


class EUSR:
    """One network for x2, x4 and x8, trained on one scale at a time.

    Attributes:
        networks: From an item's name in checkpoints to its network.
        rates: From an item's name to the learning rate at step 0.
    """

    name = "eusr"
    trained_scales: tuple[int, ...] | None = None
    settings_classes: tuple[Any, ...] = (Architecture, Training)

    def __init__(
        self, architecture: Architecture, training: Any, options: BasicOptions
    ) -> None:
        """Makes the network from an object of each of `settings_classes`."""
        self.architecture, self.training, self.options = architecture, training, options
        self.scales = tuple(architecture.model_scales)
        self.generator = Network(Generator(architecture, POLICIES[options.precision]))
        self.networks = {"generator": self.generator}
        self.rates = {"generator": training.learning_rate}

    @classmethod
    def from_flags(cls, options: BasicOptions) -> Self:
        """Makes the model that the flags describe."""
        architecture, training = (each.from_flags() for each in cls.settings_classes)
        return cls(architecture, training, options)

    def count_step_memory(self, scales: Sequence[int]) -> int | None:
        """See `models.base.Model.count_step_memory`."""
        return count_eusr(self.architecture, scales, self.options.precision)

    def differentiate(
        self,
        scale: int,
        state: dict[str, Any],
        lr: jax.Array,
        hr: jax.Array,
        step: jax.Array,
    ) -> ValuesAndGradients:
        """Computes the losses and gradients of a batch.

        Args:
            scale: Upscaling factor.
            state: See `misc.jax_training.steps.start_state`.
            lr: float32 (N, P, P, 3), RGB in [0, 255].
            hr: float32 (N, P * scale, P * scale, 3), the same places.
            step: int32 scalar.

        Returns:
            values: From a name to a float32 scalar; `loss` is minimised.
            gradients: For each network that is trained, a dict from a weight's name to
                its gradient; weights that the scale does not use have none.
        """
        weights = state["generator"]

        def measure(moving):
            sr = self.generator(weights | moving, lr, scale=scale)
            return keras.losses.mean_absolute_error(hr, sr).mean()

        moving = {name: weights[name] for name in self.generator.trained((scale,))}
        loss, gradients = jax.value_and_grad(measure)(moving)
        return {"loss": loss}, {"generator": gradients}
