"""Square patches of pictures, for networks that predict scores.

A picture whose short side is less than the patch's side is enlarged first, so any
picture gives a patch.
"""

from collections.abc import Sequence

import cv2
import numpy as np

# Number of random numbers that `random_patch` takes.
DRAWS = 5


def centre_patch(image: np.ndarray, side: int) -> np.ndarray:
    """Cuts the centre of uint8 (H, W, 3): uint8 (side, side, 3)."""
    image = _enlarge(_square(image, 0.5), side)
    return np.ascontiguousarray(_cut(image, side, 0.5, 0.5))


def random_patch(
    image: np.ndarray,
    side: int,
    draw: np.ndarray | Sequence[float],
    within_square: bool,
) -> np.ndarray:
    """Cuts a patch from a random place, and randomly mirrors it in both directions.

    Args:
        image: uint8 (H, W, 3).
        side: Side of the patch, in pixels.
        draw: float (DRAWS,), random numbers in [0, 1).
        within_square: Whether to cut a random square of the picture's short side
            first, and the patch from that square. This favours the middle of the long
            side.

    Returns:
        uint8 (side, side, 3).
    """
    place, top, left, *flips = draw
    if within_square:
        image = _square(image, place)
    if min(image.shape[:2]) < side:
        # Cut before enlarging: a strip one pixel wide would become gigabytes.
        image = _square(image, left if image.shape[0] < image.shape[1] else top)
    patch = _cut(_enlarge(image, side), side, top, left)
    rows, columns = (slice(None, None, -1 if flip < 0.5 else 1) for flip in flips)
    return np.ascontiguousarray(patch[rows, columns])


def _square(image, place):
    """Cuts a square of the short side, at `place` in [0, 1) of the long side."""
    return _cut(image, min(image.shape[:2]), place, place)


def _cut(image, side, top, left):
    """Cuts a square, at `top` and `left` in [0, 1) of the possible offsets."""
    y, x = (
        int(place * (length - side + 1))
        for place, length in zip((top, left), image.shape, strict=False)
    )
    return image[y : y + side, x : x + side]


def _enlarge(image, side):
    """Enlarges a square to `side`; a picture that is large enough is unchanged."""
    if min(image.shape[:2]) >= side:
        return image
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
