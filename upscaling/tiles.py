"""Runs a network over a picture of any size in bounded memory, with the same result.

A picture passes through stages. A tile is read with a margin as wide as all of them
together can see, so that what is kept of it does not depend on where the cut was made.
What a stage makes of its tile the next one goes over in smaller tiles, before the next
tile of the first is begun: EUSR's trunk sees 74 pixels far but needs little memory, an
upscaling module needs much but sees 12. Nothing but the result is ever kept whole.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np

from console.errors import InputError
from imaging.files import to_uint8
from upscaling.cutting import LEAST, choose_sides, cut, find_margins

MEMORY = 2_000_000_000


@dataclasses.dataclass(frozen=True)
class Stage:
    """One part of a network.

    Attributes:
        run: From float32 (1, H, W, C) to (1, H * scale, W * scale, D); may raise
            `MemoryError`.
        scale: By how much it enlarges.
        radius: How many input pixels to each side an output pixel depends on.
        bytes_per_pixel: Peak memory for each input pixel, roughly.
        bytes_kept: Of its output, for each input pixel.
        tells: Whether `run` takes a second argument, a function to be called with
            the share that was done since; for one that takes long.
        is_raw: Whether a first stage takes tiles as the picture holds them.
    """

    run: Callable
    scale: int
    radius: float
    bytes_per_pixel: float
    bytes_kept: float = 0
    tells: bool = False
    is_raw: bool = False


def make_part(run, scale, radius, features):
    """A part of a network with as many channels between its parts as EUSR has.

    Args:
        run: See `Stage`.
        scale: By how much the part enlarges.
        radius: See `Stage`.
        features: Channels between the parts.

    Returns:
        Stage: With the memory of a float32 pass, as measured with 64 channels.
    """
    peak = max(1_100, 1_000 * scale**2) * features / 64
    return Stage(run, scale, radius, peak, 4 * scale**2 * features)


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How pictures are cut.

    Attributes:
        size: Side of the tiles in pixels of the picture, without margins; None chooses
            one that fits the memory.
        overlap: The widest margin, in pixels of the picture; None for as wide as it
            takes for exactly the result of one pass.
        memory: Bytes that the tiles may take.
    """

    size: int | None = None
    overlap: int | None = None
    memory: float = MEMORY


def find_scale(stages):
    """By how much all stages together enlarge."""
    return math.prod(stage.scale for stage in stages)


def upscale_image(
    stages, image, tiling=None, prepare=np.float32, finish=None, advance=None
):
    """Takes a picture through all stages.

    Args:
        stages: `Stage` after `Stage`.
        image: (H, W, 3) or whatever `prepare` takes a part of.
        tiling: `Tiling`; None for the defaults.
        prepare: From a tile of the picture to float32 (h, w, 3), RGB in [0, 255].
        finish: From a tile of the result, float32 (h, w, 3) that is not rounded and
            not clipped, to what is kept of it; None keeps it as it is.
        advance: Called with the work that was done since, in pixels of the result; it
            may be fractions of some.

    Returns:
        (H * scale, W * scale, ...), of the shape and dtype that `finish` gives.

    Raises:
        MemoryError: The smallest tiles need more than there is.
    """
    run = _Run(stages, image.shape[:2], tiling or Tiling(), advance or (lambda _: None))
    return run.take(image, prepare, finish or (lambda tile: tile))


