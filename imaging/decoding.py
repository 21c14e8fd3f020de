"""Decodes image files without conversion: grey or colour, alpha, 8 or 16 bits.

`imaging.files` converts the pixels to RGB for training; `imaging.pictures` also keeps
alpha and metadata.
"""

import contextlib
import ctypes
import io
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from console.errors import InputError
from console.file_types import AVIF, EMPTY, HEIC, JPEG, JPEG_XL, PNG, tell_misfit
from console.progress import warn
from imaging.colour import cmyk_to_rgb
from imaging.depth import (
    decode_deep,
    decode_scaled,
    find_most,
    has_bit_of_alpha,
    has_unspecified_band,
    too_deep,
)
from imaging.dihedral import UPRIGHT, transform
from imaging.kinds import KINDS
from imaging.limits import check_size, too_large
from imaging.mending import find_slight_damage, load_damaged, mend_png
from imaging.other_tiff import UNNAMED_BANDS, is_other, is_tiff, rewrite_tiff
from imaging.plugins import HEIF, JXL, open_plugin
from imaging.tiff_pages import cut_page

# Our errors already report damaged files; Pillow's log would repeat them.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# Pillow's libtiff writes to stderr what our errors say. Wheels for Windows have none.
_packages = Path(PIL.__file__).parents[1]
for _pattern in ("pillow.libs/libtiff*", "PIL/.dylibs/libtiff*"):
    for _library in _packages.glob(_pattern):
        ctypes.CDLL(str(_library)).TIFFSetErrorHandler(None)

FORMATS = [kind.name for kind in KINDS]

# Warnings of odd metadata and large pictures do not help users. `catch_warnings` is not
# safe in threads: it may silence all warnings for good.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Files that are damaged if they cannot be opened.
_READ = PNG, JPEG, AVIF, HEIC, JPEG_XL
# In the information of an image that was rewritten: what was left out, for messages.
_LEFT_OUT = "left out"
_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_EXTRA = 256, 257, 258, 338

# Conversions of Pillow's modes of 8 bits.
_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
_MODES |= {"P": "RGB", "YCbCr": "RGB"}
_KEPT = ("L", "LA", "RGB", "RGBA")


@contextlib.contextmanager
def opened(path: Path | str, page: int | None = None) -> Iterator[Image.Image]:
    """Opens a file with Pillow, which reads only its header.

    Args:
        path: The file.
        page: Index of a TIFF's page; None for the first, or the largest behind its
            thumbnail.

    Raises:
        InputError: The file is not an image, or may not be read.
    """
    with contextlib.ExitStack() as stack:
        with damage_told(path, "is not an image that can be read", (*_READ, EMPTY)):
            try:
                # Given a name, Pillow maps some TIFFs into memory and scrambles them if
                # their orientation exchanges rows and columns.
                file = stack.enter_context(open(path, "rb"))
                image = stack.enter_context(_open(file, path, page))
            except FileNotFoundError:
                raise InputError(f"{path}: {_say_missing(Path(path))}.") from None
            except PermissionError:
                raise InputError(
                    f"{path}: is not readable; change its permissions or remove it."
                ) from None
        check_size(path, *image.size)
        yield image


def _open(file, path, page):
    """Opens a file with Pillow; unusual TIFFs and slightly damaged PNGs, rewritten."""
    left_out: list[str] = []
    cut = None if page is None else cut_page(path, page)
    try:
        image = Image.open(cut or file, formats=FORMATS)
        if not isinstance(image, TiffImageFile) or not is_other(image, path, cut):
            return image
        content, left_out = rewrite_tiff(path, cut)
    except InputError:
        raise
    except (SyntaxError, OSError, ValueError):
        if is_tiff(path):
            content, left_out = rewrite_tiff(path, cut)
        elif image := open_plugin(file, path):
            return image
        elif (mended := mend_png(path)) is None:
            raise
        else:
            content = mended
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    image.info[_LEFT_OUT] = left_out
    return image


def _say_missing(path):
    if path.is_symlink():
        target = os.readlink(path)
        return f"is a link to {target}, which does not exist; correct or remove it"
    return "no such file"


def read_size(path: Path | str, page: int | None = None) -> tuple[int, int]:
    """Reads the height and width of the upright picture from the file's header.

    For `page`, and what it raises, see `opened`.
    """
    with opened(path, page) as image, damage_told(path):
        width, height = image.size
        if isinstance(image, TiffImageFile):
            # Some versions of Pillow exchange the two themselves, others do not.
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
        exchanged, _, _ = UPRIGHT[_read_orientation(image)]
    return (width, height) if exchanged else (height, width)


