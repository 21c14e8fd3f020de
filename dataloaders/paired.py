"""LR and HR images of the same name, as of DIV2K, and patches drawn from them.

Agustsson and Timofte, "NTIRE 2017 challenge on single image super-resolution".
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from console.errors import InputError, name_some
from console.progress import warn
from dataloaders.degraded import DegradedRegions
from dataloaders.image_set import ImageSet
from dataloaders.paired_settings import PairedSettings
from dataloaders.pixels import open_pixels

# Enough to cut patches. Degrading takes all processors, as far as the interpreter's
# lock and the memory of the prepared batches allow.
THREADS, MOST_THREADS = 2, 16

# Four rotations, mirrored or not. OpenCV makes one pass over the pixels. NumPy takes
# six times as long, because its loops follow the strides of the turned view.
TURNS = (
    lambda patch, out: np.copyto(out, patch),
    lambda patch, out: cv2.flip(patch, 1, dst=out),
    lambda patch, out: cv2.flip(patch, 0, dst=out),
    lambda patch, out: cv2.flip(patch, -1, dst=out),
    lambda patch, out: cv2.transpose(patch, dst=out),
    lambda patch, out: cv2.rotate(patch, cv2.ROTATE_90_CLOCKWISE, dst=out),
    lambda patch, out: cv2.rotate(patch, cv2.ROTATE_90_COUNTERCLOCKWISE, dst=out),
    lambda patch, out: cv2.flip(cv2.transpose(patch), -1, dst=out),
)


@dataclasses.dataclass(frozen=True)
class Batch:
    """The patches of one training step, and the names of their N images.

    Attributes:
        lr: uint8 (N, P, P, 3), RGB.
        hr: uint8 (N, P * scale, P * scale, 3), RGB, the same places.
    """

    step: int
    scale: int
    lr: np.ndarray
    hr: np.ndarray
    names: list[str]

    def inputs(self) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
        """Returns the inputs of a training step: the scale, and (lr, hr)."""
        return self.scale, (self.lr, self.hr)

    def describe(self) -> str:
        """Names the images, for messages."""
        return f"x{self.scale}, images {name_some(self.names, 99)}"


class PairedLoader(ImageSet):
    """Draws batches of patches; a batch depends only on the seed and the step.

    To load another data set, write a subclass with its own settings or sources; see
    `ImageSet`.
    """

    def __init__(self, settings: PairedSettings):
        """Takes the settings; `prepare` reads the images."""
        super().__init__(settings)
        weights = settings.scale_weights or (1,) * len(self.scales)
        # Each scale is repeated by its weight.
        self.weighted_scales = [
            s for s, w in zip(self.scales, weights, strict=True) for _ in range(w)
        ]
        self.hr: Sequence[np.ndarray] = ()
        self.lr: Mapping[int, Sequence[np.ndarray]] = {}
        self.usable: dict[int, np.ndarray] = {}
        self.regions: DegradedRegions | None = None

    @property
    def batch_size(self) -> int:
        """Patches in a batch."""
        return self.settings.batch_size  # type: ignore[return-value]

    def prepare(self) -> None:
        """Checks the pairs and opens the caches; missing caches are made.

        Raises:
            InputError: The images or the cache cannot be used.
        """
        self._look()
        self.usable = {s: self._find_usable(s) for s in self.scales}
        if self.degradation is None:
            self.hr, self.lr = open_pixels(self.images, self.sources, self.settings)
            return
        without_lr = dataclasses.replace(self.settings, scales=())
        self.hr, _ = open_pixels(self.images, self.sources, without_lr)
        self.regions = DegradedRegions(
            *(self.degradation, self.hr, self.usable, self.weighted_scales),
            self.settings,
        )

    @property
    def threads(self) -> int:
        """Number of threads that prepare batches."""
        if self.degradation is None:
            return THREADS
        return min(os.cpu_count() or THREADS, MOST_THREADS)

    def _find_usable(self, scale):
        """Indices of the images that are large enough for a patch at one scale."""
        fits = [min(self._count_offsets(i, scale)) > 0 for i in range(len(self.images))]
        small = [self.images[i].file for i in np.flatnonzero(np.invert(fits))]
        side = self.settings.lr_patch_size * scale
        if not any(fits):
            raise InputError(
                f"{self._name_truth()}: all {len(small)} images are smaller than a "
                f"patch ({side}x{side} at x{scale}); use larger images or a smaller "
                "--input_patch_size."
            )
        if small:
            warn(
                f"x{scale} leaves out {name_some(small)}, smaller than a patch "
                f"({side}x{side}); {sum(fits)} images remain."
            )
        return np.flatnonzero(fits)

    def _count_offsets(self, index, scale):
        """Counts the rows and columns where a patch may start; 0 or less for none.

        If an LR side was rounded up, HR lacks some pixels of the last LR pixel; no
        patch includes that pixel.
        """
        lr, hr = self.images[index].lr_sizes[scale], self.images[index].hr_size
        side = self.settings.lr_patch_size
        return [min(lr[axis], hr[axis] // scale) - side + 1 for axis in (0, 1)]

    def _make_random(self, step):
        """Makes the random number generator of one step."""
        return np.random.Generator(np.random.PCG64((self.settings.seed, step)))

    def scale_of(self, step: int) -> int:
        """Draws the scale of a step."""
        return self._draw_scale(self._make_random(step))

    def _draw_scale(self, random):
        """Draws the scale first in each step, so that `scale_of` is cheap."""
        return self.weighted_scales[random.integers(len(self.weighted_scales))]

    def batch(
        self, step: int, scale: int | None = None, share: slice = slice(None)
    ) -> Batch:
        """Draws the batch of one step; equal steps and seeds give equal batches.

        Args:
            step: Index of the step.
            scale: Replaces the scale that the step would draw.
            share: Patches to cut; they equal this part of the whole batch.
        """
        random = self._make_random(step)
        own_scale = self._draw_scale(random)
        scale = own_scale if scale is None else scale
        if self.regions is None:
            drawn = self._draw(scale, random)[share]
            patches = [
                (*place, self._view(self.lr[scale], place, 1)) for place in drawn
            ]
        else:
            drawn = self.regions.draw(step, scale, random)[share]
            patches = [self.regions.cut(scale, *each) for each in drawn]
        variants = random.integers(len(TURNS), size=self.settings.batch_size)[share]
        lr = _turn([lr for *_, lr in patches], variants)
        hr = [self._view(self.hr, place, scale) for *place, _ in patches]
        names = [self.images[index].name for index, *_ in patches]
        return Batch(step, scale, lr, _turn(hr, variants), names)

    def _draw(self, scale, random):
        """Draws (image, top, left) of each patch of a step, in LR pixels."""
        usable, count = self.usable[scale], self.settings.batch_size
        indices = usable[random.integers(len(usable), size=count)]
        places = random.random((count, 2))
        offsets = [self._count_offsets(index, scale) for index in indices]
        corners = (places * offsets).astype(int)
        return list(zip(indices, *corners.T, strict=True))

    def _view(self, images, place, times):
        """Returns a view of a patch.

        Args:
            images: The cache to cut from.
            place: Index of the image, top and left, in LR pixels.
            times: Side of an LR pixel, in pixels of the cache.
        """
        index, y, x = place[0], place[1] * times, place[2] * times
        side = self.settings.lr_patch_size * times
        return images[index][y : y + side, x : x + side]


class DIV2K(PairedLoader):
    """The loader under the name in the arguments of runs, which resume by it."""


def _turn(patches, variants):
    """Copies and turns square patches, any views; uint8 (N, P, P, 3)."""
    turned = np.empty((len(patches), *patches[0].shape), np.uint8)
    for out, patch, variant in zip(turned, patches, variants.tolist(), strict=True):
        TURNS[variant](patch, out)
    return turned
