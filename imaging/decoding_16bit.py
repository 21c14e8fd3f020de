"""Decodes PNG and TIFF of 16 bits a channel, which Pillow would bring to 8."""

import cv2
import numpy as np
import tifffile

from console.errors import InputError
from imaging.turns import UPRIGHT, turn

# OpenCV's notes on what it does not know of a file.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Pixels of OpenCV by their number of channels, in the order that we have.
_CHANNELS = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
_MOST = 65535

# Tags of a TIFF, and what they say.
_PHOTOMETRIC, _ORIENTATION, _PLANAR, _EXTRA = 262, 274, 284, 338
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_APART, _MULTIPLIED = 2, 1


def decode_deep(path, raw_mode, tags=None, transparent=None):
    """Decodes the pixels of a file.

    Args:
        path: The file.
        raw_mode: How it stores them, as Pillow calls it.
        tags: Of a TIFF, from their numbers to what they say; None for a PNG.
        transparent: The grey or the RGB that stands for transparent; None for none.

    Returns:
        uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha, alpha not
        multiplied in; a TIFF is turned upright.

    Raises:
        InputError: It holds other pixels.
    """
    if tags is not None:
        return _decode_tiff(path, raw_mode, tags)
    pixels = _decode_by_opencv(path, raw_mode)
    if transparent is not None and pixels.shape[-1] in (1, 3):
        differs = pixels != np.asarray(transparent, np.uint16)
        opaque = np.any(differs, axis=-1, keepdims=True)
        pixels = np.concatenate([pixels, opaque.astype(np.uint16) * _MOST], -1)
    return pixels


def too_deep(path):
    """The error for pixels that are neither uint8 nor uint16."""
    return InputError(
        f"{path}: has neither 8 nor 16 bits a channel; save it as an ordinary PNG."
    )


def _decode_tiff(path, raw_mode, tags):
    """By OpenCV, which knows all compressions, and what it passes over by hand."""
    photometric = tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise InputError(
            f"{path}: holds other colours than grey and RGB in 16 bits; save it as RGB."
        )
    if tags.get(_PLANAR) == _APART:
        pixels = _decode_apart(path, tags)
    else:
        pixels = _decode_by_opencv(path, raw_mode)
    if photometric == _WHITE_IS_ZERO:
        pixels[..., 0] = _MOST - pixels[..., 0]
    if pixels.shape[-1] in (2, 4) and tags.get(_EXTRA, (0,))[0] == _MULTIPLIED:
        alpha = np.maximum(pixels[..., -1:], 1).astype(np.float32)
        colours = pixels[..., :-1] * (_MOST / alpha)
        pixels[..., :-1] = np.minimum(np.rint(colours), _MOST)
    return pixels


def _decode_apart(path, tags):
    """One channel after the other, of which OpenCV makes noise."""
    try:
        pixels = np.moveaxis(tifffile.imread(path, key=0), 0, -1)
    except (ValueError, RuntimeError, tifffile.TiffFileError):
        raise InputError(
            f"{path}: holds its channels one after the other, compressed in a way that "
            "cannot be read; save it as an ordinary TIFF or PNG."
        ) from None
    if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[-1] > 4:
        raise too_deep(path)
    upright = UPRIGHT.get(tags.get(_ORIENTATION), UPRIGHT[1])
    return np.ascontiguousarray(turn(pixels, upright))


def _decode_by_opencv(path, raw_mode):
    encoded = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise too_deep(path)
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    if pixels.ndim == 2:
        return pixels[..., None]
    pixels = pixels[..., _CHANNELS[pixels.shape[-1]]]
    # OpenCV has no grey with alpha.
    return pixels[..., [0, -1]] if raw_mode.startswith("L") else pixels
