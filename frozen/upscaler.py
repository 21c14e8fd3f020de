"""Opens and runs the frozen file of a super-resolution model.

See `frozen.upscaler_graph` for what is in it.
"""

import functools

import numpy as np
import tensorflow as tf

from console import quiet
from console.errors import InputError
from frozen import graphs
from frozen.upscaler_graph import FEATURES, INPUT, OUTPUT, SCALE, name_part, read_parts
from upscaling import passes
from upscaling.tiles import Stage, make_part, upscale_array

# Scales that are tried with a file that does not say which it does.
CANDIDATES = (2, 3, 4, 6, 8, 9, 12, 16)
# For files that do not say it: EUSR's radius at its defaults, at any scale.
UNKNOWN_RADIUS, DEFAULT_FEATURES = 96, 64
PROBE_SIDE = 16


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
        self.scales = self.parts = None
        if graphs.has(self.graph_def, FEATURES):
            source = f"{flag}={path}"
            self.scales, self.parts = read_parts(self.graph_def, source)

    def _function(self, inputs, outputs):
        source = f"{self.flag}={self.path}"
        return graphs.to_function(self.graph_def, inputs, outputs, source)

    def upscale(self, image, scale=4):
        """Enlarges a picture of any size, in tiles that fit the memory.

        Args:
            image: uint8 (H, W, 3), RGB.
            scale: Upscaling factor.

        Returns:
            uint8 (H * scale, W * scale, 3), RGB; see `stages` for files of the TF1
            code.

        Raises:
            InputError: The file does not upscale by this, or it is no such picture.
        """
        return upscale_array(self.stages(scale), image)

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
        if self.scales is None or self.parts is None:
            whole = self._bind(self.whole, scale)
            # Twice by 2 sees half as far again as once.
            radius = UNKNOWN_RADIUS * (1.5 if factor > scale else 1)
            return [Stage(whole, factor, radius, 1_000 * max(factor, scale) ** 2)]
        functions = self._make_parts(scale)
        channels = functions[0].outputs[0].shape[-1] or DEFAULT_FEATURES
        return [
            make_part(self._bind(function, scale), factor, radius, channels)
            for function, (factor, radius) in zip(
                functions, self.parts[scale], strict=True
            )
        ]

    def _make_parts(self, scale):
        """The trunk and the parts after it as functions."""
        names = [name_part(level) for level in range(len(self.parts[scale]))]
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

    def find_scales(self):
        """Lists the scales that the file does, by trying where it does not say them."""
        if self.scales is not None:
            return sorted(self.scales)
        return [scale for scale in CANDIDATES if scale in self._probe(scale)]

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
