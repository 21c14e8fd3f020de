"""Computes the positions and sizes of tiles.

`upscaling.tiles` runs networks over these tiles. All tiles of a stage have the same
size, including margins, so that one compiled graph serves them all: at the borders,
tiles are moved inwards instead of made smaller.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

# Least side of a tile without margins; smaller tiles would be nearly all margin.
LEAST = 16


@dataclasses.dataclass(frozen=True)
class Window:
    """Pixels of one axis: from `start` to `end` are read, `first` to `last` kept."""

    start: int
    end: int
    first: int
    last: int


def cut(length: int, wanted: tuple[int, int], side: int, margin: int) -> list[Window]:
    """Cuts a part of one axis into windows of equal size, which overlap.

    Args:
        length: Pixels along the axis.
        wanted: (first, last) of the pixels to keep, to which those of all windows join.
        side: Pixels of a window, more than two margins.
        margin: Pixels that a window reads on both sides of its kept pixels, except
            where the axis ends.
    """
    first, last = wanted
    low, high = max(0, first - margin), min(length, last + margin)
    side = min(side, length)
    count = 1 + max(0, math.ceil((high - low - side) / max(side - 2 * margin, 1)))
    # Windows may read more than the margin, because all have the same size.
    starts = [min(low, length - side)]
    if count > 1:
        room = high - low - side
        starts = [low + room * index // (count - 1) for index in range(count)]
    seams = [(b + a + side) // 2 for a, b in zip(starts, starts[1:], strict=False)]
    return [
        Window(start, start + side, a, b)
        for start, a, b in zip(starts, [first, *seams], [*seams, last], strict=True)
    ]


def find_margins(stages: Sequence[Any], overlap: int | None = None) -> list[int]:
    """Computes the margins of each stage's tiles, in pixels of the stage's input.

    A margin is the receptive radius of the stage and all stages after it. `overlap` is
    the largest, in pixels of the picture; None for full margins.
    """
    margins, later = [], 0
    for stage in reversed(stages):
        later = math.ceil(stage.radius) + math.ceil(later / stage.scale)
        margins.append(later)
    margins.reverse()
    if overlap is None:
        return margins
    scale, kept = 1, []
    for stage, margin in zip(stages, margins, strict=True):
        kept.append(min(margin, overlap * scale))
        scale *= stage.scale
    return kept


def choose_sides(
    stages: Sequence[Any],
    margins: Sequence[int],
    size: Sequence[int],
    memory: float,
    tile_size: int | None = None,
) -> list[tuple[int, int]]:
    """Chooses the tile sizes of all stages so that they fit the memory.

    Stages are nested: the whole output of a stage for a tile is kept while the next
    stage processes it.

    Args:
        stages: The stages.
        margins: As returned by `find_margins`.
        size: (height, width) of the picture.
        memory: Bytes for all stages together.
        tile_size: Side of the first stage's tiles without margins; None chooses it.

    Returns:
        (height, width) of each stage's tiles, including margins.
    """
    sides, left = [], memory
    for index, (stage, margin) in enumerate(zip(stages, margins, strict=True)):
        if tile_size is not None and index == 0:
            side = [min(tile_size + 2 * margin, length) for length in size]
        else:
            # Each stage needs some memory, however much the earlier stages keep.
            pixels = max(left, memory / 4) / stage.bytes_per_pixel
            side = _fit(pixels, size, margin)
        sides.append(side)
        left -= stage.bytes_kept * math.prod(side)
        later = margins[index + 1] if index + 1 < len(stages) else 0
        size = [
            min(_find_largest(n, s, margin) * stage.scale + 2 * later, s * stage.scale)
            for n, s in zip(size, side, strict=True)
        ]
    return [(height, width) for height, width in sides]


def _fit(pixels, size, margin):
    """Returns height and width of tiles with `pixels` pixels, as square as possible."""
    least = 2 * margin + LEAST
    side = max(int(math.sqrt(pixels)), least)
    height = min(side, size[0])
    width = min(max(int(pixels / height), least), size[1])
    height = min(max(int(pixels / width), least), size[0])
    return [_even_out(size[0], height, margin), _even_out(size[1], width, margin)]


def _even_out(length, side, margin):
    """Returns the least side that needs no more windows than `side`."""
    count = len(cut(length, (0, length), side, margin))
    return math.ceil((length + (count - 1) * 2 * margin) / count)


def _find_largest(length, side, margin):
    """Returns the largest number of pixels that a window keeps."""
    windows = cut(length, (0, length), side, margin)
    return max(window.last - window.first for window in windows)
