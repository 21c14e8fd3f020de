"""Metadata of a picture: colour profile, EXIF and dots per inch."""

import contextlib
import dataclasses
from pathlib import Path

from PIL import Image, TiffImagePlugin

from console.progress import warn
from imaging import colour_profiles
from imaging.chunks import Chunk, read_chunks

EXIF_IFDS = _EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXIF_WIDTH, _EXIF_HEIGHT, _MAKER_NOTE = 0xA002, 0xA003, 0x927C
_MOST_DPI = 65_535
# Bytes at a file's beginning that contain the header of an AVIF.
_HEADER = 1 << 16
# The header of little-endian TIFF and EXIF.
TIFF_HEADER = b"II*\0\0\0\0\0"
# Tags with which people and cameras describe a picture. The other tags in the first
# part of EXIF describe the file (in a TIFF also the location of its pixels), the
# thumbnail, or the orientation, which no longer holds for the upright picture.
TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
# Tags of Windows.
BYTE_TAGS = tuple(range(0x9C9B, 0x9CA0))
_KEPT_TAGS = (*TEXT_TAGS, *BYTE_TAGS)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Metadata that is copied to an enlarged picture.

    Attributes:
        icc_profile: The colour profile, or one of what the file says of its colours
            otherwise; None for sRGB.
        exif: The EXIF without orientation and thumbnail; None for none.
        dpi: Horizontal and vertical dots per inch; None if the file does not give them.
        chunks: Further chunks of a PNG: its colours, and the proportions of its pixels.
    """

    icc_profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[Chunk, ...] = ()

    def tells_hdr(self) -> bool:
        """Whether the picture is brighter than white somewhere, by its chunks."""
        codes = colour_profiles.find_cicp(dict(self.chunks))
        return bool(codes) and codes[1] in (colour_profiles.PQ, colour_profiles.HLG)

    def fit(self, size: tuple[int, int], colours: int) -> "Metadata":
        """Returns the metadata of a file with a picture of another size.

        Args:
            size: (height, width) of the picture.
            colours: Channels of the file without alpha: 1 or 3.
        """
        height, width = size
        ifd = {} if self.exif is None else self.exif.get_ifd(_EXIF_IFD)
        for tag, length in ((_EXIF_WIDTH, width), (_EXIF_HEIGHT, height)):
            if tag in ifd:
                ifd[tag] = length
        profile = colour_profiles.to_channels(self.icc_profile, colours)
        return dataclasses.replace(self, icc_profile=profile)

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
    image: Image.Image,
    colours: int,
    exif: Image.Exif | None = None,
    path: Path | str | None = None,
) -> Metadata:
    """Reads the metadata of a loaded image; damaged parts are left out.

    Args:
        image: The image.
        colours: Channels of the decoded pixels, without alpha: 1 or 3.
        exif: As returned by `read_exif`; None reads it.
        path: The image's file; None for none, which has no chunks.
    """
    profile = image.info.get("icc_profile") or None
    if not isinstance(profile, bytes) or image.mode == "CMYK":  # Which is converted.
        profile = None
    if colours == 3 and profile and profile[16:20] == b"GRAY":
        warn(f"{path}: has a colour profile of grey, which no program applies.")
        profile = None
    chunks = _read_colours(image, path)
    if profile is None or b"cICP" in chunks:
        profile = colour_profiles.make_profile(chunks, colours)
    profile = colour_profiles.to_channels(profile, colours)
    chunks = chunks or colour_profiles.find_hdr(profile)
    exif = exif or read_exif(image)
    return Metadata(profile, exif, _read_dpi(image), tuple(chunks.items()))


def _read_colours(image, path):
    """Reads what a file says of its colours beside a profile, as chunks of a PNG."""
    if image.format == "PNG" and path is not None:
        kinds = (*colour_profiles.CHUNKS, b"pHYs")
        chunks = dict(read_chunks(path, kinds))
        if chunks.get(b"pHYs", b"\1")[-1]:  # Of dots per metre, not of proportions.
            chunks.pop(b"pHYs", None)
        return chunks
    codes = image.info.get("nclx_profile")
    if codes:
        pair = codes["color_primaries"], codes["transfer_characteristics"]
    elif image.format == "AVIF" and path is not None:
        with open(path, "rb") as file:
            header = file.read(_HEADER)
        place = header.find(b"colrnclx") + 8
        pair = tuple(header[place + 1 : place + 4 : 2]) if place >= 8 else ()
    else:
        return {}
    has_profile = bool(image.info.get("icc_profile"))
    return {} if has_profile or len(pair) < 2 else {b"cICP": bytes([*pair, 0, 1])}


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
