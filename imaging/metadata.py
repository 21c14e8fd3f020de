"""Metadata of a picture: colour profile, EXIF, XMP, IPTC, text and dots per inch."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from console.progress import warn
from imaging import colour_profiles
from imaging.chunks import TEXTS, Chunk, make_text, read_chunks, read_text
from imaging.exif import (
    GEO,
    IPTC,
    SOFTWARE,
    XMP,
    copy_exif,
    find_text,
    fit_exif,
    read_exif,
)
from imaging.plugins import JXL, find_jxl_box
from imaging.stale import fit_geo, fit_xmp

_MOST_DPI = 65_535
_CHUNKS = {*colour_profiles.CHUNKS, b"pHYs", *TEXTS}
# Bytes at a file's beginning that contain the header of an AVIF.
_HEADER = 1 << 16
# Number of IPTC among Photoshop's resources, and Pillow's formats with comments.
_IPTC_RESOURCE = 0x0404
_COMMENTED = ("JPEG", "MPO", "GIF", "JPEG2000")
# What is in XMP about pictures beside the first one of a file, and its name.
_COMPANIONS_IN_XMP = {
    b"hdrgm:Version": "an HDR gain map",
    b"HDRGainMap": "an HDR gain map",
    b"MotionPhoto": "a video",
    b"MicroVideo": "a video",
}
# Parts of the names of auxiliary pictures in a HEIC, and how they are called here.
_IN_HEIC = {"hdrgainmap": "an HDR gain map", "depth": "depth", "matte": "mattes"}
_MP_ENTRIES, _PREVIEW = 0xB002, "Large Thumbnail"


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Metadata that is copied to an enlarged picture; None for what a file lacks.

    Attributes:
        icc_profile: The colour profile, or one of what the file says of its colours
            otherwise; None for sRGB.
        exif: The EXIF without orientation and thumbnail.
        dpi: Horizontal and vertical dots per inch.
        chunks: Further chunks of a PNG: its colours, and the proportions of its pixels.
        texts: Text as chunks of a PNG: its own, or a comment.
        xmp: The XMP.
        iptc: The records of IPTC.
        geo: Values of a GeoTIFF's tags.
        size: (height, width) of the picture that it describes; None if unknown.
    """

    icc_profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[Chunk, ...] = ()
    texts: tuple[Chunk, ...] = ()
    xmp: bytes | None = None
    iptc: bytes | None = None
    geo: Mapping[int, Any] = dataclasses.field(default_factory=dict)
    size: tuple[int, int] | None = None

    def tells_hdr(self) -> bool:
        """Whether the picture is brighter than white somewhere, by its chunks."""
        codes = colour_profiles.find_cicp(dict(self.chunks))
        return bool(codes) and codes[1] in (colour_profiles.PQ, colour_profiles.HLG)

    def fit(self, size: tuple[int, int], colours: int) -> "Metadata":
        """Returns the metadata of a result of (height, width) and 1 or 3 colours."""
        old = self.size or size
        scales = size[0] / old[0], size[1] / old[1]
        return dataclasses.replace(
            self,
            icc_profile=colour_profiles.to_channels(self.icc_profile, colours),
            exif=fit_exif(self.exif, size, scales),
            xmp=self.xmp and fit_xmp(self.xmp, size, scales),
            geo=fit_geo(self.geo, scales),
            size=size,
        )

    def strip(self) -> "Metadata":
        """Returns what tells the colours, without all that tells anything else."""
        return Metadata(self.icc_profile, chunks=self.chunks, size=self.size)

    def mark(self, maker: str) -> "Metadata":
        """Adds a program, and what it did, to the EXIF's software."""
        exif = copy_exif(self.exif)
        both = find_text(exif, SOFTWARE), maker.encode()
        exif[SOFTWARE] = b"; ".join(filter(None, both))
        return dataclasses.replace(self, exif=exif)


