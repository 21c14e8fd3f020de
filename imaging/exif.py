"""EXIF: what of it is copied to an enlarged picture, and made true for it."""

import contextlib
import struct
from typing import Any

from PIL import Image, TiffImagePlugin

EXIF_IFDS = EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
SOFTWARE, DESCRIPTION = 0x0131, 0x010E
# Dots per unit, and the unit.
DOTS = 0x011A, 0x011B, 0x0128
# In the directory of a TIFF; `imaging.metadata` reads them apart.
XMP, IPTC = 700, 33723
PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS = 33550, 33922, 34264, 34735
GEO = PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, 34736, 34737, 42112, 42113
_INTEROP, _ORIENTATION = 0xA005, 0x0112
_LENGTHS = 0xA003, 0xA002
# Pixels per unit down and across, and places in pixels: x, y, and then other lengths.
_RESOLUTIONS = 0xA20F, 0xA20E
_PLACES = 0x9214, 0xA214
_MAKER_NOTE, _RELATED_SIZE = 0x927C, (0x1001, 0x1002)
# The header of little-endian TIFF and EXIF.
TIFF_HEADER = b"II*\0\0\0\0\0"
# Tags with which people and cameras describe a picture.
_TEXT_TAGS = (
    *(0x000B, 0x010D, DESCRIPTION, 0x010F, 0x0110, 0x011D, SOFTWARE, 0x0132),
    *(0x013B, 0x013C, 0x8298, 0xC614, 0xC62F),
)
# Ratings, and tags of Windows.
_OTHER_TAGS = (0x4746, 0x4749, *range(0x9C9B, 0x9CA0))
# Of a TIFF, these alone are copied: its other tags may say where its pixels are.
_KEPT_TAGS = {*_TEXT_TAGS, *_OTHER_TAGS, *GEO, XMP, IPTC}
# In other files, tags of the file, the thumbnail, or the orientation, which no longer
# holds for the upright picture.
_FILE_TAGS = {
    *(*range(0x00FE, 0x010C), 0x0111, _ORIENTATION, *range(0x0115, 0x011A), 0x011C),
    *(0x0129, 0x012D, 0x013D, *range(0x0140, 0x0160), *range(0x0200, 0x0216)),
    *(*EXIF_IFDS, _INTEROP, XMP, IPTC, 0x8649, 0x8773, 0xEA1C),
}


def read_exif(image: Image.Image) -> Image.Exif | None:
    """Reads the EXIF that is copied to an enlarged picture; None for none.

    A TIFF's EXIF can be read only before the pixels, a PNG's whole EXIF only after.
    """
    try:
        there, kept = image.getexif(), Image.Exif()
        is_tiff = getattr(image, "format", "TIFF") == "TIFF"
        tags = _KEPT_TAGS & set(there) if is_tiff else set(there) - _FILE_TAGS
        kept.update(_copy_writable({tag: there[tag] for tag in sorted(tags)}))
        if _states_shape(kept.get(DESCRIPTION)):
            del kept[DESCRIPTION]
        is_turned = there.get(_ORIENTATION, 1) != 1
        for ifd in EXIF_IFDS:
            values = dict(there.get_ifd(ifd))
            if _INTEROP in values:
                values[_INTEROP] = dict(there.get_ifd(_INTEROP))
                for tag in _RELATED_SIZE:
                    values[_INTEROP].pop(tag, None)
            for tag in _PLACES * is_turned:
                values.pop(tag, None)
            kept.get_ifd(ifd).update(_copy_writable(values, ifd))
        for tag in GEO * is_turned:
            kept.pop(tag, None)
    except MemoryError:
        raise
    except Exception:  # Damaged EXIF raises almost any type.
        return None
    return kept if len(kept) or any(map(kept.get_ifd, EXIF_IFDS)) else None


def _states_shape(text):
    """Whether a description says how ImageJ, OME or tifffile stores the pixels."""
    text = text if isinstance(text, bytes) else str(text or "").encode()
    return text.startswith((b"ImageJ=", b'{"shape"')) or b"<OME " in text[:1000]


def _copy_writable(values, group=None):
    """Copies the tags that can be written again."""
    kept = {}
    for tag, value in values.items():
        if tag in _TEXT_TAGS and isinstance(value, str):
            # Pillow decoded it as Latin-1, but would write ASCII only.
            value = value.encode("latin-1", "replace")
        with contextlib.suppress(Exception):  # See `read_exif`.
            encode_directory({tag: value}, len(TIFF_HEADER), group)
            kept[tag] = value
    return kept


def encode_directory(values: dict, start: int, group: int | None = None) -> bytes:
    """Encodes a directory of a TIFF or EXIF, and those inside it, as of `list_tags`.

    `start` is its place in the file; `group` is its tag, None for the first one.
    """
    part = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEADER, group=group)
    for tag, value in values.items():
        part[tag] = value
        if tag in _TEXT_TAGS:
            part.tagtype[tag] = 2
    return part.tobytes(start)


def copy_exif(exif: Image.Exif | None) -> Image.Exif:
    """Copies an EXIF as read by `read_exif`; empty for none."""
    copied = Image.Exif()
    if exif is not None:
        copied.update(exif)
        for ifd in EXIF_IFDS:
            copied.get_ifd(ifd).update(exif.get_ifd(ifd))
    return copied


def find_text(exif: Image.Exif, tag: int) -> bytes:
    """Returns the text of a tag; empty for none."""
    text = exif.get(tag, b"")
    return (text.encode() if isinstance(text, str) else text).rstrip(b"\0")


def fit_exif(
    exif: Image.Exif | None, size: tuple[int, int], scales: tuple[float, float]
) -> Image.Exif | None:
    """Returns EXIF with the (height, width) of a result, larger by two factors."""
    if exif is None:
        return None
    exif = copy_exif(exif)
    ifd = exif.get_ifd(EXIF_IFD)
    for lengths in zip(_LENGTHS, size, _RESOLUTIONS, scales, strict=True):
        length_tag, length, resolution_tag, scale = lengths
        if length_tag in ifd:
            ifd[length_tag] = length
        with contextlib.suppress(Exception):
            ifd[resolution_tag] = float(ifd[resolution_tag]) * scale
    for tag in _PLACES:
        with contextlib.suppress(Exception):
            pairs = zip(ifd[tag], scales[::-1] * 2, strict=False)
            ifd[tag] = tuple(round(value * factor) for value, factor in pairs)
    return exif


def list_tags(exif: Image.Exif | None) -> dict[int, Any]:
    """Returns the values of all tags, of directories as dictionaries."""
    if exif is None:
        return {}
    values = {tag: exif[tag] for tag in exif if tag not in EXIF_IFDS}
    return values | {
        ifd: dict(exif.get_ifd(ifd)) for ifd in EXIF_IFDS if exif.get_ifd(ifd)
    }


def encode_exif(exif: Image.Exif | None, most: int | None = None) -> bytes | None:
    """Encodes EXIF for a file, with its header; None if it cannot be written.

    If it is longer than `most` bytes, it loses its maker note, which is opaque and
    often large.
    """
    if exif is None:
        return None
    values = list_tags(exif)
    for without in (None, _MAKER_NOTE):
        values.get(EXIF_IFD, {}).pop(without, None)
        with contextlib.suppress(Exception):  # See `read_exif`.
            start = len(TIFF_HEADER)
            header = TIFF_HEADER[:4] + struct.pack("<L", start)
            encoded = b"Exif\0\0" + header + encode_directory(values, start)
            if most is None or len(encoded) <= most:
                return encoded
    return None
