"""MATLAB's `imresize` with its bicubic kernel; bit-exact for uint8 images.

A separable cubic convolution (Keys, a = -0.5). When an image shrinks, the kernel is
widened by the same factor (antialiasing). Borders are mirrored, weights sum to 1, and
the axis that shrinks most is resized first. Integer images are rounded after each of
the two passes, as MATLAB does; float images are not rounded.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from imaging.files import to_integers

KERNEL_WIDTH = 4.0

# Bytes of one block of a pass, input or output. A block fits into the processor's
# cache, and a large picture is never in memory as floats at once.
BLOCK = 1 << 22


def imresize(
    image: np.ndarray,
    scale: float | Sequence[float] | None = None,
    size: Sequence[int] | None = None,
    antialiasing: bool = True,
) -> np.ndarray:
    """Resizes an image as MATLAB does.

    Args:
        image: uint8, uint16 or float (H, W) or (H, W, C), any range.
        scale: Factor, or a pair for rows and columns. The output has
            ceil(size * scale) pixels; rounding does not change the factor.
        size: (H', W') in place of a factor; the factor is then exactly H' / H.
        antialiasing: Whether the kernel is widened where the image shrinks.

    Returns:
        (H', W') or (H', W', C), of the same dtype, computed in float64.

    Raises:
        ValueError: Neither or both of `scale` and `size` are given, either is not
            positive, or the image has another shape or dtype.
    """
    image = np.asarray(image)
    scales, sizes = _resolve(image, scale, size)
    # At equal scales rows are first, because `sorted` is stable.
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        weights = _make_weights(
            image.shape[axis], sizes[axis], float(scales[axis]), antialiasing
        )
        image = _resize_axis(image, weights, axis)
    return image


def imresize_part(
    image: np.ndarray,
    scale: float | Sequence[float],
    size: Sequence[int],
    rows: tuple[int, int],
    columns: tuple[int, int],
    *,
    wraps: bool = False,
) -> np.ndarray:
    """Computes a part of `imresize`'s output, which is `size` as a whole.

    The part is from (start, end) of its rows and columns. It is bit-exact if both
    scales are equal; otherwise the two passes may be rounded in another order. An image
    that `wraps` goes on behind its border from the opposite border, in place of being
    mirrored.
    """
    image = np.asarray(image)
    scales = np.broadcast_to(scale, 2)
    parts = [
        _cut_weights(_make_weights(length, new_length, float(each), True, wraps), *part)
        for length, new_length, each, part in zip(
            image.shape, size, scales, (rows, columns), strict=False
        )
    ]
    image = image[parts[0][1], parts[1][1]]
    for axis, (weights, _) in enumerate(parts):
        image = _resize_axis(image, weights, axis)
    return image


def _cut_weights(weights, start, end):
    """Returns the weights of some output pixels, and the input slice they need."""
    some = [matrix[start:end] for matrix in weights]
    needed = slice(int(some[0].indices.min()), int(some[0].indices.max()) + 1)
    return [matrix[:, needed] for matrix in some], needed


def cut_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """Cuts an image (H, W, C) at the bottom and the right to a multiple of the scale.

    Without the cut, the factor between LR and HR would be H / (H // scale), not the
    scale, so the two would drift apart towards the bottom and the right.
    """
    height, width = (length // scale * scale for length in image.shape[:2])
    return image[:height, :width]


def make_lr(hr: np.ndarray, scale: int) -> np.ndarray:
    """Makes an LR image as benchmark sets do: cut to a multiple, then imresize.

    Takes uint8 (H, W, 3); returns uint8 (H // scale, W // scale, 3), which is empty
    where a side is less than the scale.
    """
    cut = cut_to_multiple(hr, scale)
    if cut.size == 0:
        return np.empty((cut.shape[0] // scale, cut.shape[1] // scale, 3), np.uint8)
    return imresize(cut, 1 / scale)


def _resolve(image, scale, size):
    """Returns the factors and the output lengths of rows and columns."""
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"Expected (H, W) or (H, W, C). Received {image.shape}.")
    if image.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise ValueError(f"Expected uint8, uint16 or float. Received {image.dtype}.")
    if (scale is None) == (size is None):
        raise ValueError("Give either a scale or a size.")
    lengths = image.shape[:2]
    if size is not None:
        sizes = tuple(int(length) for length in size)
        scales = tuple(new / old for new, old in zip(sizes, lengths, strict=True))
    else:
        scales = tuple(scale) if np.ndim(scale) else (scale, scale)
        sizes = tuple(math.ceil(s * n) for s, n in zip(scales, lengths, strict=True))
    if min(sizes) < 1 or min(scales) <= 0:
        received = scale if size is None else size
        raise ValueError(f"Expected a positive size. Received {received}.")
    return scales, sizes


def cubic(x: np.ndarray) -> np.ndarray:
    """Computes Keys' cubic convolution kernel with a = -0.5, elementwise."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@functools.lru_cache(maxsize=64)
def _make_weights(length, new_length, scale, antialiasing, wraps=False):
    """Makes the weights of one pass as sparse matrices (new_length, length).

    The first is float64. The second, for uint8 images, is float32 if that is exact:
    it is twice as fast.
    """
    shrink = scale if antialiasing and scale < 1 else 1.0
    width = KERNEL_WIDTH / shrink
    # Centres of the output pixels in the input's coordinates; both count from 1.
    centres = np.arange(1, new_length + 1) / scale + 0.5 * (1 - 1 / scale)
    first = np.floor(centres - width / 2)
    taps = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = shrink * cubic(shrink * (centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    behind = np.arange(length) if wraps else np.arange(length)[::-1]
    around = np.concatenate([np.arange(length), behind])
    columns = around[(taps.astype(np.int64) - 1) % (2 * length)]
    rows = np.broadcast_to(np.arange(new_length)[:, None], columns.shape)
    kept = weights != 0
    matrix = sparse.csr_matrix(
        (weights[kept], (rows[kept], columns[kept])), (new_length, length)
    )
    # With weights of 15 bits, sums of 8-bit pixels fit the 24 bits of a float32.
    is_exact = np.all(matrix.data * 2**15 == np.round(matrix.data * 2**15))
    return matrix, matrix.astype(np.float32) if is_exact else matrix


def _resize_axis(image, weights, axis):
    """Resizes along one axis, in blocks of columns."""
    for_float, for_uint8 = weights
    matrix = for_uint8 if image.dtype == np.uint8 else for_float
    moved = np.moveaxis(image, axis, 0)
    flat = moved.reshape(moved.shape[0], -1)
    output = np.empty((matrix.shape[0], flat.shape[1]), image.dtype)
    step = max(1, BLOCK // (max(matrix.shape) * matrix.dtype.itemsize))
    for start in range(0, flat.shape[1], step):
        columns = slice(start, start + step)
        block = matrix @ flat[:, columns].astype(matrix.dtype)
        is_float = np.issubdtype(image.dtype, np.floating)
        output[:, columns] = block if is_float else to_integers(block, image.dtype)
    return np.moveaxis(output.reshape(-1, *moved.shape[1:]), 0, axis)
