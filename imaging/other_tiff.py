"""TIFFs that Pillow and OpenCV do not read: rewritten as ordinary ones, in memory.

tifffile reads them, with imagecodecs for most compressions: ZSTD, LZMA, WebP and others
at 16 bits, floats, odd depths, CMYK with alpha, and a large page behind a thumbnail.
"""

import contextlib
import io
import logging
import types
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from console.errors import InputError
from imaging import tiff
from imaging.colour import cmyk_to_rgb
from imaging.colour_profiles import to_channels
from imaging.depth import divide_by_alpha
from imaging.dihedral import UPRIGHT, transform
from imaging.exif import EXIF_IFDS, read_exif
from imaging.limits import check_size
from imaging.metadata import Metadata
from imaging.tiff_pages import list_pages, walk_pages

# Our errors report damaged files.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS, _COMPRESSION, _FORMAT = 258, 259, 339
_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG = 254, 262, 330, 50706
_CMYK, _SIGNED, _MOST = 5, 2, 65535
_CR2 = 8, b"CR"
_ORIENTATION, _RESOLUTION, _FLOAT = 274, 282, 3
UNNAMED_BANDS = "has bands beside its colours without a meaning; they are left out"
# Compressions of 16 bits that OpenCV decodes, and one that Pillow does not.
_KNOWN_DEEP, _WEBP = (1, 5, 8, 32773, 32946), 50001
# A first page with so many times fewer pixels than another is a thumbnail.
_THUMBNAIL = 4
# Beyond the range of 0 to 1, as filters leave them, floats are clipped.
_OVERSHOOT = 0.1
# Satellites take some hundreds.
_MOST_BANDS = 1000


def _rewound(path, content):
    """Returns the content at its beginning, or the path if there is none."""
    if content is not None:
        content.seek(0)
    return path if content is None else content


def _raw(path):
    return InputError(
        f"{path}: is a raw photograph; develop it to TIFF or JPEG, for example with "
        "darktable."
    )


def is_tiff(path: Path | str) -> bool:
    """Whether a file begins like a TIFF."""
    with open(path, "rb") as file:
        return file.read(4) in _BEGINNINGS


def is_other(
    image: Image.Image, path: Path | str, content: io.BytesIO | None = None
) -> bool:
    """Whether a TIFF that Pillow has opened is one that it does not decode.

    Raises:
        InputError: It is a raw photograph with a small picture in front.
    """
    tags = image.tag_v2  # type: ignore[attr-defined]
    file = image.fp  # type: ignore[attr-defined]
    file.seek(_CR2[0])
    is_cr2 = file.read(2) == _CR2[1]
    if is_cr2 or _DNG in tags or (tags.get(_SUBFILE) == 1 and _SUB_IFDS in tags):
        raise _raw(path)
    bits, compression = tags.get(_BITS, (1,)), tags.get(_COMPRESSION, 1)
    if compression == _WEBP or (16 in bits and compression not in _KNOWN_DEEP):
        return True
    if {_FLOAT, _SIGNED} & set(tags.get(_FORMAT, ())) or {12, 32} & set(bits):
        return True
    if tags.get(_PHOTOMETRIC) == _CMYK and 16 in bits:
        return True
    if getattr(image, "n_frames", 1) == 1:
        return False
    with tifffile.TiffFile(_rewound(path, content)) as file:
        return _choose_page(file).index > 0


def _choose_page(file):
    """Returns the first page; the largest if the first is a thumbnail of it."""
    pages = [page.keyframe for page in walk_pages(file)]
    sizes = [page.imagewidth * page.imagelength for page in pages]
    largest = int(np.argmax(sizes))
    return file.pages[largest if sizes[largest] >= _THUMBNAIL * sizes[0] else 0]


