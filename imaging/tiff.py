"""Writes TIFF files of 8 or 16 bits per channel, with colour profile and EXIF.

Uses tifffile, because Pillow does not support RGB of 16 bits and fails on EXIF.
"""

import os
import struct
from typing import BinaryIO

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from imaging.metadata import BYTE_TAGS, EXIF_IFDS, TEXT_TAGS, TIFF_HEADER, Metadata

# Bytes of an entry of a TIFF's directory, and the type of an integer of 4 bytes.
_ENTRY, _LONG = 12, 4


def write(
    file: BinaryIO,
    pixels: np.ndarray,
    metadata: Metadata,
    compression: str | None = "zlib",
) -> None:
    """Writes a picture.

    Args:
        file: A file open for binary reading and writing.
        pixels: uint8 or uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha.
        metadata: The picture's metadata.
        compression: tifffile's name of the compression; None for none.
    """
    channels = pixels.shape[-1]
    exif = metadata.exif or Image.Exif()
    types = dict.fromkeys(TEXT_TAGS, "s") | dict.fromkeys(BYTE_TAGS, "B")
    tags = [
        (tag, types[tag], 0 if types[tag] == "s" else len(value), value, True)
        for tag, value in exif.items()
        if isinstance(value, bytes)
    ]
    tifffile.imwrite(
        file,
        pixels if channels > 1 else pixels[..., 0],
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression=compression,
        predictor=compression is not None,
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
    """Adds the EXIF's sub-directories to a TIFF, which tifffile cannot.

    Appends each to the file, then a copy of the picture's directory with pointers to
    them, and makes the file's header point to that copy.
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
    """Encodes a sub-directory of the EXIF; None if it is empty."""
    part = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEADER, group=tag)
    part.update(values)
    return part.tobytes(start) if len(part) else None


def _seek_even_end(file):
    """Moves to the end of a file, at an even offset as TIFF requires; returns it."""
    end = file.seek(0, os.SEEK_END)
    file.write(bytes(end % 2))
    return end + end % 2
