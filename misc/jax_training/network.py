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
    """A Keras layer that takes its weights as an argument.

    Attributes:
        layer: The layer.
        variables: From the name in checkpoints, without the name of the item, to the
            Keras variable; includes variables that are not trained.
    """

    def __init__(self, layer: Any) -> None:
        """Takes a Keras layer that is built."""
        self.layer = layer
        self.variables = {name_of(v): v for v in layer.weights}

    def initial(self) -> dict[str, jax.Array]:
        """The weights that the layer was made with, from a name to an array."""
        return {
            name: jnp.array(variable.value) for name, variable in self.variables.items()
        }

    def trained(self) -> list[str]:
        """Names of the weights that are trained."""
        return [name_of(v) for v in self.layer.trainable_variables]

    def __call__(
        self,
        weights: Weights,
        *arguments: Any,
        method: str | None = None,
        **options: Any,
    ) -> Any:
        """Calls the layer.

        Args:
            weights: From a name to an array; missing weights keep their initial values.
            *arguments: Arguments of the call.
            method: Name of a method of the layer; None for the layer itself.
            **options: Keyword arguments of the call.
        """
        mapping = [(self.variables[name], array) for name, array in weights.items()]
        run = self.layer if method is None else getattr(self.layer, method)
        with keras.StatelessScope(state_mapping=mapping):
            return run(*arguments, **options)
