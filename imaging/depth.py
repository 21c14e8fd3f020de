"""Decodes pictures of more than 8 bits that Pillow would reduce to 8.

OpenCV and others decode the samples as they are; this module finds their range in the
header.
"""

import re
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from imaging.decoding_16bit import decode_by_opencv
from imaging.plugins import HEIF, JXL, decode_plugin

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
    """Decodes a file, and scales its samples to 16 bits.

    `most` is that of `find_most`, `name` Pillow's name of the format.

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
