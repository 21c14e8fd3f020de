"""Decodes pictures of more than 8 bits per channel, which Pillow would reduce to 8."""

import io
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from console.errors import InputError
from console.file_types import PNG, tell_misfit
from imaging.dihedral import UPRIGHT, transform
from imaging.plugins import HEIF, JXL, decode_plugin

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

# Bytes at a file's beginning that contain its header.
_HEADER = 1 << 16
# Start of the size of a JPEG 2000, and the position of the first channel's depth in it.
_SIZE_MARKER, _DEPTH = b"\xff\x51\x00", 40


def find_most(image: Image.Image, path: Path | str) -> int:
    """Finds the largest value of a sample, from the header of an image not loaded yet.

    It is 255 for formats other than PPM, JPEG 2000, AVIF and HEIC, and 65535 for
    JPEG XL, whose pixels alone tell it.
    """
    if image.format == "PPM":
        _, _, _, arguments = image.tile[0]  # type: ignore[attr-defined]
        if arguments == "I;16B":
            return 65535
        values = [a for a in arguments if isinstance(a, int)]
        return max(255, *values) if len(arguments) == 2 and values else 255
    if image.format == HEIF:
        return 2 ** image.info["bit_depth"] - 1
    if image.format == JXL:
        return 65535
    if image.format not in ("JPEG2000", "AVIF"):
        return 255
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    find_bits = _find_jpeg2000_bits if image.format == "JPEG2000" else _find_avif_bits
    return 2 ** min(max(8, find_bits(header)), 16) - 1


def _find_jpeg2000_bits(header):
    place = header.find(_SIZE_MARKER) + _DEPTH
    if place < _DEPTH or place >= len(header) or header[place] & 0x80:
        return 8  # Signed samples are not those of pictures.
    return header[place] + 1


def _find_avif_bits(header):
    """Reads `high_bitdepth` and `twelve_bit` of the AV1 configuration."""
    place = header.find(b"av1C") + 6
    flags = header[place] if 6 <= place < len(header) else 0
    return (8, 8, 10, 12)[flags >> 5 & 3]


def decode_scaled(path: Path | str, most: int, name: str | None) -> np.ndarray | None:
    """Decodes a file, and scales its samples from up to `find_most` to 16 bits.

    Returns:
        uint16 (H, W, C): grey or RGB, with or without alpha; uint8 for a JPEG XL of
        8 bits; None if this OpenCV cannot decode it.
    """
    try:
        if name in (HEIF, JXL):
            pixels = decode_plugin(name, path, most)
        elif (pixels := _decode_plain(path)) is None:
            pixels = decode_by_opencv(path)
    except cv2.error:
        return None
    if name == JXL and pixels.dtype == np.uint8:
        return pixels
    if pixels is None or pixels.dtype != np.uint16:
        return None
    if most < 65535:
        scaled = np.minimum(pixels, most).astype(np.float32) * np.float32(65535 / most)
        pixels = np.rint(scaled).astype(np.uint16)
    return pixels


def _decode_plain(path):
    """Decodes a PPM that is text, which OpenCV reduces to 8 bits; None for others."""
    data = Path(path).read_bytes()
    channels = {b"P2": 1, b"P3": 3}.get(data[:2])
    if channels is None:
        return None
    _, width, height, _, *samples = re.sub(rb"#[^\r\n]*", b"", data).split()
    pixels = np.array(samples[: int(height) * int(width) * channels], np.uint16)
    return pixels.reshape(int(height), int(width), channels)


def has_bit_of_alpha(path: Path | str) -> bool:
    """Whether a BMP of 16 bits a pixel stores transparency in one of them."""
    with open(path, "rb") as file:
        header = file.read(70)
    if len(header) < 70:
        return False
    length, bits = struct.unpack_from("<I10xH", header, 14)
    (alpha,) = struct.unpack_from("<I", header, 66)
    return length >= 56 and bits == 16 and alpha != 0


def decode_deep(
    path: Path | str,
    raw_mode: str,
    tags: Mapping[int, Any] | None,
    transparent: int | Sequence[int] | None,
    content: bytes | None,
) -> np.ndarray:
    """Decodes a PNG or TIFF of 16 bits, or `content` in its place.

    Args:
        path: The file.
        raw_mode: Pillow's raw mode of the file.
        tags: Values of a TIFF's tags by number; None for a PNG.
        transparent: The grey value or RGB that means transparent; None for none.
        content: None for that of the file.

    Returns:
        uint16 (H, W, C): grey or RGB, with or without alpha, which is not multiplied
        into the colours; a TIFF is upright.
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
        pixels[..., :-1] = divide_by_alpha(pixels[..., :-1], pixels[..., -1:])
    return pixels


def divide_by_alpha(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undoes the multiplication of colours by alpha, both uint8 or uint16 (H, W, C)."""
    most = np.iinfo(colours.dtype).max
    plain = colours * (most / np.maximum(alpha, 1).astype(np.float32))
    return np.minimum(np.rint(plain), most).astype(colours.dtype)


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
