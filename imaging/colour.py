"""The luma on which super-resolution is measured."""

import numpy as np

# BT.601 in the studio range, as in MATLAB's rgb2ycbcr.
_WEIGHTS = np.array([65.481, 128.553, 24.966])
_OFFSET = 16.0


def to_y(image: np.ndarray) -> np.ndarray:
    """Computes the luma Y of BT.601, not rounded.

    Args:
        image: uint8 or float (H, W, 3), RGB in [0, 255].

    Returns:
        float64 (H, W), in [16, 235].
    """
    return _OFFSET + np.asarray(image, np.float64) @ _WEIGHTS / 255.0
