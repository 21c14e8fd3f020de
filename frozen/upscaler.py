"""Opens and runs the frozen file of a super-resolution model.

`frozen.upscaler_graph` describes the file.
"""

import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from console import quiet
from console.errors import InputError
from frozen import graphs
from frozen.engines import OpenVino
from frozen.upscaler_graph import (
    FEATURES,
    INPUT,
    OUTPUT,
    SCALE,
    Parts,
    name_part,
    read_parts,
)
from upscaling import passes
from upscaling.tiles import Stage, make_part, upscale_array

# Scales to try with a file that does not list its scales.
CANDIDATES = (2, 3, 4, 6, 8, 9, 12, 16)
# For files that do not hold a radius: EUSR's at its defaults, at any scale.
UNKNOWN_RADIUS, DEFAULT_FEATURES = 96, 64
PROBE_SIDE = 16


class Upscaler:
    """A frozen super-resolution model, ready to run.

    Attributes:
        engine: The engine that runs `stages`; None for TensorFlow.
    """

    engine: OpenVino | None = None

    def __init__(self, path: Path | str) -> None:
        """Loads a `.pb` file; messages name it as --model_name.

        Raises:
            InputError: The file is missing, damaged, or not a super-resolution model.
        """
        self.source = f"--model_name={path}"
        self.graph_def = graphs.read(path, "--model_name")
        self.scale_input = [SCALE] if graphs.has(self.graph_def, SCALE) else []
        self.whole = self._function([INPUT, *self.scale_input], [OUTPUT])
        self.scales: list[int] | None = None
        self.parts: Parts | None = None
        if graphs.has(self.graph_def, FEATURES):
            self.scales, self.parts = read_parts(self.graph_def, self.source)

    def _function(self, inputs, outputs):
        return graphs.to_function(self.graph_def, inputs, outputs, self.source)

    def upscale(self, image: np.ndarray, scale: int = 4) -> np.ndarray:
        """Enlarges uint8 (H, W, 3), RGB, of any size, in tiles that fit the memory.

        See `stages` for files of the TF1 code.

        Raises:
            InputError: The file does not support the scale, or the array is not such a
                picture.
        """
        return upscale_array(self.stages(scale), image)

    def stages(self, scale: int) -> list[Stage]:
        """The parts of the network for `upscaling.tiles.upscale_image`.

        If the file's scale is a pass, they may enlarge by another factor; see
        `find_factor`.
        """
        factor = self.find_factor(scale)
        if self.scales is None or self.parts is None:
            whole = self._bind(self.whole, scale)
            # Two enlargements by 2 have 1.5 times the radius of a single one.
            radius = UNKNOWN_RADIUS * (1.5 if factor > scale else 1)
            return [Stage(whole, factor, radius, 1_000 * max(factor, scale) ** 2)]
        parts = self.parts[scale]
        names = [INPUT, *map(name_part, range(len(parts) - 1)), OUTPUT]
        functions = [
            self._function([name, *self.scale_input], [output])
            for name, output in itertools.pairwise(names)
        ]
        channels = functions[0].outputs[0].shape[-1] or DEFAULT_FEATURES
        return [
            make_part(self._bind(function, scale), factor, radius, channels)
            for function, (factor, radius) in zip(functions, parts, strict=True)
        ]

    def _bind(self, function: Callable, scale: int) -> Callable:
        """Makes a function of the picture alone."""
        if self.engine is not None:
            return self.engine.convert(function, scale)

        def run(x):
            with graphs.running(self.source):
                return self._run(function, x, scale)

        return run

    def _run(self, function, x, scale):
        more = [tf.constant(scale, tf.float32)] if self.scale_input else []
        return function(tf.convert_to_tensor(x), *more)[0].numpy()

    def find_factor(self, scale: int) -> int:
        """Returns the factor by which the file enlarges when it is given a scale.

        Raises:
            InputError: The file does not support the scale; names its scales.
        """
        does = self.scales if self.scales is not None else self._probe(scale)
        if self.scales is None and self.scale_input and does:
            return does[0]
        if scale in does:
            return scale
        what = " and ".join(f"x{s}" for s in does) or "other scales"
        raise InputError(f"{self.source} supports {what}, not --scale={scale}.")

    def find_scales(self) -> list[int]:
        """Lists the file's scales; tries `CANDIDATES` if the file does not list any."""
        if self.scales is not None:
            return sorted(self.scales)
        return [scale for scale in CANDIDATES if scale in self._probe(scale)]

    def has_passes(self) -> bool:
        """Whether the file's scale is the pass, as in 4PP-EUSR of the TF1 code."""
        if self.scales is not None or not self.scale_input:
            return False
        return all(self._probe(scale) == [passes.SCALE] for scale in passes.SCALES)

    @functools.cache  # noqa: B019 - there are few scales, and an upscaler lives long
    def _probe(self, scale: int) -> list[int]:
        """The factor by which the whole graph enlarges, in a list; empty on failure."""
        probe = np.zeros((1, PROBE_SIDE, PROBE_SIDE, 3), np.float32)
        try:
            with quiet.descriptor_caught():
                output = self._run(self.whole, probe, scale)
                return [output.shape[1] // PROBE_SIDE]
        except tf.errors.OpError:
            quiet.silence_end()
            return []
