"""Decodes image files as they are: grey or colour, with alpha or without, 8 or 16 bits.

`imaging.files` makes of it what networks train on, `imaging.pictures` keeps what a
person's picture has besides.
"""

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from console.errors import InputError
from imaging.deep_decoding import decode_deep, too_deep
from imaging.limits import check_size
from imaging.turns import UPRIGHT, turn

# `imaging.limits` looks at the size, with a line that says it.
Image.MAX_IMAGE_PIXELS = None

# What it says in its log of a damaged file, a line of ours says, too.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

# What files may be, as Pillow calls it, whatever their names end in. Not all that it
# knows: of some it makes pictures by running them (PostScript, by Ghostscript).
FORMATS = (
    *("PNG", "JPEG", "TIFF", "BMP", "DIB", "WEBP", "GIF", "AVIF", "JPEG2000"),
    *("ICO", "ICNS", "TGA", "PPM", "PCX", "SGI", "PSD", "QOI"),
)

# Notes on odd metadata and on large pictures are of no use to anyone here. Not by
# `catch_warnings`: images are loaded in threads, where it may silence all for good.
warnings.filterwarnings("ignore", module=r"PIL\.")

_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS = 256, 257, 258

# What Pillow's modes of 8 bits are converted to.
_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
_MODES |= {"P": "RGB", "YCbCr": "RGB"}
_KEPT = ("L", "LA", "RGB", "RGBA")


@contextlib.contextmanager
def opened(path):
    """Opens a file with Pillow, which reads only its header.

    Args:
        path: The file.

    Yields:
        PIL.Image.Image.

    Raises:
        InputError: The file is no image, or may not be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            # Opened by name, Pillow maps some TIFFs into memory and scrambles those
            # whose orientation exchanges rows and columns.
            file = stack.enter_context(open(path, "rb"))
            image = stack.enter_context(Image.open(file, formats=FORMATS))
        except FileNotFoundError:
            raise InputError(f"{path}: {_say_missing(Path(path))}.") from None
        except PermissionError:
            raise InputError(
                f"{path}: may not be read; change its permissions or remove it."
            ) from None
        except MemoryError:
            raise
        except Exception:  # As in `damage_told`.
            raise _damaged(path, "is not an image that can be read") from None
        check_size(path, *image.size)
        yield image


def _say_missing(path):
    if path.is_symlink():
        return (
            f"is a link to {os.readlink(path)}, which is not there; mend or remove it"
        )
    return "no such file"


def find_size(image, path):
    """Height and width of an image that is not loaded yet, once it is upright.

    Args:
        image: As `opened` yields it.
        path: Its file.

    Raises:
        InputError: The file is damaged.
    """
    with damage_told(path):
        width, height = image.size
        if image.format == "TIFF":
            # Some versions of Pillow exchange the two by themselves, others do not.
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
        exchanged, _, _ = UPRIGHT[_read_orientation(image)]
    return (width, height) if exchanged else (height, width)


def decode(image, path, to_the_end=False):
    """Decodes an image, turned as its EXIF orientation says.

    Args:
        image: As `opened` yields it; loaded afterwards.
        path: Its file.
        to_the_end: Whether an orientation counts that a PNG says behind its pixels,
            which `find_size` does not know of.

    Returns:
        uint8 or uint16 (H, W, C), C-contiguous: grey, grey and alpha, RGB, or RGB and
        alpha, alpha not multiplied in.

    Raises:
        InputError: The file is damaged, or holds something else: never half a picture.
    """
    _verify(path)
    with damage_told(path):
        orientation = _read_orientation(image)
        # Once loaded, Pillow forgets how the file stored its pixels.
        is_deep, raw_mode = _is_deep(image), _find_raw_mode(image)
        tags = dict(image.tag_v2) if image.format == "TIFF" else None
        image.load()
        if is_deep:
            colour = image.info.get("transparency")
            pixels = decode_deep(path, raw_mode, tags, colour)
        else:
            pixels = _decode_8_bits(image, path)
        if to_the_end and image.format == "PNG":
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        # Pillow and OpenCV turn a TIFF themselves.
        if image.format != "TIFF":
            pixels = turn(pixels, UPRIGHT.get(orientation, UPRIGHT[1]))
    return np.ascontiguousarray(pixels)


def _verify(path):
    """Checks the checksums of a PNG, which decoding does not: 1.5% of its time."""
    with opened(path) as image, damage_told(path):
        if image.format == "PNG":
            image.verify()


@contextlib.contextmanager
def damage_told(path):
    """Turns what decoders raise for a damaged file into an `InputError`."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception:  # There is hardly a kind that none of them raises.
        raise _damaged(path, "is truncated or damaged") from None


def _damaged(path, reason):
    """The error for a file that does not hold a whole image."""
    size = 0  # Of what cannot even be looked at.
    with contextlib.suppress(OSError):
        size = Path(path).stat().st_size
    reason = reason if size else "is empty"
    return InputError(f"{path}: {reason} ({size} bytes); replace or remove it.")


def _read_orientation(image):
    """The EXIF orientation, 1 to 8, by what stands before the pixels."""
    # Asked for EXIF that a PNG did not begin with, Pillow would decode all of it.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    return orientation if orientation in UPRIGHT else 1


def _find_raw_mode(image):
    """How a file that is not loaded yet stores its pixels, as Pillow calls it."""
    if not image.tile:
        return ""
    arguments = image.tile[0][3]
    return arguments if isinstance(arguments, str) else arguments[0]


def _is_deep(image):
    """Whether a file that is not loaded yet holds 16 bits a channel."""
    if image.format == "TIFF":
        return 16 in image.tag_v2.get(_TIFF_BITS, ())
    return image.format == "PNG" and ";16" in _find_raw_mode(image)


def _decode_8_bits(image, path):
    """The pixels of a loaded image of Pillow, uint8 (H, W, C)."""
    if image.mode[0] in "IF":  # Wide integers and floats, which Pillow would clip.
        raise too_deep(path)
    mode = _MODES.get(image.mode, image.mode)
    if "transparency" in image.info and "A" not in mode:
        # By way of RGBA a palette's transparent colours keep their RGB.
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., [0, 3]] if mode == "L" else rgba
    if mode == "CMYK":
        image = _to_srgb(image)
    elif mode != image.mode or mode not in _KEPT:
        image = image.convert(mode if mode in _KEPT else "RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _to_srgb(image):
    """CMYK as the file's own profile means it, where it has one."""
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
