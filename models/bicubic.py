"""MATLAB's bicubic upscaling as a model: the baseline of every table."""

import numpy as np

from imaging.files import to_uint8
from imaging.imresize import imresize
from models.base import Model
from models.generator_settings import SCALES
from upscaling.tiles import Stage


class Bicubic(Model):
    """Upscales like MATLAB's `imresize` of a uint8 image; has no weights."""

    name = "bicubic"
    needs_checkpoint = False
    scales, default_scales = SCALES, (2, 4, 8)

    def forward(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """Upscales a batch.

        Args:
            lr: (N, H, W, 3) or (N, H, W, 1): uint8; uint16 in [0, 65535]; or float in
                [0, 255], which is rounded to whole numbers.
            scale: Upscaling factor, a Python int.

        Returns:
            float32 (N, H * scale, W * scale, 3), RGB in [0, 255]: whole numbers, or
            multiples of 1 / 257 for uint16.
        """
        images = np.asarray(lr)
        if images.dtype == np.uint16:
            sr = np.stack([imresize(x, scale) for x in images]) / np.float32(257)
        else:
            images = to_uint8(images)
            sr = np.stack([imresize(x, scale) for x in images]).astype(np.float32)
        return sr if sr.shape[-1] == 3 else np.repeat(sr, 3, axis=-1)

    def stages(self, scale: int) -> list[Stage]:
        """See `Model.stages`; the cubic kernel reaches two pixels."""
        bytes_per_pixel = 100 * scale**2
        return [
            Stage(
                lambda x: self.forward(x, scale),
                scale,
                2,
                bytes_per_pixel,
                is_raw=True,
            )
        ]
