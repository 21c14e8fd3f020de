"""Degraded patches for training, several of each degraded region.

Degrading a patch takes more time than a GPU takes to train on it. So a loader degrades
a region somewhat larger than a patch, and cuts several patches from it, each at another
place and turned in another way. Patch i of a step takes a region of window i, which
moves on slowly: regions depend on the seed and the step alone, so a run that is
resumed, or another worker, makes the same ones.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np

from dataloaders.degradations import Degradation
from dataloaders.paired_settings import PairedSettings

# Distance of patches from the borders of regions, in LR pixels: the borders' mirrored
# pixels do not reach a patch. A border of the picture itself may be in a patch.
MARGIN = 12
# A region has this many places for a patch along each axis: two blocks of 8x8, or one
# with its chroma subsampled, so that the grid of the JPEG falls anywhere in a patch.
PLACES = 16
# Regions that a patch of a step is drawn from.
WINDOW = 32


@dataclasses.dataclass(frozen=True)
class Region:
    """A degraded part of the image `index`.

    Attributes:
        top, left: Place in the image, in LR pixels.
        lr: uint8 (H, W, 3).
        starts: For rows and columns, the first place of a patch and the number of
            places.
    """

    index: int
    top: int
    left: int
    lr: np.ndarray
    starts: tuple[tuple[int, int], tuple[int, int]]


class DegradedRegions:
    """Makes the regions of a loader, and remembers those of the coming steps."""

    def __init__(
        self,
        degradation: Degradation,
        images: Sequence[np.ndarray],
        usable: dict[int, np.ndarray],
        weighted_scales: list[int],
        settings: PairedSettings,
    ):
        """Takes HR images, uint8 (H, W, 3), and the attributes of `PairedLoader`."""
        self.degradation, self.images, self.usable = degradation, images, usable
        self.weighted_scales, self.settings = weighted_scales, settings
        # As much again for those of other steps, which are prepared meanwhile.
        most = 2 * settings.batch_size * WINDOW * len(usable)
        self.region = functools.lru_cache(most)(self._make)
        # Regions are made in several threads; more within each would only compete.
        cv2.setNumThreads(1)

    def draw(
        self, step: int, scale: int, random: np.random.Generator
    ) -> list[tuple[int, int, np.ndarray]]:
        """Draws the patches of one step.

        Returns:
            For each patch its window, the number of its region, and its place in the
            region: float64 (2,) in [0, 1), for rows and columns.
        """
        # As many regions leave the windows of a scale as its steps use up.
        steps = step * self.weighted_scales.count(scale) // len(self.weighted_scales)
        first = steps // self.settings.degradation_uses
        numbers = first + random.integers(WINDOW, size=self.settings.batch_size)
        places = random.random((len(numbers), 2))
        return list(zip(range(len(numbers)), numbers.tolist(), places, strict=True))

    def cut(
        self, scale: int, window: int, number: int, place: np.ndarray
    ) -> tuple[int, int, int, np.ndarray]:
        """Cuts a drawn patch.

        Returns:
            The index of the image, top and left of the patch in it, in LR pixels, and
            the LR patch, a view, uint8 (P, P, 3).
        """
        region, side = self.region(scale, window, number), self.settings.lr_patch_size
        top, left = (
            first + int(where * count)
            for (first, count), where in zip(region.starts, place, strict=True)
        )
        lr = region.lr[top : top + side, left : left + side]
        return region.index, region.top + top, region.left + left, lr

    def _make(self, scale, window, number):
        """Makes a region, which depends on the seed and the arguments alone."""
        # The last number is not 0, so no step has the same random numbers.
        key = (self.settings.seed, scale, window, number + 1)
        random = np.random.Generator(np.random.PCG64(key))
        index = int(random.choice(self.usable[scale]))
        hr = self.images[index]
        placed = [self._place(length // scale, random) for length in hr.shape[:2]]
        (top, height, rows), (left, width, columns) = placed
        y, x = top * scale, left * scale
        part = hr[y : y + height * scale, x : x + width * scale]
        lr = self.degradation.apply(part, scale, random)
        return Region(index, top, left, lr, (rows, columns))

    def _place(self, length, random):
        """Places a region along one axis of an LR image.

        Returns the region's first pixel, its length, and the first place of a patch in
        it and the number of places.
        """
        side, more = self.settings.lr_patch_size, PLACES - 1
        patch = int(random.integers(length - side + 1))
        size = min(length, side + more + 2 * MARGIN)
        start = min(max(0, patch - more // 2 - MARGIN), length - size)
        first = MARGIN if start > 0 else 0
        last = size - side - (MARGIN if start + size < length else 0)
        return start, size, (first, last - first + 1)
