"""Turns and copies patches; the only work that is done for each patch."""

import cv2
import numpy as np

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
