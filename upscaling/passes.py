"""Averages the results of several passes through a network.

Each function wraps stages in one stage for `upscaling.tiles.upscale_image`, which runs
it in tiles: pictures may have any size and are never held in memory as floats. The
tiles inside that stage are `tiling`, as `split_memory` returns them.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from imaging.dihedral import DIHEDRAL, invert, transform
from imaging.imresize import imresize
from upscaling.tiles import Stage, Tiling, find_scale, upscale_image

SCALE = 4
# Scales of the passes of 4PP-EUSR: x2 twice, x4 once, x8 and halved.
SCALES = (2, 4, 8)

# Receptive radius of the antialiased halving of an x8 output, in LR pixels.
HALVING_RADIUS = 1

# Number and bytes per pixel of float32 RGB pictures: the sum, a summand, and a copy.
_PICTURES, _BYTES = 3, 12


def make_ensemble(stages: Sequence[Stage], tiling: Tiling | None = None) -> list[Stage]:
    """Averages the outputs for the eight flips and rotations, each inverted."""

    def run(x, tell, how):
        turned = np.ascontiguousarray(transform(x, how))
        return invert(_upscale(stages, turned, tell, tiling), how)

    ways = [functools.partial(run, how=how) for how in DIHEDRAL]
    return _average(ways, find_radius(stages), find_scale(stages), stages[0].is_raw)


def make_all_passes(
    stages: Mapping[int, Sequence[Stage]], tiling: Tiling | None = None
) -> list[Stage]:
    """Averages the three passes by which 4PP-EUSR is trained to enlarge by 4.

    `stages` maps each of `SCALES` to the stages of that scale.
    """

    def twice(x, tell):
        # The second run takes four times as long as the first.
        x = _upscale(stages[2], x, lambda share: tell(share / 5), tiling)
        return _upscale(stages[2], x, lambda share: tell(share * 4 / 5), tiling)

    def once(x, tell):
        return _upscale(stages[4], x, tell, tiling)

    def halved(x, tell):
        return imresize(_upscale(stages[8], x, tell, tiling), 0.5)

    radii = {scale: find_radius(some) for scale, some in stages.items()}
    radius = max(radii[2] * 1.5, radii[4], radii[8] + HALVING_RADIUS)
    return _average([twice, once, halved], radius, SCALE, stages[4][0].is_raw)


def make_average(
    stages: Mapping[int, Sequence[Stage]], tiling: Tiling | None = None
) -> list[Stage]:
    """Averages the three passes of a network that computes each pass itself.

    `stages` maps each of `SCALES`, which selects the pass, to stages that enlarge by 4.
    """
    ways = [functools.partial(_upscale, s, tiling=tiling) for s in stages.values()]
    return _average(ways, max(map(find_radius, stages.values())), SCALE)


def find_radius(stages: Iterable[Stage]) -> float:
    """Returns the receptive radius of all stages together, in pixels of the picture."""
    radius, scale = 0.0, 1
    for stage in stages:
        radius += stage.radius / scale
        scale *= stage.scale
    return radius


def split_memory(tiling: Tiling) -> tuple[Tiling, Tiling]:
    """Splits the memory between the averaged tiles and the tiles inside them."""
    half = dataclasses.replace(tiling, memory=tiling.memory / 2)
    return half, dataclasses.replace(half, size=None)


def _upscale(stages, x, tell, tiling):
    """Runs stages over a tile, and reports the work done as shares of the total."""
    pixels = x.shape[0] * x.shape[1] * find_scale(stages) ** 2
    return upscale_image(stages, x, tiling, advance=lambda count: tell(count / pixels))


def _average(ways, radius, scale, is_raw=False):
    """Makes a stage that averages the outputs of all ways.

    A way takes float32 (H, W, 3), and a function to call with shares of the work, to
    float32 (H * scale, W * scale, 3).
    """

    def run(x, tell):
        total = 0.0
        for way in ways:
            total += way(x[0], tell=lambda share: tell(share / len(ways)))
        total /= len(ways)
        return total[None]

    memory = _PICTURES * _BYTES * scale**2
    return [Stage(run, scale, radius, memory, tells=True, is_raw=is_raw)]
