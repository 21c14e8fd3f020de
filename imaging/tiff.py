"""Writes TIFF files of 8 or 16 bits per channel, with colour profile and EXIF.

Uses tifffile, because Pillow does not support RGB of 16 bits and fails on EXIF.
"""

import os
import struct
from typing import BinaryIO

import numpy as np
import tifffile

from console.progress import warn
from imaging.exif import encode_directory, list_tags
from imaging.metadata import Metadata

# Bytes of an entry of a TIFF's directory.
_ENTRY = 12


def write(
    file: BinaryIO,
    pixels: np.ndarray,
    metadata: Metadata,
    compression: str | None = "zlib",
) -> None:
    """Writes uint8 or uint16 (H, W, C) to a file that is open for reading and writing.

    `compression` is tifffile's name of one; None for none.
    """
    channels = pixels.shape[-1]
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
        byteorder="<",
    )
    if values := list_tags(metadata.exif):
        _append(file, values)


def _append(file, values):
    """Adds tags and directories of tags to a TIFF, which tifffile cannot.

    They follow the picture, and so does a copy of its directory that has them, to
    which the file's header then points.
    """
    file.seek(0)
    header = file.read(8)
    if header[:4] != b"II*\0":
        warn("a TIFF of more than 4 GB does not hold EXIF; left out.")
        return
    start = _seek_even_end(file)
    encoded = encode_directory(values, start)
    file.write(encoded)
    (count,) = struct.unpack_from("<H", encoded)
    added = [encoded[2 + _ENTRY * i :][:_ENTRY] for i in range(count)]
    file.seek(struct.unpack("<L", header[4:])[0])
    (count,) = struct.unpack("<H", file.read(2))
    entries = {entry[:2]: entry for entry in added}
    entries |= {entry[:2]: entry for entry in (file.read(_ENTRY) for _ in range(count))}
    start = _seek_even_end(file)
    ordered = sorted(entries.values(), key=lambda each: struct.unpack_from("<H", each))
    file.write(struct.pack("<H", len(ordered)) + b"".join(ordered) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<L", start))


def _seek_even_end(file):
    """Moves to the end of a file, at an even offset as TIFF requires; returns it."""
    end = file.seek(0, os.SEEK_END)
    file.write(bytes(end % 2))
    return end + end % 2