def decode(
    image: Image.Image, path: Path | str, to_the_end: bool = False
) -> np.ndarray:
    """Decodes an image, as yielded by `opened`, and applies its EXIF orientation.

    `to_the_end` is whether to apply an orientation that a PNG stores behind its
    pixels; `read_size` does not see it.

    Returns:
        uint8 or uint16 (H, W, C), C-contiguous: grey, grey and alpha, RGB, or RGB and
        alpha; alpha is not multiplied into the colours.

    Raises:
        InputError: The file is damaged or incomplete, or its format is not supported.
    """
    with damage_told(path):
        slight_damage = find_slight_damage(path)
        orientation = _read_orientation(image)
        # Read before loading: Pillow then forgets how the file stores its pixels.
        is_16bit, raw_mode = _is_deep(image), _find_raw_mode(image)
        most = find_most(image, path)
        file = getattr(image, "fp", None)
        rewritten = file.getvalue() if isinstance(file, io.BytesIO) else None
        tags = dict(image.tag_v2) if isinstance(image, TiffImageFile) else None
        try:
            if most == 255 or image.format != HEIF:  # Decoded once, by `decode_scaled`.
                image.load()
            loaded = image
            content = mend_png(path) if slight_damage else rewritten
        except OSError:
            if rewritten is not None:  # Of the file, this may be another page.
                raise
            loaded = load_damaged(path)
            slight_damage, content = [], None
        deep = None
        # Of a part of 16 bits, OpenCV decodes nothing.
        if is_16bit and loaded is image:
            colour = image.info.get("transparency")
            pixels = decode_deep(path, raw_mode, tags, colour, content)
        else:
            deep = decode_scaled(path, most, image.format) if most > 255 else None
            pixels = _decode_8_bits(loaded, path) if deep is None else deep
        if to_the_end and image.format == "PNG":
            orientation = loaded.getexif().get(_EXIF_ORIENTATION, 1)
        # Pillow and OpenCV already turn TIFFs.
        if image.format != "TIFF":
            pixels = transform(pixels, UPRIGHT.get(orientation, UPRIGHT[1]))
        lost = _find_lost(image, path, tags, reduced=most > 255 and deep is None)
    for text in (*slight_damage, *lost):
        warn(f"{path}: {text}.")
    return np.ascontiguousarray(pixels)


def _find_lost(image, path, tags, reduced):
    """Returns what of a picture is not decoded, for messages."""
    lost = list(image.info.get(_LEFT_OUT, ()))
    if reduced:
        lost.append("has more than 8 bits per channel, which are reduced to 8")
    bands = len((tags or {}).get(_TIFF_EXTRA, ()))
    if bands and (bands > 1 or has_unspecified_band(tags)):
        lost.append(UNNAMED_BANDS)
    if image.format == "BMP" and has_bit_of_alpha(path):
        lost.append("has one bit of transparency, which is left out")
    return lost


@contextlib.contextmanager
def damage_told(
    path: Path | str, reason: str = "is truncated or damaged", types: Iterable[str] = ()
) -> Iterator[None]:
    """Converts the exceptions of decoders for a damaged file to `InputError`.

    A file of a type other than `types` is called by its type.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise too_large(path) from None
    except Exception:  # Decoders raise almost any type for a damaged file.
        if types and (foreign := tell_misfit(path, "", *types)):
            raise InputError(f"{path}: {foreign}.") from None
        size = 0  # If the size cannot be read.
        with contextlib.suppress(OSError):
            size = Path(path).stat().st_size
        reason = reason if size else "is empty"
        raise InputError(
            f"{path}: {reason} ({size} bytes); replace or remove it."
        ) from None


def _read_orientation(image):
    """Reads the EXIF orientation, 1 to 8, from the header before the pixels."""
    # Without EXIF in the header, `getexif` would decode the whole PNG.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    if image.format == JXL:  # Its decoder turns the pixels, whatever the EXIF says.
        return 1
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    return orientation if orientation in UPRIGHT else 1


def _find_raw_mode(image):
    """Finds Pillow's raw mode of an image that is not loaded yet."""
    arguments = image.tile[0][3] if image.tile else ""
    if not arguments:
        return ""
    return arguments if isinstance(arguments, str) else arguments[0]


def _is_deep(image):
    """Whether an image that is not loaded yet has 16 bits per channel."""
    if image.format == "TIFF":
        return 16 in image.tag_v2.get(_TIFF_BITS, ())
    return image.format == "PNG" and ";16" in _find_raw_mode(image)


def _decode_8_bits(image, path):
    """Returns the pixels of a loaded image, uint8 (H, W, C)."""
    if image.mode[0] in "IF":  # Pillow would clip wide integers and floats.
        raise too_deep(path)
    mode = _MODES.get(image.mode, image.mode)
    if "transparency" in image.info and "A" not in mode:
        # Conversion to RGBA keeps the RGB of a palette's transparent colours.
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., [0, 3]] if mode == "L" else rgba
    if mode == "CMYK":
        image = cmyk_to_rgb(image)
    elif mode != image.mode or mode not in _KEPT:
        image = image.convert(mode if mode in _KEPT else "RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
