"""Where a picture is cut into tiles, and how large these are.

Geometry alone: `upscaling.tiles` runs networks over what is cut here. All tiles of a
stage are of one size, margins included, so one compiled graph serves them all: they
are moved inwards at the borders, not made smaller.
"""

import dataclasses
import math

# Fewer pixels are not worth a tile: it would be nearly all margin.
LEAST = 16


@dataclasses.dataclass(frozen=True)
class Window:
    """Part of a length: what is read of it, and what of that is kept.

    Attributes:
        start: First pixel that is read.
        end: The one after the last.
        first: First pixel that is kept, of those that are read.
        last: The one after the last.
    """

    start: int
    end: int
    first: int
    last: int


def cut(length, wanted, side, margin):
    """Cuts part of a length into overlapping windows.

    Args:
        length: How many pixels there are.
        wanted: (first, last) of those that are to be kept.
        side: Pixels of a window, more than two margins.
        margin: What a window has to show on both sides of what is kept of it, except
            where the length ends.

    Returns:
        list of Window: What they keep joins to `wanted`; all are of one size.
    """
    first, last = wanted
    low, high = max(0, first - margin), min(length, last + margin)
    side = min(side, length)
    count = 1 + max(0, math.ceil((high - low - side) / max(side - 2 * margin, 1)))
    # Where there is room, a window shows more than it has to: its size is what counts.
    starts = [min(low, length - side)]
    if count > 1:
        room = high - low - side
        starts = [low + room * index // (count - 1) for index in range(count)]
    seams = [(b + a + side) // 2 for a, b in zip(starts, starts[1:], strict=False)]
    return [
        Window(start, start + side, a, b)
        for start, a, b in zip(starts, [first, *seams], [*seams, last], strict=True)
    ]


def find_margins(stages, overlap=None):
    """How far beyond what it keeps a tile of each stage is read.

    That is what this stage and all after it can see.

    Args:
        stages: Each has `scale` and `radius`.
        overlap: At most so many pixels of the picture; None for as many as it takes
            for the picture to be exact.

    Returns:
        list of int: In pixels of each stage's input.
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


def choose_sides(stages, margins, size, memory, tile_size=None):
    """Chooses how large the tiles of each stage are, so that they fit the memory.

    Stages are nested: all that one makes of a tile is kept while the next goes over it.

    Args:
        stages: Each has `scale`, `bytes_per_pixel` and `bytes_kept`.
        margins: As `find_margins` returned them.
        size: (height, width) of the picture.
        memory: Bytes for all stages together.
        tile_size: Side of the first stage's tiles without margins; None chooses it.

    Returns:
        list of (height, width), margins included.
    """
    sides, left = [], memory
    for index, (stage, margin) in enumerate(zip(stages, margins, strict=True)):
        if tile_size is not None and index == 0:
            side = [min(tile_size + 2 * margin, length) for length in size]
        else:
            # However much was kept, there is no going on without some.
            pixels = max(left, memory / 4) / stage.bytes_per_pixel
            side = _fit(pixels, size, margin)
        sides.append(side)
        left -= stage.bytes_kept * math.prod(side)
        later = margins[index + 1] if index + 1 < len(stages) else 0
        size = [
            min(_find_largest(n, s, margin) * stage.scale + 2 * later, s * stage.scale)
            for n, s in zip(size, side, strict=True)
        ]
    return [tuple(side) for side in sides]


def _fit(pixels, size, margin):
    """Height and width of tiles of so many pixels, as equal as the picture allows."""
    least = 2 * margin + LEAST
    side = max(int(math.sqrt(pixels)), least)
    height = min(side, size[0])
    width = min(max(int(pixels / height), least), size[1])
    height = min(max(int(pixels / width), least), size[0])
    return [
        _even_out(n, side, margin)
        for n, side in zip(size, (height, width), strict=True)
    ]


def _even_out(length, side, margin):
    """The least side that needs no more windows than this one."""
    count = len(cut(length, (0, length), side, margin))
    return math.ceil((length + (count - 1) * 2 * margin) / count)


def _find_largest(length, side, margin):
    """How many pixels of a length are kept of a window at most."""
    windows = cut(length, (0, length), side, margin)
    return max(window.last - window.first for window in windows)
