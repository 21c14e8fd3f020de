"""Reads and writes image files; inside, an image is uint8 (H, W, 3), RGB."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from console.errors import InputError
from console.files import written_whole
from console.progress import warn

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

# Satellite pictures and scans are legitimate; beyond this, memory is not.
Image.MAX_IMAGE_PIXELS = 1_000_000_000

# Of nine levels, the one after which files hardly shrink but writing slows down.
PNG_COMPRESSION = 3

# The first image whose transparency was dropped.
_warned_of_alpha = []

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def list_images(folder, flag=None):
    """Lists the image files of a folder.

    Args:
        folder: Where to look; folders inside it are left out.
        flag: What gave the folder, for messages, for example `"--input_path"`.

    Returns:
        list of Path: Sorted by name, at least one; hidden files are left out.

    Raises:
        InputError: There is no such folder, or no image in it.
    """
    folder = Path(folder)
    named = f"{flag}={folder}" if flag else str(folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{named}: {found}; expected a folder of images.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS
        and not path.name.startswith(".")
        and path.is_file()
    )
    if not paths:
        raise InputError(
            f"{named}: no images in this folder; expected files that end in "
            f"{', '.join(EXTENSIONS)}."
        )
    return paths


def read_size(path):
    """Reads the height and width of an image from its header.

    Raises:
        InputError: The file is no image.
    """
    with _opened(path) as image:
        width, height = image.size
        # To ask a PNG for EXIF that it did not begin with would decode all of it.
        has_exif = image.format != "PNG" or "exif" in image.info
        if has_exif and image.getexif().get(_ORIENTATION) in _TURNED:
            width, height = height, width
    return height, width


def load_image(path):
    """Loads an image as RGB.

    Grey becomes RGB, alpha is dropped (with one warning a run), 16 bits become 8,
    and a photograph is turned as its EXIF orientation says.

    Args:
        path: The file, one of `EXTENSIONS`.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: The file is no image, or is damaged: never half a picture.
    """
    with _opened(path) as image:
        try:
            # Notes on odd metadata are of no use to anyone here.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Once loaded, Pillow forgets how the file stored its pixels.
                is_deep = any("16" in str(tile[3]) for tile in image.tile)
                image.load()
                pixels = _load_16_bits(path) if is_deep else _to_rgb(image, path)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise _damaged(path, error) from None
    return np.ascontiguousarray(pixels)


def _opened(path):
    """Opens a file with Pillow, which reads only its header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(path)
    except Image.DecompressionBombError:
        raise InputError(
            f"{path}: larger than {2 * Image.MAX_IMAGE_PIXELS:.1g} pixels; cut it into "
            "pieces."
        ) from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except PermissionError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path, error):
    """The error for a file that does not hold a whole image."""
    size = Path(path).stat().st_size
    reason = "is empty" if size == 0 else "is not an image that can be read"
    if "truncated" in str(error) or "unexpected end" in str(error).lower():
        reason = "is truncated"
    return InputError(f"{path}: {reason} ({size} bytes); replace or remove it.")


def _to_rgb(image, path):
    """The pixels of a loaded Pillow image of 8 bits, uint8 (H, W, 3)."""
    image = ImageOps.exif_transpose(image)
    if "A" in image.getbands() or "transparency" in image.info:
        _warn_of_alpha(str(path))
        # By way of RGBA a palette's transparent colours keep their RGB.
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _load_16_bits(path):
    """Loads an image of 16 bits a channel; value v becomes round(v / 257)."""
    encoded = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{path}: has neither 8 nor 16 bits a channel; save it as an ordinary PNG."
        )
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=-1)
    if pixels.shape[-1] == 4:
        _warn_of_alpha(str(path))
    return pixels[..., 2::-1]


def _warn_of_alpha(path):
    """Says once a run that transparency is dropped."""
    if not _warned_of_alpha:
        _warned_of_alpha.append(path)
        warn(f"{path} has transparency, which is dropped here and in any other image.")


def save_image(path, image):
    """Writes an image as PNG, whole or not at all; makes its folder when missing.

    Args:
        path: The file, ending in `.png`.
        image: uint8 (H, W, 3), RGB.
    """
    with written_whole(path) as aside:
        Image.fromarray(image).save(aside, format="PNG", compress_level=PNG_COMPRESSION)


def to_uint8(image):
    """Rounds half up, as MATLAB does, and clips to [0, 255].

    Args:
        image: Of any shape and dtype.

    Returns:
        uint8 of the same shape.
    """
    if image.dtype == np.uint8:
        return image
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)
