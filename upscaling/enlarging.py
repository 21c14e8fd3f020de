"""Enlarges a picture by any number, whatever kind of picture it is."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from imaging.files import to_8_bits
from imaging.imresize import imresize_part
from imaging.pictures import make_finish, to_input
from upscaling.tiles import Tiling, upscale_image

# Within so many pixels of alpha lies whatever a network may make of it.
_NEAR = 5
# Rows of a result that are worked on at once.
_BAND = 256


@dataclasses.dataclass(frozen=True)
class Enlarger:
    """A network, and by how much it is to enlarge.

    Attributes:
        arrange: From a `Tiling` to the stages, a list of `upscaling.tiles.Stage`, and
            the `Tiling` that they are to be run with.
        factor: By how much the stages enlarge.
        scale: By how much pictures are enlarged: that, or less.
    """

    arrange: Callable
    factor: int
    scale: float

    def count_pixels(self, size):
        """Pixels that the stages make of a picture of (height, width)."""
        return math.prod(size) * self.factor**2

    def count_bytes(self, picture):
        """Bytes of a picture, of its result, and of the copy of that which is written.

        Args:
            picture: `imaging.pictures.Picture`.
        """
        arrays = [a for a in (picture.pixels, picture.alpha) if a is not None]
        there = sum(array.nbytes for array in arrays)
        result = there * self.scale**2
        # Pillow's copies have four bytes a pixel; alpha is put beside the colours.
        copy = max(result, 4 * math.prod(picture.size) * self.scale**2)
        copy *= len(arrays)
        if self.factor == self.scale:
            return there + result + copy
        # What is resized once more is held in 16 bits; the copy comes after it.
        deeper = 2 // picture.pixels.dtype.itemsize
        return there + result + max(copy, there * self.factor**2 * deeper)

    def find_size(self, size):
        """Height and width of the result for a picture of (height, width)."""
        return tuple(max(1, int(length * self.scale + 0.5)) for length in size)

    def enlarge(self, picture, tiling=None, advance=None):
        """Enlarges a picture.

        Args:
            picture: `imaging.pictures.Picture`.
            tiling: `Tiling`; None for the defaults.
            advance: Called with the number of the network's pixels done since.

        Returns:
            Picture: Of the same kind, with the same beside its pixels.

        Raises:
            InputError: What the model makes of it is not finite.
            MemoryError: The smallest tiles need more than there is.
        """
        tiling, advance = tiling or Tiling(), advance or (lambda _: None)
        alpha = picture.alpha
        if alpha is not None and alpha.min() < alpha.max():
            # Both are half of the work.
            alpha = self._take(alpha, tiling, lambda count: advance(count / 2))
            _keep_near(alpha, picture.alpha)
            pixels = self._take(
                picture.pixels, tiling, lambda count: advance(count / 2)
            )
        else:
            pixels = self._take(picture.pixels, tiling, advance)
            if alpha is not None:
                alpha = np.full((*pixels.shape[:2], 1), alpha.flat[0])
        return dataclasses.replace(picture, pixels=pixels, alpha=alpha)

    def _take(self, pixels, tiling, advance):
        """Enlarges grey or RGB, uint8 or uint16 (H, W, C)."""
        is_exact = self.factor == self.scale
        # What is resized once more is not rounded to 8 bits twice.
        dtype = pixels.dtype if is_exact else np.uint16
        stages, tiling = self.arrange(tiling)
        sr = upscale_image(
            stages,
            pixels,
            tiling,
            to_input,
            make_finish(dtype, pixels.shape[-1]),
            advance,
        )
        if is_exact:
            return sr
        return _resize(sr, self.find_size(pixels.shape[:2]), pixels.dtype)


def _resize(image, size, dtype):
    """Resizes a band of rows at a time.

    Args:
        image: uint16 (H, W, C).
        size: (H', W').
        dtype: Of the result, uint8 or uint16.

    Returns:
        (H', W', C).
    """
    output = np.empty((*size, image.shape[-1]), dtype)
    scales = [new / old for new, old in zip(size, image.shape[:2], strict=True)]
    for top in range(0, size[0], _BAND):
        rows = top, min(top + _BAND, size[0])
        band = imresize_part(image, scales, size, rows, (0, size[1]))
        output[slice(*rows)] = to_8_bits(band) if dtype == np.uint8 else band
    return output


def _keep_near(sr, alpha):
    """Keeps alpha within what lies around it: what was opaque stays so.

    Args:
        sr: (H', W', 1), changed in place.
        alpha: (H, W, 1), what it was made of.
    """
    bounds = [
        find(alpha[..., 0], _NEAR)
        for find in (ndimage.minimum_filter, ndimage.maximum_filter)
    ]
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for new, old in zip(sr.shape[:2], alpha.shape[:2], strict=True)
    )
    for top in range(0, sr.shape[0], _BAND):
        band = sr[top : top + _BAND, :, 0]
        near = np.ix_(rows[top : top + _BAND], columns)
        np.clip(band, *(bound[near] for bound in bounds), out=band)
