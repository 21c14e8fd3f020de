"""Writes pictures for browsers to show: PNG of 8 bits, reduced if it is large."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from console.files import opened_whole
from imaging.files import to_8_bits

# Browsers on phones show no larger pictures.
MOST_PIXELS = 16_000_000


def save_preview(
    path: Path | str,
    pixels: np.ndarray,
    icc_profile: bytes | None = None,
    most: int = MOST_PIXELS,
) -> int:
    """Writes a preview of a picture.

    Args:
        path: The PNG file.
        pixels: uint8 or uint16 (H, W, C): grey or RGB, with or without alpha.
        icc_profile: The colour profile; None for sRGB.
        most: Largest number of pixels; larger pictures are reduced by a whole factor.

    Returns:
        The factor; 1 for a preview with the pixels of the picture.
    """
    factor = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / most))
    pixels = to_8_bits(pixels)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with opened_whole(path) as file:
        # Read once, over a network that is usually fast: size matters little.
        image.reduce(factor).save(
            file, "PNG", compress_level=1, icc_profile=icc_profile
        )
    return factor
