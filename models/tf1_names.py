"""Weights of the original TensorFlow 1 code: its names, and reading its checkpoints.

`tf.layers` numbered the convolutions of each variable scope in the order of their
making (`conv2d`, `conv2d_1`, ...), so the order below is the order of the network.
"""

import numpy as np

from console.errors import InputError, name_some
from training import checkpoints

_FIRST = "generator/first_conv/conv2d/kernel"


def is_tf1(prefix):
    """Whether a checkpoint was written by the TF1 code."""
    return checkpoints.open_reader(prefix).has_tensor(_FIRST)


def of_generator(generator):
    """Pairs each convolution of the network with its name in the TF1 code.

    Args:
        generator: A `models.generator.Generator`.

    Returns:
        dict: From a name without `/kernel` and `/bias` to a Keras layer.
    """
    scopes = {
        "generator/first_conv": [generator.first_conv],
        "generator/shared": _of_module(generator.shared),
    }
    for key in generator.starts:
        scopes[f"generator/initial_blocks/{key}"] = _of_blocks(generator.starts[key])
        scope = f"generator/upscaling/{key}"
        scopes[scope] = [generator.last_convs[key]]
        for m, module in enumerate(generator.upscalings[key]):
            for pixel, part in enumerate(module.parts):
                scopes[f"{scope}/m{m}/px{pixel}"] = _of_module(part)
    return {
        f"{scope}/conv2d{f'_{index}' if index else ''}": layer
        for scope, layers in scopes.items()
        for index, layer in enumerate(layers)
    }


def _of_blocks(blocks):
    return [layer for block in blocks for layer in (block.first, block.second)]


def _of_module(module):
    return [*_of_blocks(module.blocks), module.last]


def read_architecture(prefix):
    """Reads the network's sizes from the shapes of its weights.

    The RGB mean was a flag of the TF1 code and is not in its files; the default is
    taken.

    Args:
        prefix: The checkpoint.

    Returns:
        dict: Fields of `models.generator_settings.Architecture`.

    Raises:
        InputError: It is no checkpoint of the TF1 code's generator.
    """
    shapes = checkpoints.open_reader(prefix).get_variable_to_shape_map()
    if _FIRST not in shapes:
        raise InputError(
            f"{prefix}: neither a checkpoint of this project nor of the TF1 code; it "
            f"holds {name_some(sorted(shapes), 3)}."
        )
    start = "generator/initial_blocks/x"
    scales = {int(n[len(start) :].split("/")[0]) for n in shapes if n.startswith(start)}
    return {
        "model_scales": tuple(sorted(scales)),
        "conv_features": shapes[_FIRST][-1],
        "shared_blocks": _count_blocks(shapes, "generator/shared/"),
        "upscale_blocks": _count_blocks(
            shapes, f"generator/upscaling/x{min(scales)}/m0/px0/"
        ),
    }


def _count_blocks(shapes, scope):
    """Blocks in a residual module: two convolutions each, and one at its end."""
    names = [name for name in shapes if name.startswith(scope)]
    return (sum(name.endswith("/kernel") for name in names) - 1) // 2


def of_discriminator(discriminator):
    """Pairs each layer of the discriminator with its name in the TF1 code.

    Args:
        discriminator: A `models.discriminator.Discriminator`.

    Returns:
        dict: From a name without `/kernel` and `/bias` to a Keras layer.
    """
    layers = {
        f"discriminator/conv{index}/conv2d": conv
        for index, conv in enumerate(discriminator.convs, 1)
    }
    layers["discriminator/fc/dense"] = discriminator.hidden
    layers["discriminator/final/dense"] = discriminator.last
    return layers


def restore(prefix, layers):
    """Reads weights of a TF1 checkpoint.

    Args:
        prefix: The checkpoint.
        layers: As `of_generator` and `of_discriminator` return them; the checkpoint
            may hold more.

    Raises:
        InputError: A weight is missing or of another shape; nothing is changed.
    """
    reader = checkpoints.open_reader(prefix)
    shapes = reader.get_variable_to_shape_map()
    values = []
    for name, layer in layers.items():
        for part, variable in (("kernel", layer.kernel), ("bias", layer.bias)):
            full = f"{name}/{part}"
            if tuple(shapes.get(full, ())) != tuple(variable.shape):
                raise InputError(
                    f"{prefix}: {full} has shape {shapes.get(full, 'none')}; this "
                    f"network needs {list(variable.shape)}."
                )
            with checkpoints.reading(prefix):
                values.append((variable, np.asarray(reader.get_tensor(full))))
    for variable, value in values:
        variable.assign(value)
