"""Enlarges pictures of any kind by any factor."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from imaging.files import to_8_bits
from imaging.imresize import imresize_part
from imaging.pictures import Picture, make_finish, to_input
from upscaling.tiles import Stage, Tiling, upscale_image

# Upscaled alpha is clipped to the range of the input's alpha within this many pixels.
_NEAR = 5
# Rows of a result that are processed at a time.
_BAND = 256


@dataclasses.dataclass(frozen=True)
class Enlarger:
    """Enlarges pictures with a network.

    Attributes:
        arrange: From a `Tiling` to the stages and the `Tiling` to run them with.
        factor: Factor by which the stages enlarge.
        scale: Factor by which pictures are enlarged, at most `factor`.
    """

    arrange: Callable[[Tiling], tuple[Sequence[Stage], Tiling]]
    factor: int
    scale: float

    def count_pixels(self, size: tuple[int, int]) -> int:
        """Counts the stages' output pixels for a picture of (height, width)."""
        return math.prod(size) * self.factor**2

    def count_bytes(self, picture: Picture) -> float:
        """Returns the bytes of a picture, its result and the copy that is written."""
        arrays = [a for a in (picture.pixels, picture.alpha) if a is not None]
        there = sum(array.nbytes for array in arrays)
        result = there * self.scale**2
        # Pillow's copies have 4 bytes per pixel; alpha is joined to the colours.
        copy = max(result, 4 * math.prod(picture.size) * self.scale**2)
        copy *= len(arrays)
        if self.factor == self.scale:
            return there + result + copy
        # A result that is resized is first held in 16 bits; the copy is made later.
        deeper = 2 // picture.pixels.dtype.itemsize
        return there + result + max(copy, there * self.factor**2 * deeper)

    def find_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns (height, width) of the result for a picture of (height, width)."""
        height, width = (max(1, int(length * self.scale + 0.5)) for length in size)
        return height, width

    def enlarge(
        self,
        picture: Picture,
        tiling: Tiling | None = None,
        advance: Callable[[float], None] | None = None,
    ) -> Picture:
        """Enlarges a picture.

        Args:
            picture: The picture.
            tiling: The tiles; None for the defaults.
            advance: Called with the number of output pixels of the network that were
                computed since the last call.

        Returns:
            A picture with the same channels, dtype and metadata.

        Raises:
            InputError: The model's output is not finite.
            MemoryError: The memory does not suffice for the smallest tiles.
        """
        tiling, advance = tiling or Tiling(), advance or (lambda _: None)
        alpha = picture.alpha
        if alpha is not None and alpha.min() < alpha.max():
            # Alpha and colours are half of the work each.
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
        # A result that is resized must not be rounded to 8 bits twice.
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
    """Resizes an image, one band of rows at a time.

    Args:
        image: uint16 (H, W, C).
        size: (H', W').
        dtype: The result's dtype, uint8 or uint16.

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
    """Clips alpha to the range of the input's nearby alpha: opaque stays opaque.

    Args:
        sr: (H', W', 1), the upscaled alpha, changed in place.
        alpha: (H, W, 1), the input's alpha.
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
