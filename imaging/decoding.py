"""Decodes image files without conversion: grey or colour, alpha, 8 or 16 bits.

`imaging.files` converts the pixels to RGB for training; `imaging.pictures` also keeps
alpha and metadata.
"""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from console.errors import InputError
from console.file_types import tell_foreign
from imaging.decoding_16bit import decode_deep, too_deep
from imaging.dihedral import UPRIGHT, transform
from imaging.limits import check_size

# `imaging.limits` checks the size in place of Pillow.
Image.MAX_IMAGE_PIXELS = None

# Our errors already report damaged files; Pillow's log would repeat them.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# Formats that are accepted, by Pillow's names, under any file name. Pillow runs some of
# its other formats as programs (PostScript, by Ghostscript).
FORMATS = (
    *("PNG", "JPEG", "TIFF", "BMP", "DIB", "WEBP", "GIF", "AVIF", "JPEG2000"),
    *("ICO", "ICNS", "TGA", "PPM", "PCX", "SGI", "PSD", "QOI"),
)

# Warnings of odd metadata and large pictures do not help users. `catch_warnings` is not
# safe in threads: it may silence all warnings for good.
warnings.filterwarnings("ignore", module=r"PIL\.")

_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS = 256, 257, 258

# Conversions of Pillow's modes of 8 bits.
_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
_MODES |= {"P": "RGB", "YCbCr": "RGB"}
_KEPT = ("L", "LA", "RGB", "RGBA")


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[Image.Image]:
    """Opens a file with Pillow, which reads only its header.

    Args:
        path: The file.

    Yields:
        The image, not loaded.

    Raises:
        InputError: The file is not an image, or may not be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            # Given a name, Pillow maps some TIFFs into memory and scrambles them if
            # their orientation exchanges rows and columns.
            file = stack.enter_context(open(path, "rb"))
            image = stack.enter_context(Image.open(file, formats=FORMATS))
        except FileNotFoundError:
            raise InputError(f"{path}: {_say_missing(Path(path))}.") from None
        except PermissionError:
            raise InputError(
                f"{path}: is not readable; change its permissions or remove it."
            ) from None
        except MemoryError:
            raise
        except Exception:  # See `damage_told`.
            foreign = tell_foreign(path)
            if foreign:
                raise InputError(f"{path}: {foreign}.") from None
            raise _damaged(path, "is not an image that can be read") from None
        check_size(path, *image.size)
        yield image


def _say_missing(path):
    if path.is_symlink():
        target = os.readlink(path)
        return f"is a link to {target}, which does not exist; correct or remove it"
    return "no such file"


def find_size(image: Image.Image, path: Path | str) -> tuple[int, int]:
    """Finds the upright height and width of an image that is not loaded yet.

    Args:
        image: As yielded by `opened`.
        path: The image's file.

    Raises:
        InputError: The file is damaged.
    """
    with damage_told(path):
        width, height = image.size
        if isinstance(image, TiffImageFile):
            # Some versions of Pillow exchange the two themselves, others do not.
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
        exchanged, _, _ = UPRIGHT[_read_orientation(image)]
    return (width, height) if exchanged else (height, width)


def decode(
    image: Image.Image, path: Path | str, to_the_end: bool = False
) -> np.ndarray:
    """Decodes an image and applies its EXIF orientation.

    Args:
        image: As yielded by `opened`; loaded afterwards.
        path: The image's file.
        to_the_end: Whether to apply an orientation that a PNG stores behind its
            pixels; `find_size` does not see it.

    Returns:
        uint8 or uint16 (H, W, C), C-contiguous: grey, grey and alpha, RGB, or RGB and
        alpha; alpha is not multiplied into the colours.

    Raises:
        InputError: The file is damaged or incomplete, or its format is not supported.
    """
    _verify(path)
    with damage_told(path):
        orientation = _read_orientation(image)
        # Read before loading: Pillow then forgets how the file stores its pixels.
        is_16bit, raw_mode = _is_deep(image), _find_raw_mode(image)
        tags = dict(image.tag_v2) if isinstance(image, TiffImageFile) else None
        image.load()
        if is_16bit:
            colour = image.info.get("transparency")
            pixels = decode_deep(path, raw_mode, tags, colour)
        else:
            pixels = _decode_8_bits(image, path)
        if to_the_end and image.format == "PNG":
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        # Pillow and OpenCV already turn TIFFs.
        if image.format != "TIFF":
            pixels = transform(pixels, UPRIGHT.get(orientation, UPRIGHT[1]))
    return np.ascontiguousarray(pixels)


def _verify(path):
    """Checks a PNG's checksums, which decoding ignores; adds 1.5% to its time."""
    with opened(path) as image, damage_told(path):
        if image.format == "PNG":
            image.verify()


@contextlib.contextmanager
def damage_told(path: Path | str) -> Iterator[None]:
    """Converts the exceptions of decoders for a damaged file to `InputError`."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception:  # Decoders raise almost any type for a damaged file.
        raise _damaged(path, "is truncated or damaged") from None


def _damaged(path, reason):
    """Makes the error for a file that does not hold a whole image."""
    size = 0  # If the size cannot be read.
    with contextlib.suppress(OSError):
        size = Path(path).stat().st_size
    reason = reason if size else "is empty"
    return InputError(f"{path}: {reason} ({size} bytes); replace or remove it.")


def _read_orientation(image):
    """Reads the EXIF orientation, 1 to 8, from the header before the pixels."""
    # Without EXIF in the header, `getexif` would decode the whole PNG.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    return orientation if orientation in UPRIGHT else 1


def _find_raw_mode(image):
    """Finds Pillow's raw mode of an image that is not loaded yet."""
    if not image.tile:
        return ""
    arguments = image.tile[0][3]
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
        image = _to_srgb(image)
    elif mode != image.mode or mode not in _KEPT:
        image = image.convert(mode if mode in _KEPT else "RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _to_srgb(image):
    """Converts CMYK to RGB, by the file's ICC profile if there is one."""
    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            return ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
    return image.convert("RGB")
