"""Halves images within a network, for the x8 pass of 4PP-EUSR.

Keras only; see `models.layers`.
"""

import keras
import numpy as np

from imaging.imresize import cubic

ANTIALIAS, LEGACY = "antialias", "legacy"
REDUCTIONS = (ANTIALIAS, LEGACY)

# Input pixels on each side of the two central pixels of an output pixel.
_BORDER = 3


def halve(images: keras.KerasTensor, reduction: str = ANTIALIAS) -> keras.KerasTensor:
    """Halves height and width.

    Args:
        images: float32 (N, H, W, C), H and W even.
        reduction: `antialias`: MATLAB's imresize by 1/2, equal to `imaging.imresize`
            within rounding. `legacy`: TensorFlow 1's bicubic without antialiasing,
            which at a factor of two takes every second row and column.

    Returns:
        float32 (N, H / 2, W / 2, C).
    """
    if reduction == LEGACY:
        return images[:, ::2, ::2]
    channels = images.shape[-1]
    border = (_BORDER, _BORDER)
    padded = keras.ops.pad(images, ((0, 0), border, border, (0, 0)), mode="symmetric")
    taps = cubic((np.arange(2 * _BORDER + 2) - (_BORDER + 0.5)) / 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    kernel = np.repeat(kernel[:, :, None, None], channels, axis=2).astype(np.float32)
    # One 8x8 convolution: a pair of 8x1 and 1x8 would need different strides for rows
    # and columns, which TensorFlow does not support.
    return keras.ops.depthwise_conv(
        padded, kernel, strides=2, padding="valid", data_format="channels_last"
    )
