"""Weights of the original TensorFlow 1 code: its names and its checkpoints.

`tf.layers` numbered the convolutions of each variable scope in the order of their
creation (`conv2d`, `conv2d_1`, ...), so the order below is the order of the network.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from console.errors import InputError, name_some
from models.discriminator import Discriminator
from models.generator import Generator
from training import checkpoints, index_files
from training.optimizer import GuardedAdam

_FIRST = "generator/first_conv/conv2d/kernel"

# Powers of Adam's two betas; below the least, float32 cannot tell steps apart.
_POWERS = ("beta1_power", "beta2_power")
_LEAST_POWER, _MANY_STEPS = 1e-30, 1_000_000


def is_tf1(prefix: Path | str) -> bool:
    """Whether a checkpoint was written by the TF1 code."""
    return checkpoints.open_reader(prefix).has_tensor(_FIRST)


def of_generator(generator: Generator) -> dict[str, keras.layers.Layer]:
    """Pairs each convolution with its name in the TF1 code, without `/kernel`."""
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


def read_architecture(prefix: Path | str) -> dict[str, Any]:
    """Reads the network's sizes, fields of `Architecture`, from its weights' shapes.

    The RGB mean was a flag of the TF1 code and is not in its files.

    Raises:
        InputError: It is not a checkpoint of the TF1 code's generator.
    """
    shapes = checkpoints.open_reader(prefix).get_variable_to_shape_map()
    if _FIRST not in shapes:
        held = [
            f"{name.removesuffix('/.ATTRIBUTES/VARIABLE_VALUE')} of shape {shape}"
            for name, shape in sorted(shapes.items())
            if not name.startswith("_")
        ]
        raise InputError(
            f"{prefix}: a checkpoint of another program or network (it holds "
            f"{name_some(held, 3) or 'no variables'}); expected a checkpoint of "
            f"train.py, or of the TF1 code, with {_FIRST}."
        )
    start = "generator/initial_blocks/x"
    names = {n[len(start) :].split("/")[0] for n in shapes if n.startswith(start)}
    is_known = names and all(name.isdecimal() for name in names)
    if not is_known or len(shapes[_FIRST]) != 4:
        raise InputError(
            f"{prefix}: damaged, or not of the TF1 code: {_FIRST} has the shape "
            f"{shapes[_FIRST]}, the scales are {name_some(sorted(names)) or 'none'}."
        )
    scales = sorted(map(int, names))
    return {
        "model_scales": tuple(scales),
        "conv_features": shapes[_FIRST][-1],
        "shared_blocks": _count_blocks(shapes, "generator/shared/"),
        "upscale_blocks": _count_blocks(
            shapes, f"generator/upscaling/x{scales[0]}/m0/px0/"
        ),
    }


def _count_blocks(shapes, scope):
    """Counts a residual module's blocks: two convolutions each, and one at the end."""
    names = [name for name in shapes if name.startswith(scope)]
    return (sum(name.endswith("/kernel") for name in names) - 1) // 2


def has_discriminator(discriminator: keras.Layer | None) -> bool:
    """Whether the TF1 code has this discriminator: the paper's, of its width."""
    return (
        isinstance(discriminator, Discriminator)
        and discriminator.convs[0].filters == Discriminator.default_features
    )


def of_discriminator(discriminator: Discriminator) -> dict[str, keras.layers.Layer]:
    """Pairs each layer with its name in the TF1 code; see `of_generator`."""
    layers = {
        f"discriminator/conv{index}/conv2d": conv
        for index, conv in enumerate(discriminator.convs, 1)
    }
    layers["discriminator/fc/dense"] = discriminator.hidden
    layers["discriminator/final/dense"] = discriminator.last
    return layers


def restore(prefix: Path | str, layers: Mapping[str, keras.layers.Layer]) -> None:
    """Reads the weights of some layers of a TF1 checkpoint, which may hold more.

    Raises:
        InputError: A weight is missing or has another shape; nothing is changed.
    """
    _assign(prefix, _name_variables(layers))


def restore_moments(
    prefix: Path | str,
    layers: Mapping[str, keras.layers.Layer],
    optimizers: Sequence[GuardedAdam],
) -> int | None:
    """Reads Adam's moments, and returns the steps that the optimizers took.

    None if the checkpoint holds no moments of these variables.

    Raises:
        InputError: A moment has another shape; nothing is changed.
    """
    reader = checkpoints.open_reader(prefix)
    moments = _name_moments(layers, optimizers)
    if not all(reader.has_tensor(name) for name in (*moments, *_POWERS)):
        return None
    _assign(prefix, moments)
    with index_files.reading(prefix):
        powers = [float(reader.get_tensor(name)) for name in _POWERS]
    steps = _to_steps(powers, optimizers[0])
    for optimizer in optimizers:
        optimizer.iterations.assign(steps)
    return steps


def write(
    prefix: Path | str,
    layers: Mapping[str, keras.layers.Layer],
    optimizers: Sequence[GuardedAdam] = (),
) -> None:
    """Writes a checkpoint that the TF1 code's `Saver` reads, and compares it."""
    values = _collect_values(layers, optimizers)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    checkpoints.check_same(prefix, values)


def _collect_values(layers, optimizers):
    """Returns arrays by their names in the TF1 code, sorted by name."""
    variables = _name_variables(layers) | _name_moments(layers, optimizers)
    values = {name: variable.numpy() for name, variable in variables.items()}
    for optimizer in optimizers[:1]:
        # One more than the steps: TF1 multiplies the powers after their use.
        steps = int(optimizer.iterations.numpy()) + 1
        for name, beta in zip(_POWERS, _betas(optimizer), strict=True):
            values[name] = np.asarray(beta**steps, np.float32)
    return dict(sorted(values.items()))


def _name_variables(layers):
    """Returns Keras variables by their names in the TF1 code."""
    return {
        f"{name}/{part}": getattr(layer, part)
        for name, layer in layers.items()
        for part in ("kernel", "bias")
    }


def _name_moments(layers, optimizers):
    """Returns Adam's moments by their names in the TF1 code."""
    names = {v.path: name for name, v in _name_variables(layers).items()}
    moments = {}
    for optimizer in optimizers:
        for variable, first, second in optimizer.moments():
            moments[f"{names[variable.path]}/Adam"] = first
            moments[f"{names[variable.path]}/Adam_1"] = second
    return moments


def _assign(prefix, variables):
    """Reads tensors into variables, all or none."""
    reader = checkpoints.open_reader(prefix)
    shapes = reader.get_variable_to_shape_map()
    values = []
    for name, variable in variables.items():
        if tuple(shapes.get(name, (-1,))) != tuple(variable.shape):
            raise InputError(
                f"{prefix}: {name} has shape {shapes.get(name, 'none')}; this network "
                f"needs {list(variable.shape)}."
            )
        with index_files.reading(prefix):
            values.append((variable, np.asarray(reader.get_tensor(name))))
    for variable, value in values:
        variable.assign(value)


def _betas(optimizer):
    return optimizer.beta_1, optimizer.beta_2


def _to_steps(powers, optimizer):
    """Computes the steps from the powers of Adam's betas, which TF1 stores."""
    for power, beta in zip(powers, _betas(optimizer), strict=True):
        if power > _LEAST_POWER:
            return max(0, round(math.log(power) / math.log(beta)) - 1)
    # Enough to remove the bias of the moments; the exact number does not matter.
    return _MANY_STEPS
