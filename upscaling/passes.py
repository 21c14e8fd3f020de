"""Networks that are asked several times: their answers are averaged.

Each function makes one stage for `upscaling.tiles.upscale_image` of the stages of
others, so these pictures, too, may be of any size, and are never whole as floats.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from imaging.imresize import imresize
from imaging.turns import TURNS, turn, turn_back
from upscaling.tiles import Stage, Tiling, find_scale, upscale_image

SCALE = 4
# Scales that the three ways of 4PP-EUSR need: twice by 2, by 4, by 8 and halved.
SCALES = (2, 4, 8)

# Antialiased halving sees so many LR pixels to each side of what comes at x8.
HALVING_RADIUS = 1

# Of float32 pictures of three channels: the sum, one of those added, and a copy.
_PICTURES, _BYTES = 3, 12


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to enlarge a picture.

    Attributes:
        run: From float32 (H, W, 3) and what is called with shares of the work, to
            float32 (H * scale, W * scale, 3).
        radius: How many input pixels to each side an output pixel depends on.
    """

    run: Callable
    radius: float


def make_ensemble(stages, tiling=None):
    """The mean over the eight turned pictures, each turned back.

    Args:
        stages: `Stage` after `Stage`.
        tiling: `Tiling` of the memory there is; see `split_memory`.

    Returns:
        list of one Stage.
    """

    def make_way(how):
        def run(x, tell):
            turned = np.ascontiguousarray(turn(x, how))
            return turn_back(_upscale(stages, turned, tiling, tell), how)

        return Way(run, find_radius(stages))

    return _average(map(make_way, TURNS), find_scale(stages), stages[0].is_raw)


def make_all_passes(stages, tiling=None):
    """The three ways in which 4PP-EUSR is trained to enlarge by 4.

    Args:
        stages: From each of `SCALES` to a list of `Stage`.
        tiling: See `make_ensemble`.

    Returns:
        list of one Stage.
    """

    def twice(x, tell):
        # The second has four times as much to do.
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


def make_average(stages, tiling=None):
    """The same of a network that takes each pass, with all that belongs to it, itself.

    Args:
        stages: From each of `SCALES`, which chooses the pass, to a list of `Stage` that
            enlarges by 4.
        tiling: See `make_ensemble`.

    Returns:
        list of one Stage.
    """
    ways = [
        Way(
            functools.partial(_upscale, some, tiling=tiling),
            find_radius(some),
        )
        for some in stages.values()
    ]
    return _average(ways, SCALE)


def find_radius(stages):
    """How many pixels of the picture to each side all stages together depend on."""
    radius, scale = 0, 1
    for stage in stages:
        radius += stage.radius / scale
        scale *= stage.scale
    return radius


def split_memory(tiling):
    """Half for the tiles that are averaged, half for those that these are cut into.

    Args:
        tiling: `Tiling`; None for the defaults.

    Returns:
        Tiling, Tiling: Of the outer tiles and of the inner ones.
    """
    tiling = tiling or Tiling()
    half = dataclasses.replace(tiling, memory=tiling.memory / 2)
    return half, dataclasses.replace(half, size=None)


def _upscale(stages, x, tiling, tell):
    """Takes a tile through stages and tells of the work as shares of all of it."""
    pixels = x.shape[0] * x.shape[1] * find_scale(stages) ** 2
    return upscale_image(stages, x, tiling, advance=lambda count: tell(count / pixels))


def _average(ways, scale, is_raw=False):
    """A stage that takes all ways and averages what comes."""
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
