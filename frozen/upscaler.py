"""The frozen file of a super-resolution model.

    sr_input         float32 (N, H, W, 3), RGB in [0, 255]
    sr_input_scale   float32 scalar; only in a file of several scales
    sr_features      what the trunk makes, so that large pictures can be tiled
    sr_part_1, ...   what each part after it makes, which doubles the size
    sr_output        float32 (N, H * scale, W * scale, 3)
    sr_scales        int32: the scales that the file does
    sr_part_radii    int32: how far the trunk and each part after it see, for each scale
                     one after the other

The TF1 code's files have the first two and `sr_output`; they load too. Of its 4PP-EUSR
`sr_input_scale` is the pass, 2, 4 or 8, and each of them enlarges by 4.
"""

import functools
import itertools
import math

import numpy as np
import tensorflow as tf

from console import quiet
from console.errors import InputError
from frozen import graphs
from upscaling import passes
from upscaling.tiles import Stage, make_part

INPUT, SCALE = "sr_input", "sr_input_scale"
FEATURES, OUTPUT = "sr_features", "sr_output"
PART = "sr_part_{}"
SCALES, RADII = "sr_scales", "sr_part_radii"

# For files that do not say it: EUSR's radius at its defaults, at any scale.
UNKNOWN_RADIUS, DEFAULT_FEATURES = 96, 64
PROBE_SIDE = 16
# More than any file here has.
MOST_SCALES, MOST_RADII = 15, 120


def make_graph_def(parts_of, scales):
    """Freezes a model that upscales in parts.

    Args:
        parts_of: From a scale to the parts of its network; see `models.base.Model`.
        scales: The scales to keep.

    Returns:
        tf.compat.v1.GraphDef.
    """
    parts = {scale: parts_of(scale) for scale in scales}

    def single(lr):
        return chain(lr, lambda functions, x: functions[0](x))

    def several(lr, scale):
        index = _to_index(scale, scales)
        return chain(lr, functools.partial(_switch, index))

    def chain(x, choose):
        # What a scale has no more parts for passes through the rest.
        runs = ([part.run for part in parts[scale]] for scale in scales)
        trunks, *levels = itertools.zip_longest(*runs)
        x = tf.identity(choose(trunks, x), name=FEATURES)
        channels = x.shape[-1]
        for level, functions in enumerate(levels, start=1):
            functions = [_keep_channels(run, channels) for run in functions]
            x = tf.identity(choose(functions, x), name=_name_part(level))
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
    return graph_def


def _keep_channels(run, channels):
    """A part that knows how many channels come, or what hands on if it is None.

    Of a tensor that one scale finishes as a picture and another goes on with,
    TensorFlow does not know it.
    """

    def run_part(x):
        x = tf.identity(x)
        x.set_shape((None, None, None, channels))
        return run(x)

    return tf.identity if run is None else run_part


def _name_part(level):
    """What the output of the trunk, level 0, or of a part after it is called."""
    return PART.format(level) if level else FEATURES


def _count_parts(scale):
    """The trunk, and as many as double the size up to a scale."""
    return scale.bit_length()


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


