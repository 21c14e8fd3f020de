"""A Keras layer as a function of its weights, as JAX differentiates it."""

import jax.numpy as jnp
import keras

from misc.jax_training.archives import name_of


class Network:
    """A Keras layer, called with weights that are given each time.

    Attributes:
        layer: The layer.
        variables: From a name, as checkpoints call it after the name of the root, to a
            Keras variable; those that are not trained included.
    """

    def __init__(self, layer):
        """Takes a layer that is built."""
        self.layer = layer
        self.variables = {name_of(v): v for v in layer.weights}

    def initial(self):
        """The weights that the layer was made with: from a name to an array."""
        return {
            name: jnp.array(variable.value) for name, variable in self.variables.items()
        }

    def trained(self):
        """Names of the weights that are trained."""
        return [name_of(v) for v in self.layer.trainable_variables]

    def __call__(self, weights, *arguments, method=None, **options):
        """Calls the layer.

        Args:
            weights: From a name to an array; what is missing is as `initial`.
            *arguments: Passed on, like the options.
            method: Of the layer; None for the layer itself.
            **options: See above.
        """
        mapping = [(self.variables[name], array) for name, array in weights.items()]
        run = self.layer if method is None else getattr(self.layer, method)
        with keras.StatelessScope(state_mapping=mapping):
            return run(*arguments, **options)
