"""What a picture carries besides its pixels: colour profile, EXIF, dots an inch."""

import contextlib
import dataclasses

from PIL import Image, TiffImagePlugin

EXIF_IFDS = _EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXIF_WIDTH, _EXIF_HEIGHT, _MAKER_NOTE = 0xA002, 0xA003, 0x927C
_MOST_DPI = 65_535
# Of a TIFF, and so of EXIF, whose numbers begin with their last byte.
TIFF_HEADER = b"II*\0\0\0\0\0"
# What people and cameras write of a picture as a whole. All else in the first part of
# EXIF is how the file is made (in a TIFF also where its pixels lie), the thumbnail, or
# the orientation, which is done with once the picture is upright.
TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
# Those of Windows.
BYTE_TAGS = tuple(range(0x9C9B, 0x9CA0))
_KEPT_TAGS = (*TEXT_TAGS, *BYTE_TAGS)
# Where an ICC profile names its colours, and how many channels these have.
_COLOURS = slice(16, 20)
_CHANNELS = {b"GRAY": 1, b"RGB ": 3}


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What travels along when a picture is enlarged.

    Attributes:
        icc_profile: bytes; None for none.
        exif: `PIL.Image.Exif` without orientation and thumbnail; None for none.
        dpi: Dots an inch, across and down, float; None where the file does not say.
    """

    icc_profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple | None = None

    def tell_size(self, height, width):
        """Writes another size to the EXIF, where it says one."""
        ifd = {} if self.exif is None else self.exif.get_ifd(_EXIF_IFD)
        for tag, length in ((_EXIF_WIDTH, width), (_EXIF_HEIGHT, height)):
            if tag in ifd:
                ifd[tag] = length

    def exif_bytes(self, most=None):
        """The EXIF as a file holds it.

        Args:
            most: Bytes that it may take; without its maker's notes, which are opaque
                and often large, it may be less. None for any number.

        Returns:
            bytes; None for none, or for one that cannot be written.
        """
        if self.exif is None:
            return None
        for without in ((), (_MAKER_NOTE,)):
            for tag in without:
                self.exif.get_ifd(_EXIF_IFD).pop(tag, None)
            with contextlib.suppress(Exception):  # As in `read_exif`.
                encoded = self.exif.tobytes()
                if most is None or len(encoded) <= most:
                    return encoded
        return None


def read_metadata(image, colours, exif=None):
    """Reads what is beside the pixels of an image of Pillow, once it is loaded.

    What is damaged is left out: no picture is lost for that.

    Args:
        image: The image.
        colours: Channels of the decoded pixels, without alpha: 1 or 3.
        exif: What `read_exif` returned; None reads it.

    Returns:
        Metadata.
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
    """Dots an inch, if they can be meant: Pillow says 1 where a TIFF says nothing."""
    with contextlib.suppress(ValueError, TypeError, ZeroDivisionError):
        across, down = map(float, image.info.get("dpi", ()))
        if 1 < across < _MOST_DPI and 1 < down < _MOST_DPI:
            return across, down
    return None


def read_exif(image):
    """Reads what of the EXIF travels along; None for none.

    Of a TIFF it can be read before the pixels only, of a PNG all of it after them only.
    """
    try:
        there, kept = image.getexif(), Image.Exif()
        some = {tag: there[tag] for tag in _KEPT_TAGS if tag in there}
        kept.update(_copy_writable(some))
        for ifd in EXIF_IFDS:
            kept.get_ifd(ifd).update(_copy_writable(there.get_ifd(ifd), ifd))
    except MemoryError:
        raise
    except Exception:  # There is hardly a kind that damaged EXIF does not raise.
        return None
    return kept if len(kept) or any(map(kept.get_ifd, EXIF_IFDS)) else None


def _copy_writable(values, group=None):
    """Copies those tags that can be written again."""
    kept = {}
    for tag, value in values.items():
        if tag in TEXT_TAGS and isinstance(value, str):
            # As which Pillow has read it, whatever it is; it would write ASCII only.
            value = value.encode("latin-1", "replace")
        part = TiffImagePlugin.ImageFileDirectory_v2(TIFF_HEADER, group=group)
        with contextlib.suppress(Exception):  # As above.
            part[tag] = value
            part.tobytes(len(TIFF_HEADER))
            kept[tag] = value
    return kept
