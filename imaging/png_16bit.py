"""Writes PNG files of 16 bits per channel, with the same metadata as Pillow.

Pillow writes only grey, OpenCV neither grey with alpha nor ICC profiles. The format
follows the PNG specification (third edition); each row is stored as its difference to
the row above.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from imaging.chunks import PNG_SIGNATURE, make_chunk
from imaging.exif import encode_exif
from imaging.files import PNG_COMPRESSION
from imaging.metadata import Metadata

# The colour type by the number of channels.
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FILTER_UP = 2
# Pixels that are filtered at a time.
_BAND = 1 << 20


def write(file: BinaryIO, pixels: np.ndarray, metadata: Metadata) -> None:
    """Writes uint16 (H, W, C): grey or RGB, with or without alpha."""
    file.write(PNG_SIGNATURE)
    for chunk in _make_chunks(pixels, metadata):
        file.write(make_chunk(*chunk))


def _make_chunks(pixels, metadata):
    height, width, channels = pixels.shape
    header = (width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    yield b"IHDR", struct.pack(">IIBBBBB", *header)
    yield from metadata.chunks
    if metadata.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile)
    if metadata.dpi:
        dots = [round(float(each) / 0.0254) for each in metadata.dpi]
        yield b"pHYs", struct.pack(">IIB", *dots, 1)
    if exif := encode_exif(metadata.exif):
        yield b"eXIf", exif.removeprefix(b"Exif\0\0")
    packer = zlib.compressobj(PNG_COMPRESSION)
    for rows in _filter(pixels):
        if packed := packer.compress(rows):
            yield b"IDAT", packed
    yield b"IDAT", packer.flush()
    yield b"IEND", b""


def _filter(pixels: np.ndarray) -> Iterator[bytes]:
    """Yields bands of filtered rows, as bytes."""
    height, width, channels = pixels.shape
    step = max(1, _BAND // width)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for top in range(0, height, step):
        band = pixels[top : top + step].astype(">u2").view(np.uint8)
        rows = np.concatenate([above, band.reshape(-1, above.shape[1])])
        filtered = np.empty((rows.shape[0] - 1, rows.shape[1] + 1), np.uint8)
        filtered[:, 0] = _FILTER_UP
        # Differences wrap modulo 256, as the format requires.
        np.subtract(rows[1:], rows[:-1], out=filtered[:, 1:])
        yield filtered.tobytes()
        above = rows[-1:]
