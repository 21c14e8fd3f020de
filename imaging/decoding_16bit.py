"""Decodes PNG and TIFF of 16 bits per channel, which Pillow would reduce to 8."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from console.errors import InputError
from console.file_types import PNG, tell_misfit
from imaging.dihedral import UPRIGHT, transform

# Silences OpenCV's warnings of unknown parts of a file.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# RGB order of OpenCV's channels, by the number of channels.
_CHANNELS = {2: [0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}
_MOST = 65535

# Tags of a TIFF, and their values.
_PHOTOMETRIC, _ORIENTATION, _PLANAR, _EXTRA = 262, 274, 284, 338
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_APART = 2
_UNSPECIFIED, _MULTIPLIED, _TRANSPARENCY = 0, 1, 2


def decode_deep(
    path: Path | str,
    raw_mode: str,
    tags: Mapping[int, Any] | None,
    transparent: int | Sequence[int] | None,
    content: bytes | None,
) -> np.ndarray:
    """Decodes the pixels of a file.

    Args:
        path: The file.
        raw_mode: Pillow's raw mode of the file.
        tags: Values of a TIFF's tags by number; None for a PNG.
        transparent: The grey value or RGB that means transparent; None for none.
        content: Content to decode in place of the file's; None for the file's own.

    Returns:
        uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha; alpha is not
        multiplied into the colours, and a TIFF is turned upright.

    Raises:
        InputError: The format of the pixels is not supported.
    """
    if tags is not None:
        return _decode_tiff(path, raw_mode, tags, content)
    pixels = _decode_16_bits(path, raw_mode, content)
    if transparent is not None and pixels.shape[-1] in (1, 3):
        differs = pixels != np.asarray(transparent, np.uint16)
        opaque = np.any(differs, axis=-1, keepdims=True)
        pixels = np.concatenate([pixels, opaque.astype(np.uint16) * _MOST], -1)
    return pixels


def has_unspecified_band(tags: Mapping[int, Any]) -> bool:
    """Whether a TIFF's first band beside its colours has no stated meaning."""
    return tags.get(_EXTRA, (_TRANSPARENCY,))[0] == _UNSPECIFIED


def too_deep(path: Path | str) -> InputError:
    """Makes the error for pixels that are neither uint8 nor uint16."""
    otherwise = (
        "has pixels of a kind that is not read; convert it to PNG, for example with "
        "ImageMagick or GIMP"
    )
    return InputError(f"{path}: {tell_misfit(path, otherwise, PNG)}.")


def _decode_tiff(path, raw_mode, tags, content):
    """Decodes by OpenCV, which knows all compressions; applies tags it ignores."""
    photometric = tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise InputError(
            f"{path}: has 16-bit colours other than grey and RGB; save it as RGB."
        )
    if tags.get(_PLANAR) == _APART:
        pixels = _decode_apart(path, tags, content)
    else:
        pixels = _decode_16_bits(path, raw_mode, content)
    if pixels.shape[-1] in (2, 4) and has_unspecified_band(tags):
        pixels = np.ascontiguousarray(pixels[..., :-1])
    if photometric == _WHITE_IS_ZERO:
        pixels[..., 0] = _MOST - pixels[..., 0]
    if pixels.shape[-1] in (2, 4) and tags.get(_EXTRA, (0,))[0] == _MULTIPLIED:
        alpha = np.maximum(pixels[..., -1:], 1).astype(np.float32)
        colours = pixels[..., :-1] * (_MOST / alpha)
        pixels[..., :-1] = np.minimum(np.rint(colours), _MOST)
    return pixels


def _decode_apart(path, tags, content):
    """Decodes separate channel planes, which OpenCV does not support."""
    try:
        source = io.BytesIO(content) if content else path
        pixels = np.moveaxis(tifffile.imread(source, key=0), 0, -1)
    except (ValueError, RuntimeError, tifffile.TiffFileError):
        raise InputError(
            f"{path}: has separate channel planes in an unsupported compression; save "
            "it as an ordinary TIFF or PNG."
        ) from None
    if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[-1] > 4:
        raise too_deep(path)
    upright = UPRIGHT.get(tags.get(_ORIENTATION), UPRIGHT[1])
    return np.ascontiguousarray(transform(pixels, upright))


def _decode_16_bits(path, raw_mode, content):
    pixels = decode_by_opencv(path, content)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise too_deep(path)
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    # OpenCV has no grey with alpha.
    is_grey = pixels.shape[-1] > 1 and raw_mode.startswith("L")
    return pixels[..., [0, -1]] if is_grey else pixels


def decode_by_opencv(
    path: Path | str, content: bytes | None = None
) -> np.ndarray | None:
    """Decodes a file, or `content` in its place, by OpenCV.

    Returns:
        (H, W, C) of the file's dtype: grey, RGB, or RGB and alpha; None if OpenCV
        cannot decode it.
    """
    encoded = np.frombuffer(content or Path(path).read_bytes(), np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return None
    if pixels.ndim == 2:
        return pixels[..., None]
    return pixels[..., _CHANNELS[pixels.shape[-1]]]
