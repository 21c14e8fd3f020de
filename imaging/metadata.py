"""What a picture carries besides its pixels: colour profile, EXIF, dots an inch."""

import dataclasses
import struct

from PIL import Image

EXIF_IFDS = _EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXIF_WIDTH, _EXIF_HEIGHT = 0xA002, 0xA003
# What people and cameras write of a picture as a whole. All else in the first part of
# EXIF is how the file is made (in a TIFF also where its pixels lie), the thumbnail, or
# the orientation, which is done with once the picture is upright.
_KEPT_TAGS = (
    *(0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298),
    *range(0x9C9B, 0x9CA0),
)
# Where an ICC profile names its colours, and how many channels these have.
_COLOURS = slice(16, 20)
_CHANNELS = {b"GRAY": 1, b"RGB ": 3}


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What travels along when a picture is enlarged.

    Attributes:
        icc_profile: bytes; None for none.
        exif: `PIL.Image.Exif` without orientation and thumbnail; None for none.
        dpi: Dots an inch, across and down; None where the file does not say.
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

    def exif_bytes(self):
        """The EXIF as a file holds it; None for none."""
        try:
            return self.exif and self.exif.tobytes()
        except (ValueError, TypeError, struct.error):  # Values of a type of their own.
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
    if profile and (is_converted or _CHANNELS.get(profile[_COLOURS]) != colours):
        profile = None
    dpi = image.info.get("dpi")
    exif = exif or read_exif(image)
    return Metadata(profile, exif, tuple(dpi) if dpi else None)


def read_exif(image):
    """Reads what of the EXIF travels along; None for none.

    Of a TIFF it can be read before the pixels only, of a PNG all of it after them only.
    """
    try:
        there = image.getexif()
        kept = Image.Exif()
        for tag in _KEPT_TAGS:
            if tag in there:
                kept[tag] = there[tag]
        inner = [kept.get_ifd(ifd) for ifd in EXIF_IFDS]
        for ours, ifd in zip(inner, EXIF_IFDS, strict=True):
            ours.update(there.get_ifd(ifd))
        return kept if len(kept) or any(inner) else None
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, struct.error):
        return None