def rewrite_tiff(
    path: Path | str, content: io.BytesIO | None = None
) -> tuple[bytes, list[str]]:
    """Decodes a TIFF, or `content` in its place, and encodes it without compression.

    Returns:
        The content of a TIFF of 8 or 16 bits: grey or RGB, with alpha if it had some;
        upright, with its profile, EXIF and resolution. And what is left out, for
        messages.

    Raises:
        InputError: The picture is too large, its pixels are not those of a picture, or
            imagecodecs is missing.
    """
    with tifffile.TiffFile(_rewound(path, content)) as file:
        page = _choose_page(file)
        check_size(path, page.imagewidth, page.imagelength)
        if page.samplesperpixel > _MOST_BANDS:
            raise InputError(
                f"{path}: has {page.samplesperpixel} bands, more than a picture."
            )
        pixels = _to_whole_numbers(_decode(page, path), page.bitspersample, path)
        profile, left_out = page.iccprofile, _find_left_out(page, file)
        is_cmyk = page.photometric == tifffile.PHOTOMETRIC.SEPARATED
        if is_cmyk and pixels.dtype == np.uint16:
            pixels = ((pixels + np.uint32(128)) // 257).astype(np.uint8)
            left_out.append("has CMYK of 16 bits, which becomes RGB of 8")
        pixels = _to_colours(pixels, page, profile, path)
        upright = UPRIGHT.get(int(page.tags.valueof(_ORIENTATION, 1)), UPRIGHT[1])
        dpi = _read_dpi(page)
    if pixels.shape[-1] == 2 and pixels.dtype == np.uint16:  # Pillow cannot read it.
        pixels, profile = pixels[..., [0, 0, 0, 1]], to_channels(profile, 3)
    metadata = Metadata(None if is_cmyk else profile, _read_exif(path, content), dpi)
    rewritten = io.BytesIO()
    pixels = np.ascontiguousarray(transform(pixels, upright))
    tiff.write(rewritten, pixels, metadata, compression=None)
    return rewritten.getvalue(), left_out


def _read_dpi(page):
    with contextlib.suppress(ValueError, TypeError, ZeroDivisionError):
        return page.get_resolution("INCH") if _RESOLUTION in page.tags else None


def _find_left_out(page, file):
    left_out = [UNNAMED_BANDS] if 0 in page.extrasamples else []
    if len(pages := list_pages(file)) > 1:
        which = "largest" if page.index else "first"
        told = f"has {len(pages)} pages or frames; only the {which} is used"
        left_out.append(f"{told} (--all_pages takes each)")
    return left_out


def _decode(page, path):
    """Returns the pixels of a page, (H, W, C)."""
    try:
        pixels = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        kind = page.compression.name
        raise InputError(
            f"{path}: is a TIFF compressed by {kind}; to read it, install imagecodecs "
            "(python -m pip install imagecodecs)."
        ) from None
    if pixels.ndim == 2:
        return pixels[..., None]
    is_apart = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    return np.moveaxis(pixels, 0, -1) if is_apart else pixels


def _to_whole_numbers(pixels, bits, path):
    """Returns uint8 up to 8 bits, and uint16 otherwise, over their whole range."""
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):
            raise InputError(
                f"{path}: has floats from {low:g} to {high:g}; expected 0 to 1. Scale "
                "them, for example with ImageJ."
            )
        scaled = np.clip(pixels.astype(np.float32), 0, 1) * np.float32(65535)
        return np.rint(scaled).astype(np.uint16)
    if pixels.dtype == bool:
        return pixels * np.uint8(255)
    if pixels.dtype not in (np.uint8, np.uint16):
        low, high = pixels.min(), pixels.max()
        if pixels.dtype.kind not in "iu" or low < 0 or high > _MOST:
            raise InputError(
                f"{path}: has numbers of the type {pixels.dtype}, {low} to {high}; "
                f"expected whole numbers from 0 to {_MOST}. Scale them to 16 bits, for "
                "example with ImageJ."
            )
        return pixels.astype(np.uint8 if pixels.itemsize == 1 else np.uint16)
    if bits in (8, 16):
        return pixels
    factor = np.iinfo(pixels.dtype).max / (2**bits - 1)
    return np.rint(pixels.astype(np.float32) * np.float32(factor)).astype(pixels.dtype)


def _to_colours(pixels, page, profile, path):
    """Returns grey or RGB, followed by alpha if there is any."""
    kinds = tifffile.PHOTOMETRIC
    counts = {
        kinds.MINISWHITE: 1,
        kinds.MINISBLACK: 1,
        kinds.RGB: 3,
        kinds.SEPARATED: 4,
    }
    count = counts.get(page.photometric)
    if page.photometric == kinds.PALETTE and pixels.shape[-1] == 1:
        table = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
        return table[pixels[..., 0]]
    if page.photometric in (kinds.CFA, kinds.LINEAR_RAW):
        raise _raw(path)
    if count is None or pixels.shape[-1] < count:
        raise InputError(
            f"{path}: is a TIFF with colours of the kind {page.photometric.name}, of "
            f"the type {pixels.dtype}; save it as RGB, for example with GIMP."
        )
    colours = pixels[..., :count]
    if count == 4:
        image = Image.fromarray(np.ascontiguousarray(colours), "CMYK")
        if profile:
            image.info["icc_profile"] = profile
        colours = np.asarray(cmyk_to_rgb(image))
    elif page.photometric == kinds.MINISWHITE:
        colours = np.iinfo(pixels.dtype).max - colours
    meaning = page.extrasamples[0] if page.extrasamples else None
    if pixels.shape[-1] == count or not meaning:
        return colours
    alpha = pixels[..., count : count + 1]
    if meaning == tifffile.EXTRASAMPLE.ASSOCALPHA:
        colours = divide_by_alpha(colours, alpha)
    return np.concatenate([colours, alpha], -1)


def _read_exif(path, content):
    """Reads the EXIF of a file that Pillow may not open; None for none."""

    def load():
        exif = Image.Exif()
        with contextlib.nullcontext(content) if content else open(path, "rb") as file:
            file.seek(0)
            exif.load_from_fp(file)
            for ifd in EXIF_IFDS:  # While the file is open.
                exif.get_ifd(ifd)
        return exif

    return read_exif(types.SimpleNamespace(getexif=load))  # type: ignore[arg-type]
