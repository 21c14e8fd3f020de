"""Runs a network over a picture of any size in bounded memory, with exact results.

A picture passes through stages. A tile is read with a margin as wide as the receptive
radius of all stages together, so the pixels that are kept do not depend on the tiles.
The next stage processes a stage's output in smaller tiles, before the first stage's
next tile: EUSR's trunk has a radius of 74 pixels but needs little memory, an upscaling
module needs much memory but has a radius of 12. Only the result is kept as a whole.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

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
        scale: Upscaling factor.
        radius: Receptive radius: how many input pixels to each side an output pixel
            depends on.
        bytes_per_pixel: Approximate peak memory for each input pixel.
        bytes_kept: Bytes of the output for each input pixel.
        tells: Whether `run` takes a second argument, a function to call with the share
            of the work done since the last call; for slow stages.
        is_raw: Whether a first stage takes tiles of the picture without `prepare`.
    """

    run: Callable[..., Any]
    scale: int
    radius: float
    bytes_per_pixel: float
    bytes_kept: float = 0
    tells: bool = False
    is_raw: bool = False


def make_part(
    run: Callable[..., Any], scale: int, radius: float, features: int
) -> Stage:
    """Makes a stage of a network like EUSR, with `features` channels between stages.

    Its memory is that of a float32 pass, as measured with 64 channels. For the others,
    see `Stage`.
    """
    peak = max(1_100, 1_000 * scale**2) * features / 64
    return Stage(run, scale, radius, peak, 4 * scale**2 * features)


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How pictures are cut into tiles.

    Attributes:
        size: Side of the tiles in pixels of the picture, without margins; None chooses
            a side that fits the memory.
        overlap: Largest margin, in pixels of the picture; None for full margins, which
            make the result exact.
        memory: Bytes that the tiles may take.
    """

    size: int | None = None
    overlap: int | None = None
    memory: float = MEMORY


def find_scale(stages: Iterable[Stage]) -> int:
    """Returns the upscaling factor of all stages together."""
    return math.prod(stage.scale for stage in stages)


def upscale_image(
    stages: Sequence[Stage],
    image: np.ndarray,
    tiling: Tiling | None = None,
    prepare: Callable[[Any], Any] = np.float32,
    finish: Callable[[np.ndarray], np.ndarray] | None = None,
    advance: Callable[[float], None] | None = None,
    margin: int = 0,
) -> np.ndarray:
    """Runs all stages over a picture.

    Args:
        stages: The stages.
        image: (H, W, 3), or another array (H, W, C) that `prepare` converts.
        tiling: The tiles; None for the defaults.
        prepare: From a tile of the picture to float32 (h, w, 3), RGB in [0, 255].
        finish: From a tile of the result, float32 (h, w, 3), neither rounded nor
            clipped, to the tile that is kept; None changes nothing.
        advance: Called with the work done since the last call, in pixels of the result;
            may be a fraction.
        margin: Pixels at each side of the picture that are seen but not enlarged.

    Returns:
        (H * scale, W * scale, ...), with the channels and the dtype of `finish`; H and
        W do not count the margin.

    Raises:
        MemoryError: The memory does not suffice for the smallest tiles.
    """
    run = _Run(stages, image.shape[:2], tiling or Tiling(), prepare, finish, advance)
    return run.take(image, margin)


def upscale_array(stages: Sequence[Stage], image: np.ndarray) -> np.ndarray:
    """Checks an image and runs all stages over it, in tiles.

    Takes uint8 (H, W, 3), RGB; returns uint8 (H * scale, W * scale, 3).

    Raises:
        InputError: The image has another shape or dtype.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(
            "expected an RGB picture, uint8 (H, W, 3). Received "
            f"{image.dtype} {image.shape}."
        )
    return upscale_image(stages, image, finish=to_uint8)


class _Run:
    """Runs all stages over one picture; see `upscale_image`."""

    def __init__(self, stages, size, tiling, prepare, finish, advance):
        self.stages, self.prepare, self.finish = stages, prepare, finish
        self.advance = advance or (lambda _: None)
        self.shares = _share_work(stages)
        self.margins = find_margins(stages, tiling.overlap)
        sides = choose_sides(stages, self.margins, size, tiling.memory, tiling.size)
        self.sides, self.output = sides, None

    def take(self, image, margin):
        wanted = [(margin, length - margin) for length in image.shape[:2]]
        self.size = [(b - a) * find_scale(self.stages) for a, b in wanted]
        self._cover(0, image, wanted, (0, 0))
        return self.output

    def _cover(self, level, x, wanted, place):
        """Runs a stage and all after it over a part of the stage's input.

        `wanted` is (first, last) row and (first, last) column of x, (H, W, ...),
        without margins; `place` is the first row and column of the result.
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
        """Runs one tile; cuts it into smaller tiles if the memory does not suffice."""
        rows, columns = (slice(each.start, each.end) for each in window)
        kept = [(each.first, each.last) for each in window]
        y = self._try_stage(level, x[rows, columns], kept)
        if y is None:
            self._cover(level, x, kept, corner)
            return
        scale = self.stages[level].scale
        wanted = [
            ((each.first - each.start) * scale, (each.last - each.start) * scale)
            for each in window
        ]
        self._cover(level + 1, y, wanted, corner)

    def _try_stage(self, level, part, kept):
        """Runs one stage over a tile; returns None if the tile is too large."""
        size = part.shape[:2]
        # The tile was cut before the stage's tiles were made smaller.
        if any(n > side for n, side in zip(size, self.sides[level], strict=True)):
            return None
        try:
            return self._run_stage(level, part, kept)
        except MemoryError as error:
            if not self._shrink(level, size):
                raise MemoryError("the smallest tiles do not fit") from error
            return None

    def _run_stage(self, level, part, kept):
        stage = self.stages[level]
        is_ready = level > 0 or stage.is_raw
        tile = (part if is_ready else self.prepare(part))[None]
        pixels = math.prod(last - first for first, last in kept)
        pixels *= find_scale(self.stages[level:]) ** 2 * self.shares[level]
        if stage.tells:
            y = stage.run(tile, lambda share: self.advance(share * pixels))
            return np.asarray(y)[0]
        y = np.asarray(stage.run(tile))[0]
        self.advance(pixels)
        return y

    def _shrink(self, level, failed):
        """Halves the tiles of a stage after one failed; returns whether they shrank."""
        least = 2 * self.margins[level] + LEAST
        halves = [min(side, max(math.ceil(side / 2), least)) for side in failed]
        now = self.sides[level]
        self.sides[level] = tuple(map(min, now, halves))
        return self.sides[level] != tuple(failed)

    def _put(self, y, wanted, place):
        (top, bottom), (left, right) = wanted
        tile = y[top:bottom, left:right]
        tile = self.finish(tile) if self.finish else tile
        if self.output is None:
            self.output = np.empty((*self.size, *tile.shape[2:]), tile.dtype)
        rows, columns = (
            slice(start, start + length)
            for start, length in zip(place, tile.shape[:2], strict=True)
        )
        self.output[rows, columns] = tile


def _share_work(stages):
    """Estimates each stage's share of the work; the shares sum to 1.

    The radius serves as the measure: each convolution adds to it and to the work alike.
    """
    scale, work = 1, []
    for stage in stages:
        work.append(max(stage.radius, 1e-3) * scale**2)
        scale *= stage.scale
    return [each / sum(work) for each in work]