def read_metadata(
    image: Image.Image, path: Path | str, pixels: np.ndarray, exif: Image.Exif | None
) -> Metadata:
    """Reads the metadata of a loaded image; damaged parts are left out.

    `pixels` are upright, without alpha; `exif` is None if it is not read yet.
    """
    size, colours = pixels.shape[:2], pixels.shape[-1]
    profile = image.info.get("icc_profile") or None
    if not isinstance(profile, bytes) or image.mode == "CMYK":  # Which is converted.
        profile = None
    is_grey = image.mode in ("L", "LA", "I;16")  # Frames of an animation become RGB.
    if colours == 3 and profile and profile[16:20] == b"GRAY" and not is_grey:
        warn(f"{path}: has a colour profile of grey, which no program applies.")
        profile = None
    there = read_chunks(path, _CHUNKS)
    chunks = _find_colours(image, path, there)
    if profile is None or b"cICP" in chunks:
        profile = colour_profiles.make_profile(chunks, colours)
    fitting = colour_profiles.to_channels(profile, colours)
    if profile and fitting is None:
        warn(f"{path}: has a colour profile that is damaged or does not fit; left out.")
    profile = fitting
    chunks = chunks or colour_profiles.find_hdr(profile)
    exif = exif or read_exif(image)
    geo = {tag: exif.pop(tag) for tag in GEO if tag in (exif or ())}
    try:
        fit_geo(geo, (1, 1))
    except (ValueError, TypeError):
        geo = {}
    texts, xmp, iptc = _find_texts(image, path, there)
    tags = {tag: exif.pop(tag) for tag in (XMP, IPTC) if tag in (exif or ())}
    if IPTC in tags:
        iptc = _read_tiff_iptc(path)
    return Metadata(
        *(profile, exif, _read_dpi(image), tuple(chunks.items()), texts),
        xmp=_to_bytes(xmp or tags.get(XMP)),
        iptc=_to_bytes(iptc),
        geo=geo,
        size=size,
    )


def _to_bytes(value):
    return value if isinstance(value, bytes) and value else None


def _read_tiff_iptc(path):
    """Reads the bytes of a tag that many programs declare as long integers."""
    with contextlib.suppress(Exception), tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[IPTC]  # type: ignore[union-attr]
        file.filehandle.seek(tag.valueoffset)
        return file.filehandle.read(tag.count * (4 if tag.dtype == 4 else 1))
    return None


def _find_texts(image, path, chunks):
    """Returns texts or a comment, XMP and IPTC."""
    info, texts = image.info, []
    xmp, iptc = info.get("xmp"), (info.get("photoshop") or {}).get(_IPTC_RESOURCE)
    if image.format == "PNG":
        texts = [chunk for chunk in chunks if chunk[0] in TEXTS]
        known = dict(filter(None, map(read_text, texts)))
        xmp = known.get("XML:com.adobe.xmp", "").encode() or None
        with contextlib.suppress(ValueError):  # As ImageMagick and ExifTool write it.
            code = known.get("Raw profile type iptc", "").split()[2:]
            block = bytes.fromhex("".join(code))
            place = block.find(b"8BIM\4\4") + 12
            iptc = (block[place:] if place >= 12 else block) or None
        others = b"XML:com.adobe.xmp", b"Raw profile type"
        texts = [chunk for chunk in texts if not chunk[1].startswith(others)]
    elif image.format == JXL:
        xmp = find_jxl_box(path, b"xml ")
    elif image.format in _COMMENTED and isinstance(info.get("comment"), bytes):
        text = info["comment"].rstrip(b"\0").decode("utf-8", "replace")
        texts = [make_text("Comment", text)] if text else []
    return tuple(texts), xmp, iptc


def _find_colours(image, path, chunks):
    """Returns what a file says of its colours beside a profile, as chunks of a PNG."""
    if image.format == "PNG":
        chunks = {kind: data for kind, data in chunks if kind not in TEXTS}
        if chunks.get(b"pHYs", b"\1")[-1]:  # Of dots per metre, not of proportions.
            chunks.pop(b"pHYs", None)
        return chunks
    codes = image.info.get("nclx_profile")
    if codes:
        pair = codes["color_primaries"], codes["transfer_characteristics"]
    elif image.format == "AVIF":
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


def find_companions(image: Image.Image, xmp: bytes | None) -> list[str]:
    """Names what a file holds beside its first picture, previews excepted.

    `xmp` is that of the file. Returns for example `["an HDR gain map"]`.
    """
    found = [name for key, name in _COMPANIONS_IN_XMP.items() if key in (xmp or b"")]
    for kind in image.info.get("aux", {}):
        names = [name for key, name in _IN_HEIC.items() if key in kind.lower()]
        found += names or ["an auxiliary picture"]
    found += ["depth"] * bool(image.info.get("depth_images"))
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, [])
    kinds = [str(entry["Attribute"]["MPType"]) for entry in entries[1:]]
    if not found and any(_PREVIEW not in kind for kind in kinds):
        found.append(f"{len(kinds)} more pictures" if kinds[1:] else "a second picture")
    return sorted(set(found))
