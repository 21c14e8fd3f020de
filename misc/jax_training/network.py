"""A Keras layer as a function of its weights, which JAX can differentiate."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from misc.jax_training.archives import name_of

# From a weight's name to its array.
Weights = Mapping[str, jax.Array]


class Network:
    """A Keras layer, which is built, that takes its weights as an argument."""

    def __init__(self, layer: Any) -> None:
        """Names its variables, also those that are not trained, as checkpoints do."""
        self.layer = layer
        self.variables = {name_of(v): v for v in layer.weights}

    def initial(self) -> dict[str, jax.Array]:
        """The weights that the layer was made with, from a name to an array."""
        return {name: jnp.array(v.value) for name, v in self.variables.items()}

    def trained(self, scales: tuple[int, ...] | None = None) -> list[str]:
        """Names of the weights that are trained, at all or some scales."""
        if scales is None:
            return [name_of(v) for v in self.layer.trainable_variables]
        return [name_of(v) for s in scales for v in self.layer.path_variables(s)]

    def __call__(
        self,
        weights: Weights,
        *arguments: Any,
        method: str = "__call__",
        **options: Any,
    ) -> Any:
        """Calls a method of the layer; missing weights keep their initial values."""
        mapping = [(self.variables[name], array) for name, array in weights.items()]
        with keras.StatelessScope(state_mapping=mapping):
            return getattr(self.layer, method)(*arguments, **options)