class Upscaler:
    """A frozen super-resolution model, ready to run."""

    def __init__(self, path, flag="--model_name"):
        """Loads the file.

        Args:
            path: The `.pb` file.
            flag: What gave the path, for messages.

        Raises:
            InputError: It is missing, damaged, or no super-resolution model.
        """
        self.path, self.flag = path, flag
        self.graph_def = graphs.read(path, flag)
        self.scale_input = [SCALE] if graphs.has(self.graph_def, SCALE) else []
        self.whole = self._function([INPUT, *self.scale_input], [OUTPUT])
        self.scales = self.radii = None
        if graphs.has(self.graph_def, FEATURES):
            self.scales, self.radii = self._read_constants()

    def _read_constants(self):
        """The scales and the radii that the file says; None where it does not.

        Raises:
            InputError: They do not go together.
        """
        source = f"{self.flag}={self.path}"
        scales, radii = (
            graphs.read_constant(self.graph_def, name, source, most)
            for name, most in ((SCALES, MOST_SCALES), (RADII, MOST_RADII))
        )
        if scales is None or radii is None:
            return scales, None
        counts = [_count_parts(scale) for scale in scales]
        are_doublings = all(scale > 1 and not scale & scale - 1 for scale in scales)
        if len(radii) != sum(counts) or not are_doublings:
            raise InputError(
                f"{source}: its {SCALES} {scales} and its {RADII} {radii} do not go "
                "together; it is damaged."
            )
        rest = iter(radii)
        by_scale = {
            scale: list(itertools.islice(rest, count))
            for scale, count in zip(scales, counts, strict=True)
        }
        return scales, by_scale

    def _function(self, inputs, outputs):
        source = f"{self.flag}={self.path}"
        return graphs.to_function(self.graph_def, inputs, outputs, source)

    def stages(self, scale):
        """The parts of the network for `upscaling.tiles.upscale_image`.

        Args:
            scale: Upscaling factor.

        Returns:
            list of `upscaling.tiles.Stage`. They may enlarge by something else, where
            the file takes its scale for a pass; see `find_factor`.

        Raises:
            InputError: The file does not upscale by this.
        """
        factor = self.find_factor(scale)
        if self.scales is None or self.radii is None:
            whole = self._bind(self.whole, scale)
            # Twice by 2 sees half as far again as once.
            radius = UNKNOWN_RADIUS * (1.5 if factor > scale else 1)
            return [Stage(whole, factor, radius, 1_000 * max(factor, scale) ** 2)]
        parts = self._make_parts(scale)
        channels = parts[0].outputs[0].shape[-1] or DEFAULT_FEATURES
        radii = self.radii[scale]
        return [
            make_part(self._bind(part, scale), radius, level, channels)
            for level, (part, radius) in enumerate(zip(parts, radii, strict=True))
        ]

    def _make_parts(self, scale):
        """The trunk and the parts after it as functions."""
        names = [_name_part(level) for level in range(_count_parts(scale))]
        inputs, outputs = [INPUT, *names[:-1]], [*names[:-1], OUTPUT]
        return [
            self._function([name, *self.scale_input], [output])
            for name, output in zip(inputs, outputs, strict=True)
        ]

    def _bind(self, function, scale):
        """Makes a function of the picture alone."""

        def run(x):
            with graphs.running(f"{self.flag}={self.path}"):
                return self._run(function, x, scale)

        return run

    def _run(self, function, x, scale):
        more = [tf.constant(scale, tf.float32)] if self.scale_input else []
        return function(tf.convert_to_tensor(x), *more)[0].numpy()

    def find_factor(self, scale):
        """By how much the file really enlarges when asked for a scale, an int.

        Raises:
            InputError: It does not do this scale; with what it does.
        """
        does = self.scales if self.scales is not None else self._probe(scale)
        if self.scales is None and self.scale_input and does:
            return does[0]
        if scale in does:
            return scale
        what = " and ".join(f"x{s}" for s in does) or "other scales"
        raise InputError(f"{self.flag}={self.path} does {what}, not --scale={scale}.")

    def find_scales(self, candidates):
        """Which of some scales the file does, by trying where it does not say."""
        if self.scales is not None:
            return [scale for scale in candidates if scale in self.scales]
        return [scale for scale in candidates if scale in self._probe(scale)]

    def has_passes(self):
        """Whether its scale is the pass, as in 4PP-EUSR of the TF1 code."""
        if self.scales is not None or not self.scale_input:
            return False
        return all(self._probe(scale) == [passes.SCALE] for scale in passes.SCALES)

    @functools.cache  # noqa: B019 - a few scales, and an upscaler lives long
    def _probe(self, scale):
        """By how much the whole graph enlarges, as a list; empty where it fails."""
        probe = np.zeros((1, PROBE_SIDE, PROBE_SIDE, 3), np.float32)
        try:
            with quiet.descriptor_caught():
                output = self._run(self.whole, probe, scale)
                return [output.shape[1] // PROBE_SIDE]
        except tf.errors.OpError:
            quiet.silence_end()
            return []
