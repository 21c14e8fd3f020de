"""The luma on which super-resolution is measured, and CMYK."""

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
    """Converts pixels to sRGB by their profile.

    Args:
        pixels: uint8 (H, W, 1) or (H, W, 3), grey or RGB.
        profile: The ICC profile, of the same number of channels.

    Returns:
        The same shape; unchanged if the profile is damaged.
    """
    image = Image.fromarray(np.squeeze(pixels, -1) if pixels.shape[-1] == 1 else pixels)
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        image = _to_srgb(image, profile)
    return np.asarray(image).reshape(*pixels.shape[:2], -1)[..., : pixels.shape[-1]]


def _to_srgb(image, profile):
    return ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )


def cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Converts CMYK to RGB, by the image's ICC profile if there is one."""
    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            return _to_srgb(image, profile)
    return image.convert("RGB")
