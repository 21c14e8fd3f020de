"""The graph of a frozen super-resolution model: what is in its file.

    sr_input         float32 (N, H, W, 3), RGB in [0, 255]
    sr_input_scale   float32 scalar; only in a file of several scales
    sr_features      what the trunk makes, so that large pictures can be tiled
    sr_part_1, ...   the output of each part after it
    sr_output        float32 (N, H * scale, W * scale, 3)
    sr_scales        int32: the scales that the file does
    sr_part_radii    int32: how far the trunk and each part after it see, for each scale
                     one after the other
    sr_part_factors  int32: by how much each of them enlarges, for each scale a row as
                     long as the longest, with zeros at its end; only where it is not
                     by 1 and then by 2

The TF1 code's files have the first two and `sr_output`; they load too. Of its 4PP-EUSR
`sr_input_scale` is the pass, 2, 4 or 8, and each of them enlarges by 4.
"""

import functools
import itertools
import math

import tensorflow as tf

from console.errors import InputError
from frozen import graphs
from frozen.formats import Network

INPUT, SCALE = "sr_input", "sr_input_scale"
FEATURES, OUTPUT = "sr_features", "sr_output"
PART = "sr_part_{}"
SCALES, RADII, FACTORS = "sr_scales", "sr_part_radii", "sr_part_factors"

# More than any file here has.
MOST_SCALES, MOST_PARTS = 15, 120


def make_network(model, scales):
    """Freezes a model that upscales.

    Args:
        model: Has `parts(scale)`; see `models.base.Model`.
        scales: The scales to keep; one makes a graph without `sr_input_scale`.

    Returns:
        frozen.formats.Network.
    """
    return Network(_make_graph_def(model, scales), INPUT, (OUTPUT,), serve)


def _make_graph_def(model, scales):
    parts = {scale: model.parts(scale) for scale in scales}

    def single(lr):
        return chain(lr, lambda functions, x: functions[0](x))

    def several(lr, scale):
        index = _to_index(scale, scales)
        return chain(lr, functools.partial(_switch, index))

    def chain(x, choose):
        # A scale with fewer parts passes its tensor through the others unchanged.
        runs = ([part.run for part in parts[scale]] for scale in scales)
        # Of each scale, the channels that each level is given, as tracing finds them.
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
    """Runs a part, or hands on if it is None, on as many channels as are known to come.

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


def name_part(level):
    """What the output of the trunk, level 0, or of a part after it is called."""
    return PART.format(level) if level else FEATURES


def _double(scale):
    """Factors of the parts where a file does not say them; None for another scale."""
    count = scale.bit_length() - 1
    return (1, *[2] * count) if 0 < count and scale == 2**count else None


def _pad(rows):
    """Rows one after the other, each as long as the longest, with zeros at its end."""
    length = max(map(len, rows))
    return [each for row in rows for each in (*row, *[0] * (length - len(row)))]


def _to_index(scale, scales):
    """Which of the scales a scalar tensor is; fails at run time for any other."""
    equal = tf.equal(tf.constant(scales, tf.float32), scale)
    known = tf.debugging.Assert(
        tf.reduce_any(equal), [f"{SCALE} must be one of {list(scales)}, not", scale]
    )
    with tf.control_dependencies([known]):
        return tf.argmax(tf.cast(equal, tf.int32), output_type=tf.int32)


def _switch(index, functions, x):
    """Runs one of several functions on `x`, and only that one."""
    *others, last = functions
    result = last
    for position in reversed(range(len(others))):
        result = _branch(index, position, others[position], result)
    return result(x)


def _branch(index, position, then, otherwise):
    return lambda x: tf.cond(
        tf.equal(index, position), lambda: then(x), lambda: otherwise(x)
    )


def serve(run, pictures):
    """Answers to pictures as a server would; see `frozen.formats.Network`.

    Args:
        run: From float32 (N, H, W, 3) to a list of one tensor.
        pictures: uint8 (N, H, W, 3), RGB.

    Returns:
        dict: `images`, uint8 (N, H * scale, W * scale, 3), rounded half up.
    """
    (sr,) = run(tf.cast(pictures, tf.float32))
    return {"images": tf.cast(tf.clip_by_value(tf.floor(sr + 0.5), 0, 255), tf.uint8)}


def read_parts(graph_def, source):
    """Reads what a file says of its scales and of the parts of each.

    Args:
        graph_def: A graph.
        source: Where it came from, for messages.

    Returns:
        scales: list of int; None where the file does not say them.
        parts: From a scale to the (factor, radius) of each of its parts; None where the
            file does not say them.

    Raises:
        InputError: They do not go together.
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
            f"{factors} do not go together; it is damaged."
        )
    rest = iter(radii)
    return scales, {
        scale: [(factor, next(rest)) for factor in row]
        for scale, row in zip(scales, rows, strict=True)
    }
