"""The graph in the file of a frozen super-resolution model.

    sr_input         float32 (N, H, W, 3), RGB in [0, 255]
    sr_input_scale   float32 scalar; only in a file of several scales
    sr_features      output of the trunk, so that large pictures can be tiled
    sr_part_1, ...   output of each part after the trunk
    sr_output        float32 (N, H * scale, W * scale, 3)
    sr_scales        int32: the scales of the file
    sr_part_radii    int32: radii of the trunk and of each part after it, for one scale
                     after the other
    sr_part_factors  int32: their enlargement factors, a row for each scale, padded with
                     zeros to the longest; left out if the factors are 1 and then 2s

Files of the TF1 code have `sr_input`, `sr_input_scale` and `sr_output`; they load too.
In its 4PP-EUSR `sr_input_scale` is the pass, 2, 4 or 8, and every pass enlarges by 4.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from console.errors import InputError
from frozen import graphs
from frozen.formats import Network

INPUT, SCALE = "sr_input", "sr_input_scale"
FEATURES, OUTPUT = "sr_features", "sr_output"
PART = "sr_part_{}"
SCALES, RADII, FACTORS = "sr_scales", "sr_part_radii", "sr_part_factors"

# Upper bounds; files of this project have fewer.
MOST_SCALES, MOST_PARTS = 15, 120

# From a scale to the (factor, radius) of each of its parts.
Parts = dict[int, list[tuple[int, int]]]


def make_network(model: Any, scales: Sequence[int]) -> Network:
    """Freezes a model at some scales; a single one has no `sr_input_scale`."""
    return Network(_make_graph_def(model, scales), INPUT, (OUTPUT,), serve)


def _make_graph_def(model, scales):
    parts = {scale: model.parts(scale) for scale in scales}

    def single(lr):
        return chain(lr, lambda functions, x: functions[0](x))

    def several(lr, scale):
        index = _to_index(scale, scales)
        return chain(lr, functools.partial(_switch, index))

    def chain(x, choose):
        # A scale with fewer parts passes its tensor unchanged through further levels.
        runs = ([part.run for part in parts[scale]] for scale in scales)
        # For each scale, the input channels of each level, as tracing finds them.
        channels = [[3] for _ in scales]
        for level, row in enumerate(itertools.zip_longest(*runs)):
            functions = [
                functools.partial(_run_part, run, level, known)
                for run, known in zip(row, channels, strict=True)
            ]
            x = tf.identity(choose(functions, x), name=name_part(level))
        return tf.identity(x, name=OUTPUT)

    signature = [tf.TensorSpec((None, None, None, 3), tf.float32, name=INPUT)]
    if len(scales) > 1:
        signature.append(tf.TensorSpec((), tf.float32, name=SCALE))
    graph_def = graphs.to_graph_def(
        several if len(scales) > 1 else single, signature, [OUTPUT]
    )
    radii = [math.ceil(part.radius) for scale in scales for part in parts[scale]]
    graphs.add_constant(graph_def, SCALES, list(scales))
    graphs.add_constant(graph_def, RADII, radii)
    factors = [tuple(part.scale for part in parts[scale]) for scale in scales]
    if factors != [_double(scale) for scale in scales]:
        graphs.add_constant(graph_def, FACTORS, _pad(factors))
    return graph_def


def _run_part(run, level, known, x):
    """Runs a part with its known number of input channels; None returns the input.

    TensorFlow does not know the channels of a tensor that is a picture at one scale and
    features at another.
    """
    x = tf.identity(x)
    if run is None:
        return x
    x.set_shape((None, None, None, known[level]))
    y = run(x)
    known[level + 1 :] = [y.shape[-1]]
    return y


def name_part(level: int) -> str:
    """Names the output of the trunk, level 0, or of a part after it."""
    return PART.format(level) if level else FEATURES


def _double(scale):
    """Default factors of the parts of a power of two; None for other scales."""
    count = scale.bit_length() - 1
    return (1, *[2] * count) if count > 0 and scale == 2**count else None


def _pad(rows):
    """Pads rows with zeros to the longest and concatenates them."""
    length = max(map(len, rows))
    return [each for row in rows for each in (*row, *[0] * (length - len(row)))]


def _to_index(scale, scales):
    """Index of a scalar tensor among the scales; fails at run time for others."""
    equal = tf.equal(tf.constant(scales, tf.float32), scale)
    known = tf.debugging.Assert(
        tf.reduce_any(equal), [f"{SCALE} must be one of {list(scales)}, not", scale]
    )
    with tf.control_dependencies([known]):
        return tf.argmax(tf.cast(equal, tf.int32), output_type=tf.int32)


def _switch(index, functions, x):
    """Runs only the function at `index` on `x`."""
    *others, last = functions
    result = last
    for position in reversed(range(len(others))):
        result = _branch(index, position, others[position], result)
    return result(x)


def _branch(index, position, then, otherwise):
    return lambda x: tf.cond(
        tf.equal(index, position), lambda: then(x), lambda: otherwise(x)
    )


def serve(
    run: Callable[[tf.Tensor], Sequence[tf.Tensor]], pictures: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Enlarges uint8 (N, H, W, 3) for a server, rounded half up; see `Network`."""
    (sr,) = run(tf.cast(pictures, tf.float32))
    return {"images": tf.cast(tf.clip_by_value(tf.floor(sr + 0.5), 0, 255), tf.uint8)}


def read_parts(
    graph_def: tf.compat.v1.GraphDef, source: str
) -> tuple[list[int] | None, Parts | None]:
    """Reads the scales of a file and the parts of each scale.

    Both are None if the file does not list them.

    Raises:
        InputError: Scales, radii and factors do not match.
    """
    most = {SCALES: MOST_SCALES, RADII: MOST_PARTS, FACTORS: MOST_PARTS}
    scales, radii, factors = (
        graphs.read_constant(graph_def, name, source, count)
        for name, count in most.items()
    )
    if scales is None or radii is None:
        return scales, None
    rows = [_double(scale) or () for scale in scales]
    if factors is not None:
        length = math.ceil(len(factors) / len(scales))
        starts = range(0, len(factors), length)
        rows = [[each for each in factors[i : i + length] if each] for i in starts]
    fits = len(rows) == len(scales) and len(radii) == sum(map(len, rows))
    if not fits or any(
        not row or math.prod(row) != scale
        for row, scale in zip(rows, scales, strict=True)
    ):
        raise InputError(
            f"{source}: its {SCALES} {scales}, its {RADII} {radii} and its {FACTORS} "
            f"{factors} do not match; it is damaged."
        )
    rest = iter(radii)
    return scales, {
        scale: [(factor, next(rest)) for factor in row]
        for scale, row in zip(scales, rows, strict=True)
    }
