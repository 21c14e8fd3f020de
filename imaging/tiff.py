"""Writes TIFF files of 8 or 16 bits a channel, with colour profile and EXIF.

By tifffile: Pillow has no colour of 16 bits, and fails over EXIF.
"""

import os
import struct

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from imaging.metadata import BYTE_TAGS, EXIF_IFDS, TEXT_TAGS, TIFF_HEADER

# Bytes of an entry of a TIFF's table, and the type of a number of four.
_ENTRY, _LONG = 12, 4


def write(file, pixels, metadata):
    """Writes a picture.

    Args:
        file: Open for binary reading and writing.
        pixels: uint8 or uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha.
        metadata: `imaging.metadata.Metadata`.
    """
    channels = pixels.shape[-1]
    if channels == 2 and pixels.dtype == np.uint16:  # Which Pillow does not read.
        pixels, channels = pixels[..., [0, 0, 0, 1]], 4
    exif = metadata.exif or Image.Exif()
    kinds = dict.fromkeys(TEXT_TAGS, "s") | dict.fromkeys(BYTE_TAGS, "B")
    tags = [
        (tag, kinds[tag], 0 if kinds[tag] == "s" else len(value), value, True)
        for tag, value in exif.items()
        if isinstance(value, bytes)
    ]
    tifffile.imwrite(
        file,
        pixels if channels > 1 else pixels[..., 0],
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="zlib",
        predictor=True,
        iccprofile=metadata.icc_profile,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        software=False,
        metadata=None,
        extratags=tags,
        byteorder="<",
    )
    _append_exif(file, exif)


def _append_exif(file, exif):
    """Adds the inner parts of the EXIF to a TIFF, which tifffile cannot.

    Each goes to the end of the file; so does a copy of the table of the picture that
    names them, too, and the file's first bytes are made to point to that.
    """
    pointers = []
    for tag in EXIF_IFDS:
        start = _seek_even_end(file)
        encoded = _encode(exif.get_ifd(tag), tag, start)
        if encoded is not None:
            file.write(encoded)
            pointers.append(struct.pack("<HHLL", tag, _LONG, 1, start))
    if not pointers:
        return
    file.seek(4)
    file.seek(struct.unpack("<L", file.read(4))[0])
    (count,) = struct.unpack("<H", file.read(2))
    entries = [file.read(_ENTRY) for _ in range(count)] + pointers
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    start = _seek_even_end(file)
    file.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<L", start))


def _encode(values, tag, start):
    """An inner part of the EXIF as bytes; None if there is none."""
    part = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEADER, group=tag)
    part.update(values)
    return part.tobytes(start) if len(part) else None


def _seek_even_end(file):
    """Goes to the end of a file, at an even place as TIFF wants it; returns it."""
    end = file.seek(0, os.SEEK_END)
    file.write(bytes(end % 2))
    return end + end % 2
