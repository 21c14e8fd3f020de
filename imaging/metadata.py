"""Metadata of a picture: colour profile, EXIF and dots per inch."""

import contextlib
import dataclasses

from PIL import Image, TiffImagePlugin

EXIF_IFDS = _EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXIF_WIDTH, _EXIF_HEIGHT, _MAKER_NOTE = 0xA002, 0xA003, 0x927C
_MOST_DPI = 65_535
# The header of little-endian TIFF and EXIF.
TIFF_HEADER = b"II*\0\0\0\0\0"
# Tags with which people and cameras describe a picture. The other tags in the first
# part of EXIF describe the file (in a TIFF also the location of its pixels), the
# thumbnail, or the orientation, which no longer holds for the upright picture.
TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
# Tags of Windows.
BYTE_TAGS = tuple(range(0x9C9B, 0x9CA0))
_KEPT_TAGS = (*TEXT_TAGS, *BYTE_TAGS)
# Position of an ICC profile's colour space, and its number of channels.
_COLOURS = slice(16, 20)
_CHANNELS = {b"GRAY": 1, b"RGB ": 3}


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Metadata that is copied to an enlarged picture.

    Attributes:
        icc_profile: The colour profile; None for none.
        exif: The EXIF without orientation and thumbnail; None for none.
        dpi: Horizontal and vertical dots per inch; None if the file does not give them.
    """

    icc_profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple[float, float] | None = None

    def tell_size(self, height: int, width: int) -> None:
        """Updates the size in the EXIF, if the EXIF has one."""
        ifd = {} if self.exif is None else self.exif.get_ifd(_EXIF_IFD)
        for tag, length in ((_EXIF_WIDTH, width), (_EXIF_HEIGHT, height)):
            if tag in ifd:
                ifd[tag] = length

    def exif_bytes(self, most: int | None = None) -> bytes | None:
        """Encodes the EXIF for a file.

        Args:
            most: Limit in bytes; None for no limit. Longer EXIF loses its maker note,
                which is opaque and often large.

        Returns:
            The encoded EXIF; None if there is none or it cannot be written.
        """
        if self.exif is None:
            return None
        for without in ((), (_MAKER_NOTE,)):
            for tag in without:
                self.exif.get_ifd(_EXIF_IFD).pop(tag, None)
            with contextlib.suppress(Exception):  # See `read_exif`.
                encoded = self.exif.tobytes()
                if most is None or len(encoded) <= most:
                    return encoded
        return None


def read_metadata(
    image: Image.Image, colours: int, exif: Image.Exif | None = None
) -> Metadata:
    """Reads the metadata of a loaded image; damaged parts are left out.

    Args:
        image: The image.
        colours: Channels of the decoded pixels, without alpha: 1 or 3.
        exif: As returned by `read_exif`; None reads it.
    """
    profile = image.info.get("icc_profile") or None
    is_converted = image.mode == "CMYK"
    if not isinstance(profile, bytes):
        profile = None
    if profile and (is_converted or _CHANNELS.get(profile[_COLOURS]) != colours):
        profile = None
    exif = exif or read_exif(image)
    return Metadata(profile, exif, _read_dpi(image))


def _read_dpi(image):
    """Reads dots per inch, if plausible: Pillow gives 1 for a TIFF without them."""
    with contextlib.suppress(ValueError, TypeError, ZeroDivisionError):
        across, down = map(float, image.info.get("dpi", ()))
        if 1 < across < _MOST_DPI and 1 < down < _MOST_DPI:
            return across, down
    return None


def read_exif(image: Image.Image) -> Image.Exif | None:
    """Reads the EXIF that is copied to an enlarged picture; None for none.

    A TIFF's EXIF can be read only before the pixels, a PNG's whole EXIF only after.
    """
    try:
        there, kept = image.getexif(), Image.Exif()
        some = {tag: there[tag] for tag in _KEPT_TAGS if tag in there}
        kept.update(_copy_writable(some))
        for ifd in EXIF_IFDS:
            kept.get_ifd(ifd).update(_copy_writable(there.get_ifd(ifd), ifd))
    except MemoryError:
        raise
    except Exception:  # Damaged EXIF raises almost any type.
        return None
    return kept if len(kept) or any(map(kept.get_ifd, EXIF_IFDS)) else None


def _copy_writable(values, group=None):
    """Copies the tags that can be written again."""
    kept = {}
    for tag, value in values.items():
        if tag in TEXT_TAGS and isinstance(value, str):
            # Pillow decoded it as Latin-1, but would write ASCII only.
            value = value.encode("latin-1", "replace")
        part = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEADER, group=group)
        with contextlib.suppress(Exception):  # See `read_exif`.
            part[tag] = value
            part.tobytes(len(TIFF_HEADER))
            kept[tag] = value
    return kept
