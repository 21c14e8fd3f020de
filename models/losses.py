"""Losses of the super-resolution models, in float32 on [0, 255]."""

import keras


def mean_absolute_error(sr, hr):
    """Mean of |sr - hr| over batch, pixels and channels.

    Args:
        sr: float32 (N, H, W, 3), in [0, 255].
        hr: The same shape.

    Returns:
        float32 scalar.
    """
    return keras.ops.mean(keras.ops.abs(sr - hr))
