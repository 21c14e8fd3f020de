"""Averages the results of several passes through a network.

Each function wraps stages in one stage for `upscaling.tiles.upscale_image`, which runs
it in tiles: pictures may have any size and are never held in memory as floats.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

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


@dataclasses.dataclass(frozen=True)
class Way:
    """One of the passes that are averaged.

    Attributes:
        run: From float32 (H, W, 3) and `tell`, a function to call with shares of the
            work, to float32 (H * scale, W * scale, 3).
        radius: Receptive radius, in input pixels.
    """

    run: Callable[..., np.ndarray]
    radius: float


def make_ensemble(stages: Sequence[Stage], tiling: Tiling | None = None) -> list[Stage]:
    """Averages the outputs for the eight flips and rotations, each inverted.

    Args:
        stages: The stages of a network.
        tiling: The inner tiles; see `split_memory`.

    Returns:
        A list of one stage.
    """

    def make_way(how):
        def run(x, tell):
            turned = np.ascontiguousarray(transform(x, how))
            return invert(_upscale(stages, turned, tiling, tell), how)

        return Way(run, find_radius(stages))

    return _average(map(make_way, DIHEDRAL), find_scale(stages), stages[0].is_raw)


def make_all_passes(
    stages: Mapping[int, Sequence[Stage]], tiling: Tiling | None = None
) -> list[Stage]:
    """Averages the three passes by which 4PP-EUSR is trained to enlarge by 4.

    Args:
        stages: From each of `SCALES` to the stages of that scale.
        tiling: See `make_ensemble`.

    Returns:
        A list of one stage.
    """

    def twice(x, tell):
        # The second run takes four times as long as the first.
        x = _upscale(stages[2], x, tiling, lambda share: tell(share / 5))
        return _upscale(stages[2], x, tiling, lambda share: tell(share * 4 / 5))

    def once(x, tell):
        return _upscale(stages[4], x, tiling, tell)

    def halved(x, tell):
        return imresize(_upscale(stages[8], x, tiling, tell), 0.5)

    radii = {scale: find_radius(some) for scale, some in stages.items()}
    ways = [
        Way(twice, radii[2] * 1.5),
        Way(once, radii[4]),
        Way(halved, radii[8] + HALVING_RADIUS),
    ]
    return _average(ways, SCALE, stages[4][0].is_raw)


def make_average(
    stages: Mapping[int, Sequence[Stage]], tiling: Tiling | None = None
) -> list[Stage]:
    """Averages the three passes of a network that computes each pass itself.

    Args:
        stages: From each of `SCALES`, which selects the pass, to stages that enlarge
            by 4.
        tiling: See `make_ensemble`.

    Returns:
        A list of one stage.
    """
    ways = [
        Way(
            functools.partial(_upscale, some, tiling=tiling),
            find_radius(some),
        )
        for some in stages.values()
    ]
    return _average(ways, SCALE)


def find_radius(stages: Iterable[Stage]) -> float:
    """Returns the receptive radius of all stages together, in pixels of the picture."""
    radius, scale = 0.0, 1
    for stage in stages:
        radius += stage.radius / scale
        scale *= stage.scale
    return radius


def split_memory(tiling: Tiling | None) -> tuple[Tiling, Tiling]:
    """Splits the memory between the averaged tiles and the tiles inside them.

    Args:
        tiling: The whole memory; None for the defaults.

    Returns:
        The outer tiles and the inner tiles, with half of the memory each.
    """
    tiling = tiling or Tiling()
    half = dataclasses.replace(tiling, memory=tiling.memory / 2)
    return half, dataclasses.replace(half, size=None)


def _upscale(stages, x, tiling, tell):
    """Runs stages over a tile, and reports the work done as shares of the total."""
    pixels = x.shape[0] * x.shape[1] * find_scale(stages) ** 2
    return upscale_image(stages, x, tiling, advance=lambda count: tell(count / pixels))


def _average(ways, scale, is_raw=False):
    """Makes a stage that averages the outputs of all ways."""
    ways = list(ways)

    def run(x, tell):
        total = 0.0
        for way in ways:
            total += way.run(x[0], tell=lambda share: tell(share / len(ways)))
        total /= len(ways)
        return total[None]

    memory = _PICTURES * _BYTES * scale**2
    radius = max(way.radius for way in ways)
    return [Stage(run, scale, radius, memory, tells=True, is_raw=is_raw)]
