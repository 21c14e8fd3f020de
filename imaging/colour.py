"""The luma on which super-resolution is measured, sRGB, and CMYK."""

import contextlib
import io

import numpy as np
from PIL import Image, ImageCms

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


def to_srgb(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """Converts the colours of uint8 (H, W, C) from a profile to sRGB.

    Alpha stays, and so do all pixels if the profile is damaged.
    """
    count = 3 if pixels.shape[-1] > 2 else 1
    colours = pixels[..., :count]
    image = Image.fromarray(colours if count == 3 else colours[..., 0])
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        colours = np.asarray(_apply(profile, image))[..., :count]
    return np.concatenate([colours, pixels[..., count:]], axis=-1)


def cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Converts CMYK to RGB, by the image's ICC profile if there is one."""
    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            return _apply(profile, image)
    return image.convert("RGB")


def _apply(profile, image):
    return ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
