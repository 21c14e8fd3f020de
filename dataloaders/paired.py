"""LR and HR images of the same name, and the patches that are drawn from them."""

import dataclasses

import cv2
import numpy as np

from console.errors import InputError, name_some
from console.progress import warn
from dataloaders.image_set import ImageSet
from dataloaders.pixels import open_pixels

VARIANTS = 8

# Four rotations, mirrored or not: what OpenCV does in one pass over the pixels. NumPy
# takes six times as long, because its loops follow the strides of the turned view.
_TURNS = {
    1: lambda patch, out: cv2.flip(patch, 1, dst=out),
    2: lambda patch, out: cv2.flip(patch, 0, dst=out),
    3: lambda patch, out: cv2.flip(patch, -1, dst=out),
    4: lambda patch, out: cv2.transpose(patch, dst=out),
    5: lambda patch, out: cv2.rotate(patch, cv2.ROTATE_90_CLOCKWISE, dst=out),
    6: lambda patch, out: cv2.rotate(patch, cv2.ROTATE_90_COUNTERCLOCKWISE, dst=out),
    7: lambda patch, out: cv2.flip(cv2.transpose(patch), -1, dst=out),
}


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one training step is made of.

    Attributes:
        step: Which step.
        scale: Upscaling factor.
        lr: uint8 (N, P, P, 3), RGB.
        hr: uint8 (N, P * scale, P * scale, 3), RGB, the same places.
        names: Of the images, N of them.
    """

    step: int
    scale: int
    lr: np.ndarray
    hr: np.ndarray
    names: list

    def inputs(self):
        """What a training step is given: the scale, and its arrays."""
        return self.scale, (self.lr, self.hr)

    def describe(self):
        """Names its images, for messages."""
        return f"x{self.scale}, images {name_some(self.names, 99)}"


class PairedLoader(ImageSet):
    """Draws batches of patches; a batch depends on seed and step alone.

    A loader of another data set is a subclass with its own settings or sources; see
    `ImageSet`.
    """

    def __init__(self, settings):
        """Takes the settings; `prepare` looks at the images."""
        super().__init__(settings)
        weights = settings.scale_weights or (1,) * len(self.scales)
        # Each scale as often as it is to be drawn.
        self.weighted_scales = [
            s for s, w in zip(self.scales, weights, strict=True) for _ in range(w)
        ]
        self.hr, self.lr, self.usable = None, {}, {}

    @property
    def batch_size(self):
        """Patches in a batch."""
        return self.settings.batch_size

    def prepare(self):
        """Checks the pairs and opens the caches; those not there yet are made.

        Raises:
            InputError: Something is wrong with the images or the cache.
        """
        self._look()
        self.usable = {s: self._find_usable(s) for s in self.scales}
        self.hr, self.lr = open_pixels(self.images, self.sources, self.settings)

    def _find_usable(self, scale):
        """Indices of the images that a patch of one scale fits into."""
        fits = [min(self._count_offsets(i, scale)) > 0 for i in range(len(self.images))]
        small = [
            pair.file for pair, fit in zip(self.images, fits, strict=True) if not fit
        ]
        side = self.settings.lr_patch_size * scale
        if all(not fit for fit in fits):
            raise InputError(
                f"{self._name_truth()}: all {len(small)} images are smaller than a "
                f"patch, {side}x{side} at x{scale}; take larger images or a smaller "
                "--input_patch_size."
            )
        if small:
            warn(
                f"x{scale} leaves out {name_some(small)}, smaller than a patch "
                f"({side}x{side}); {sum(fits)} images remain."
            )
        return np.flatnonzero(fits)

    def _count_offsets(self, index, scale):
        """How many rows and columns a patch may start at; 0 or less for none.

        An LR side that was rounded up has a last pixel whose HR pixels are not all
        there; no patch includes it.
        """
        lr, hr = self.images[index].lr_sizes[scale], self.images[index].hr_size
        side = self.settings.lr_patch_size
        return [min(lr[axis], hr[axis] // scale) - side + 1 for axis in (0, 1)]

    def _make_random(self, step):
        """The source of all that is random in one step."""
        return np.random.Generator(np.random.PCG64((self.settings.seed, step)))

    def scale_of(self, step):
        """The scale of a step."""
        return self._draw_scale(self._make_random(step))

    def _draw_scale(self, random):
        """Draws the scale: the first thing drawn in a step, so that it is cheap."""
        return self.weighted_scales[random.integers(len(self.weighted_scales))]

    def batch(self, step, scale=None, share=slice(None)):
        """Draws the batch of one step.

        Args:
            step: Which step; the same step of the same seed gives the same batch.
            scale: In place of the scale that the step would draw.
            share: Which of the patches to cut; the same as of the whole batch.

        Returns:
            Batch.
        """
        scale, drawn = self._draw(step, scale)
        drawn = drawn[share]
        lr = self._cut(drawn, self.lr[scale], 1)
        hr = self._cut(drawn, self.hr, scale)
        names = [self.images[index].name for index, *_ in drawn]
        return Batch(step, scale, lr, hr, names)

    def _draw(self, step, scale=None):
        """Draws what one step is made of; no pixel is touched.

        Returns:
            scale: The one asked for, or else the one drawn.
            drawn: (image, top, left, variant) of each patch, in LR pixels.
        """
        random = self._make_random(step)
        own_scale = self._draw_scale(random)
        scale = own_scale if scale is None else scale
        usable, count = self.usable[scale], self.settings.batch_size
        indices = usable[random.integers(len(usable), size=count)]
        places = random.random((count, 2))
        variants = random.integers(VARIANTS, size=count).tolist()
        offsets = [self._count_offsets(index, scale) for index in indices]
        corners = (places * offsets).astype(int)
        return scale, list(zip(indices, *corners.T, variants, strict=True))

    def _cut(self, drawn, images, times):
        """Cuts drawn patches, turned.

        Args:
            drawn: As `_draw` gives them.
            images: The cache to cut from.
            times: How many of its pixels make an LR pixel, along one side.

        Returns:
            uint8 (N, P * times, P * times, 3).
        """
        side = self.settings.lr_patch_size * times
        patches = np.empty((len(drawn), side, side, 3), np.uint8)
        for out, (index, top, left, variant) in zip(patches, drawn, strict=True):
            y, x = top * times, left * times
            turn_into(images[index][y : y + side, x : x + side], variant, out)
        return patches

    def draw_patches(self, step, scale):
        """Draws the LR/HR patch pairs of one step at one scale.

        Args:
            step: Which step; the same step of the same seed gives the same patches.
            scale: Upscaling factor, one of `self.scales`.

        Returns:
            lr: uint8 (N, P, P, 3), RGB.
            hr: uint8 (N, P * scale, P * scale, 3), RGB, the same places.
        """
        batch = self.batch(step, scale)
        return batch.lr, batch.hr


def turn_into(patch, variant, out):
    """Copies a square patch, turned.

    Args:
        patch: uint8 (P, P, 3), any view.
        variant: Which of the eight ways, 0 to leave it as it is.
        out: uint8 (P, P, 3), contiguous; written to.
    """
    if variant == 0:
        np.copyto(out, patch)
    else:
        _TURNS[variant](patch, out)
