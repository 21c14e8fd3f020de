"""Writes PNG files of 16 bits a channel, with whatever Pillow would write beside them.

Pillow writes only grey ones, OpenCV no grey with alpha and no ICC profiles. The format
is that of the PNG specification (third edition), with each row as its difference to the
one above.
"""

import struct
import zlib

import numpy as np

# The colour type by the number of channels.
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FILTER_UP = 2
# Pixels that are prepared at once.
_BAND = 1 << 20


def write(file, pixels, metadata, level):
    """Writes a picture.

    Args:
        file: Open for binary writing.
        pixels: uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha.
        metadata: `imaging.metadata.Metadata`.
        level: Of the compression, 0 to 9.
    """
    height, width, channels = pixels.shape
    header = (width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n")
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", *header))
    if metadata.icc_profile:
        packed = zlib.compress(metadata.icc_profile)
        _write_chunk(file, b"iCCP", b"ICC Profile\0\0" + packed)
    if metadata.dpi:
        dots = [round(float(each) / 0.0254) for each in metadata.dpi]
        _write_chunk(file, b"pHYs", struct.pack(">IIB", *dots, 1))
    exif = metadata.exif_bytes()
    if exif:
        _write_chunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(level)
    for rows in _filter(pixels):
        _write_chunk(file, b"IDAT", packer.compress(rows))
    _write_chunk(file, b"IDAT", packer.flush())
    _write_chunk(file, b"IEND", b"")


def _filter(pixels):
    """Yields bands of filtered rows, as bytes."""
    height, width, channels = pixels.shape
    step = max(1, _BAND // width)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for top in range(0, height, step):
        band = pixels[top : top + step].astype(">u2").view(np.uint8)
        rows = np.concatenate([above, band.reshape(-1, above.shape[1])])
        filtered = np.empty((rows.shape[0] - 1, rows.shape[1] + 1), np.uint8)
        filtered[:, 0] = _FILTER_UP
        # As the format wants it, differences are modulo 256.
        np.subtract(rows[1:], rows[:-1], out=filtered[:, 1:])
        yield filtered.tobytes()
        above = rows[-1:]


def _write_chunk(file, kind, data):
    if kind == b"IDAT" and not data:
        return
    file.write(struct.pack(">I", len(data)) + kind + data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
