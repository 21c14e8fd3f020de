"""Makes the discriminators of `models.DISCRIMINATORS`."""

from collections.abc import Mapping, Sequence

import keras

from console.choices import load
from models import DISCRIMINATORS

FLAG = "--eusr_discriminator"


def make(name: str, body_dtype: str, features: int | None = None) -> keras.Layer:
    """Makes a discriminator with its weights.

    Args:
        name: A name of the registry.
        body_dtype: Keras dtype policy of the inner layers.
        features: Channels of the first convolution; None for the class's default.
    """
    made = load(DISCRIMINATORS, name, FLAG)
    return made(body_dtype, made.default_features if features is None else features)


def make_stored(shapes: Mapping[str, Sequence[int]]) -> keras.Layer:
    """Makes the discriminator of a file; the paper's if it has no first kernel.

    Args:
        shapes: From a weight's name, without the name of its network, to its shape.
    """
    for name in DISCRIMINATORS:
        shape = shapes.get(f"{load(DISCRIMINATORS, name, FLAG).first_name}/kernel")
        if shape is not None:
            return make(name, "float32", shape[-1])
    return make("paper", "float32")