def upscale_array(stages, image):
    """Takes a picture that an array holds through all stages, in tiles.

    Args:
        stages: `Stage` after `Stage`.
        image: uint8 (H, W, 3), RGB.

    Returns:
        uint8 (H * scale, W * scale, 3), RGB.

    Raises:
        InputError: It is no such array.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(
            "expected a picture of uint8 (H, W, 3), RGB. Received "
            f"{image.dtype} {image.shape}."
        )
    return upscale_image(stages, image, finish=to_uint8)


class _Run:
    """One picture on its way through all stages."""

    def __init__(self, stages, size, tiling, advance):
        self.stages, self.advance = stages, advance
        self.shares = _share_work(stages)
        self.size = [length * find_scale(stages) for length in size]
        self.margins = find_margins(stages, tiling.overlap)
        self.sides = choose_sides(
            stages, self.margins, size, tiling.memory, tiling.size
        )
        self.output = None

    def take(self, image, prepare, finish):
        """Runs all; see `upscale_image`."""
        self.prepare, self.finish = prepare, finish
        self._cover(0, image, [(0, length) for length in image.shape[:2]], (0, 0))
        return self.output

    def _cover(self, level, x, wanted, place):
        """Runs this stage and all after it over part of what the one before made.

        Args:
            level: Which stage.
            x: (H, W, ...): its input.
            wanted: (first, last) row and (first, last) column of it, without margins.
            place: Row and column of the result at which what is wanted begins.
        """
        if level == len(self.stages):
            self._put(x, wanted, place)
            return
        windows = [
            cut(length, wanted[axis], self.sides[level][axis], self.margins[level])
            for axis, length in enumerate(x.shape[:2])
        ]
        rest = find_scale(self.stages[level:])
        for window in itertools.product(*windows):
            corner = [
                start + (each.first - low) * rest
                for start, each, (low, _) in zip(place, window, wanted, strict=True)
            ]
            self._run_window(level, x, window, corner)

    def _run_window(self, level, x, window, corner):
        """Runs one tile, in halves if the memory does not suffice."""
        rows, columns = window
        scale = self.stages[level].scale
        y = self._try_stage(
            level, x[rows.start : rows.end, columns.start : columns.end], window
        )
        if y is None:
            kept = [(each.first, each.last) for each in window]
            self._cover(level, x, kept, corner)
            return
        wanted = [
            tuple((end - each.start) * scale for end in (each.first, each.last))
            for each in window
        ]
        self._cover(level + 1, y, wanted, corner)

    def _try_stage(self, level, part, window):
        """Runs one stage over a tile; None if that is too large by now."""
        size = part.shape[:2]
        # Cut before another tile has turned out to be too large.
        if any(n > side for n, side in zip(size, self.sides[level], strict=True)):
            return None
        try:
            return self._run_stage(level, part, window)
        except MemoryError as error:
            if not self._shrink(level, size):
                raise MemoryError("the smallest tiles do not fit") from error
            return None

    def _run_stage(self, level, part, window):
        stage = self.stages[level]
        is_ready = level > 0 or stage.is_raw
        tile = (part if is_ready else self.prepare(part))[None]
        pixels = math.prod(each.last - each.first for each in window)
        pixels *= find_scale(self.stages[level:]) ** 2 * self.shares[level]
        if stage.tells:
            y = stage.run(tile, lambda share: self.advance(share * pixels))
            return np.asarray(y)[0]
        y = np.asarray(stage.run(tile))[0]
        self.advance(pixels)
        return y

    def _shrink(self, level, failed):
        """Makes the tiles of a stage half of one that failed; says if that could be."""
        least = 2 * self.margins[level] + LEAST
        halves = [min(side, max(math.ceil(side / 2), least)) for side in failed]
        now = self.sides[level]
        self.sides[level] = tuple(map(min, now, halves))
        return self.sides[level] != tuple(failed)

    def _put(self, y, wanted, place):
        (top, bottom), (left, right) = wanted
        tile = self.finish(y[top:bottom, left:right])
        if self.output is None:
            self.output = np.empty((*self.size, *tile.shape[2:]), tile.dtype)
        rows, columns = (
            slice(start, start + length)
            for start, length in zip(place, tile.shape[:2], strict=True)
        )
        self.output[rows, columns] = tile


def _share_work(stages):
    """Which share of the work each stage is, a list that sums to 1.

    By how far it sees: each convolution adds as much to that as to the work.
    """
    scale, work = 1, []
    for stage in stages:
        work.append(max(stage.radius, 1e-3) * scale**2)
        scale *= stage.scale
    return [each / sum(work) for each in work]
