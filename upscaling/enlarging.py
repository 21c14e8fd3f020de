"""Enlarges pictures of any kind by any factor."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from imaging.files import to_8_bits
from imaging.imresize import imresize_part
from imaging.pictures import Picture, fill_hidden, make_finish, split_alpha, to_input
from upscaling.cutting import find_margins
from upscaling.tiles import Stage, Tiling, upscale_image

# How far enlarged alpha may leave the range of the four pixels around it, in widths of
# that range. Thin lines need this much; where the four are equal, nothing is left.
_BEYOND = 3
# Networks see zeros outside of a picture. Training made that right for photographs, but
# at x8, corners of flat areas become wrong by up to 50 levels, and so does all of a
# picture of one or two pixels. Such pictures are mirrored by this many pixels.
_MIRRORED = 8
_THIN = 2
# Side of a corner in pixels, and the range of levels, of 255, of one that is flat.
_CORNER, _FLAT = 4, 2
# Rows of a result that are processed at a time.
_BAND = 256


@dataclasses.dataclass(frozen=True)
class Enlarger:
    """Enlarges pictures with a network.

    Attributes:
        arrange: From a `Tiling` to the stages and the `Tiling` to run them with.
        factor: Factor by which the stages enlarge.
        scale: Factor by which pictures are enlarged, at most `factor`.
        is_seamless: Whether pictures are tiles of a pattern: each border continues at
            the opposite border.
    """

    arrange: Callable[[Tiling], tuple[Sequence[Stage], Tiling]]
    factor: int
    scale: float
    is_seamless: bool = False

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
        """Enlarges a picture; channels, dtype and metadata stay.

        The frames behind the first of an animation are enlarged when they are read.
        `advance` is called with the number of output pixels of the network that were
        computed since the last call.

        Raises:
            InputError: The model's output is not finite.
            MemoryError: The memory does not suffice for the smallest tiles.
        """
        animation = self._enlarge_later(picture.animation, tiling, advance)
        stages, tiling = self.arrange(tiling or Tiling())
        alpha, pixels = picture.alpha, picture.pixels
        is_varied = alpha is not None and alpha.min() < alpha.max()

        def tell(count):
            # Alpha and colours are half of the work each.
            if advance is not None:
                advance(count / (1 + is_varied))

        if is_varied:
            if self.is_seamless:
                pixels = _fill_around(pixels, alpha, find_margins(stages)[0])
            alpha = self._take(alpha, stages, tiling, tell)
            _keep_near(alpha, picture.alpha, self.is_seamless)
        pixels = self._take(pixels, stages, tiling, tell)
        if alpha is not None and not is_varied:
            alpha = np.full((*pixels.shape[:2], 1), alpha.flat[0])
        return dataclasses.replace(
            picture, pixels=pixels, alpha=alpha, animation=animation
        )

    def _enlarge_later(self, animation, tiling, advance):
        """Returns an animation whose frames are enlarged when they are read."""

        def read():
            for frame in animation.read():
                picture = Picture(*split_alpha(frame))
                yield self.enlarge(picture, tiling, advance).joined

        return animation and dataclasses.replace(animation, read=read)

    def _take(self, pixels, stages, tiling, advance):
        """Enlarges grey or RGB, uint8 or uint16 (H, W, C)."""
        is_exact = self.factor == self.scale
        # A result that is resized must not be rounded to 8 bits twice.
        dtype = pixels.dtype if is_exact else np.uint16
        margin, mode = 0, "symmetric"
        if self.is_seamless:
            margin, mode = find_margins(stages)[0], "wrap"
        elif min(pixels.shape[:2]) <= _THIN or _has_flat_corner(pixels):
            margin = _MIRRORED
        sr = upscale_image(
            stages,
            _widen(pixels, margin, mode),
            tiling,
            to_input,
            make_finish(dtype, pixels.shape[-1]),
            advance,
            margin,
        )
        if is_exact:
            return sr
        size = self.find_size(pixels.shape[:2])
        return _resize(sr, size, pixels.dtype, self.is_seamless)


def _fill_around(pixels, alpha, margin):
    """Colours hidden pixels by the nearest visible pixels, around the borders too."""
    whole = fill_hidden(*(_widen(each, margin, "wrap") for each in (pixels, alpha)))
    height, width = pixels.shape[:2]
    return whole[margin : margin + height, margin : margin + width]


def _widen(pixels, margin, mode):
    """Pads (H, W, C) on all sides; `mode` is that of `numpy.pad`."""
    return np.pad(pixels, (*[(margin, margin)] * 2, (0, 0)), mode) if margin else pixels


def _has_flat_corner(pixels):
    """Whether the pixels of a corner are equal, or nearly so."""
    near, far = slice(_CORNER), slice(-_CORNER, None)
    corners = (pixels[rows, columns] for rows in (near, far) for columns in (near, far))
    most = _FLAT * (np.iinfo(pixels.dtype).max // 255)
    return any(np.ptp(corner, axis=(0, 1)).max() <= most for corner in corners)


def _resize(image, size, dtype, wraps):
    """Resizes uint16 (H, W, C) to a size and uint8 or uint16, in bands of rows."""
    output = np.empty((*size, image.shape[-1]), dtype)
    scales = [new / old for new, old in zip(size, image.shape[:2], strict=True)]
    for top in range(0, size[0], _BAND):
        rows = top, min(top + _BAND, size[0])
        band = imresize_part(image, scales, size, rows, (0, size[1]), wraps=wraps)
        output[slice(*rows)] = to_8_bits(band) if dtype == np.uint8 else band
    return output


def _keep_near(sr, alpha, is_seamless):
    """Clips alpha by the range of the four input pixels around: opaque stays opaque.

    `sr` is the upscaled alpha, (H', W', 1), changed in place; `alpha` the input's.
    """
    # More than four if the result is smaller than the picture; the channels are equal.
    ratios = (old / new for new, old in zip(sr.shape, alpha.shape, strict=True))
    reach = math.ceil(max(ratios))
    padded = np.pad(alpha[..., 0], reach, "wrap" if is_seamless else "edge")
    # The nearest corners of input pixels; two where an output pixel lies between them.
    rows, columns = (
        [np.ceil(place - 0.5).astype(int), np.floor(place + 0.5).astype(int)]
        for place in (
            (np.arange(new) + 0.5) * old / new
            for new, old in zip(sr.shape[:2], alpha.shape[:2], strict=True)
        )
    )
    for top in range(0, sr.shape[0], _BAND):
        band = sr[top : top + _BAND, :, 0]
        some = [each[top : top + _BAND] for each in rows]
        first, last = some[0][0], some[1][-1]
        part = padded[first : last + 2 * reach]
        low, high = (
            find(part, 2 * reach)[reach:, reach:].astype(np.int32)
            for find in (ndimage.minimum_filter, ndimage.maximum_filter)
        )
        beyond = _BEYOND * (high - low)
        limits = []
        for find, bound in ((np.minimum, low - beyond), (np.maximum, high + beyond)):
            bound = np.clip(bound, 0, np.iinfo(sr.dtype).max).astype(sr.dtype)
            bound = find(*(bound[each - first] for each in some))
            limits.append(find(*(bound[:, each] for each in columns)))
        np.clip(band, *limits, out=band)
