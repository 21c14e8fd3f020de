"""Runs a network over a picture of any size in bounded memory, with the same result.

A picture passes through stages. Each is run tile by tile; a tile is read with a
margin as wide as the stage can see, so that what is kept of its output does not
depend on where the cut was made. EUSR has two stages: the trunk sees 74 pixels far
but needs little memory, the heads need much but see at most 21.1 pixels far.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np

MEMORY = 2_000_000_000


@dataclasses.dataclass(frozen=True)
class Stage:
    """One part of a network.

    Attributes:
        run: From float32 (1, H, W, C) to (1, H * scale, W * scale, D).
        scale: By how much it enlarges.
        radius: How many input pixels to each side an output pixel depends on.
        bytes_per_pixel: Peak memory for each input pixel, roughly.
    """

    run: Callable
    scale: int
    radius: float
    bytes_per_pixel: float


def bytes_of_head(scale, features=64):
    """Peak memory of a float32 pass for each LR pixel, as measured at F = 64."""
    return {2: 4_000, 4: 14_600, 8: 58_600}.get(scale, 915 * scale**2) * features / 64


def make_stages(trunk, head, scale, radii, features):
    """Makes the two stages of EUSR's network.

    Args:
        trunk: From float32 (1, H, W, 3) to (1, H, W, features).
        head: From that to float32 (1, H * scale, W * scale, 3).
        scale: Upscaling factor.
        radii: How far the trunk and the head see, in LR pixels.
        features: Channels between them.

    Returns:
        list of two `Stage`.
    """
    return [
        Stage(trunk, 1, radii[0], 850 * features / 64),
        Stage(head, scale, radii[1], bytes_of_head(scale, features)),
    ]


def upscale_image(stages, image, tile_size=0, memory=MEMORY, after_tile=None):
    """Takes a picture through all stages.

    Args:
        stages: `Stage` after `Stage`.
        image: uint8 or float (H, W, 3), RGB in [0, 255].
        tile_size: Side of the tiles in pixels of each stage's input, without the
            margins; 0 chooses one that fits the memory.
        memory: Bytes that a tile may take, when the size is chosen.
        after_tile: Called after each tile, to show progress.

    Returns:
        float32 (H * scale, W * scale, 3), neither rounded nor clipped.
    """
    x = np.asarray(image, np.float32)
    for stage in stages:
        x = _run_stage(
            stage, x, _cut_both(stage, x.shape, tile_size, memory), after_tile
        )
    return x


def count_tiles(stages, size, tile_size=0, memory=MEMORY):
    """How many tiles `upscale_image` will run for a picture of (height, width)."""
    count = 0
    for stage in stages:
        rows, columns = _cut_both(stage, size, tile_size, memory)
        count += len(rows) * len(columns)
        size = [length * stage.scale for length in size]
    return count


def _cut_both(stage, size, tile_size, memory):
    """The rows and the columns of tiles, lists of (start, end)."""
    margin = math.ceil(stage.radius)
    side = tile_size or _choose_side(stage, margin, memory)
    return [cut(length, side, margin) for length in size[:2]]


def _run_stage(stage, x, tiles, after_tile):
    """Runs one stage over (H, W, C), tile by tile."""
    output = None
    for (top, bottom), (left, right) in itertools.product(*tiles):
        y = _run_tile(stage, x, top, bottom, left, right)
        if output is None:
            height, width = (length * stage.scale for length in x.shape[:2])
            output = np.empty((height, width, y.shape[-1]), np.float32)
        rows = slice(top * stage.scale, bottom * stage.scale)
        columns = slice(left * stage.scale, right * stage.scale)
        output[rows, columns] = y
        if after_tile is not None:
            after_tile()
    return output


def _run_tile(stage, x, top, bottom, left, right):
    """Runs one tile with its margins, and cuts them off again."""
    margin = math.ceil(stage.radius)
    first_row, first_column = max(top - margin, 0), max(left - margin, 0)
    with_margins = x[first_row : bottom + margin, first_column : right + margin]
    y = np.asarray(stage.run(with_margins[None]))[0]
    rows, columns = (
        slice((start - first) * stage.scale, (end - first) * stage.scale)
        for start, end, first in ((top, bottom, first_row), (left, right, first_column))
    )
    return y[rows, columns]


def _choose_side(stage, margin, memory):
    """Side of the largest square that fits the memory, its margins included.

    At least as wide as a margin: narrower tiles would be mostly margin.
    """
    return max(int(math.sqrt(memory / stage.bytes_per_pixel)) - 2 * margin, margin, 16)


def cut(length, side, margin):
    """Cuts a length into tiles that are as equal as can be.

    Args:
        length: Pixels to cut.
        side: At most so many pixels in a tile.
        margin: What a tile is read with on both sides; a length that fits into a
            tile and its margins is left whole.

    Returns:
        list of (start, end).
    """
    count = 1 if length <= side + 2 * margin else math.ceil(length / side)
    ends = [round(length * (index + 1) / count) for index in range(count)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
