"""Reads and writes image files; inside, an image is uint8 (H, W, 3), RGB."""

import contextlib
import contextvars
import os
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from console.errors import InputError
from console.files import written_whole
from console.progress import warn
from imaging.limits import check_size

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

# `imaging.limits` looks at the size, with a line that says it.
Image.MAX_IMAGE_PIXELS = None

# Notes on odd metadata and on large pictures are of no use to anyone here. Not by
# `catch_warnings`: images are loaded in threads, where it may silence all for good.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Of nine levels, the one after which files hardly shrink but writing slows down.
PNG_COMPRESSION = 3

# The first image whose transparency was dropped.
_warned_of_alpha = []
# Where such images are noted in place of the warning, if anywhere.
_noted_alpha = contextvars.ContextVar("noted_alpha", default=None)

_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
# What sets a picture upright, by its EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Those that exchange rows and columns.
_QUARTER_TURNS = (5, 6, 7, 8)


def list_images(folder, flag=None, expected="a folder of images"):
    """Lists the image files of a folder.

    Args:
        folder: Where to look; folders inside it are left out.
        flag: What gave the folder, for messages, for example `"--input_path"`.
        expected: What the flag takes, for messages.

    Returns:
        list of Path: Sorted by name, at least one; hidden files are left out. Links
        that lead nowhere are among them, so that whoever loads them says so.

    Raises:
        InputError: There is no such folder, or no image in it.
    """
    folder = Path(folder)
    named = f"{flag}={folder}" if flag else str(folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{named}: {found}; expected {expected}.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS
        and not path.name.startswith(".")
        and (path.is_file() or _is_broken_link(path))
    )
    if not paths:
        raise InputError(
            f"{named}: no images in this folder; expected files that end in "
            f"{', '.join(EXTENSIONS)}."
        )
    return paths


def _is_broken_link(path):
    return path.is_symlink() and not path.exists()


def list_pictures(path, flag):
    """A picture alone, or those of a folder; see `list_images`."""
    path = Path(path)
    if path.is_file():
        return [path]
    return list_images(path, flag, "a picture or a folder of pictures")


def read_size(path):
    """Reads the height and width that `load_image` will give, from the header alone.

    Args:
        path: The file, one of `EXTENSIONS`.

    Returns:
        (int, int): Height and width, once the picture is upright.

    Raises:
        InputError: The file is no image.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":
            # Some versions of Pillow exchange the two by themselves, others do not.
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
        if _read_orientation(image) in _QUARTER_TURNS:
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
    _verify(path)
    with _opened(path) as image, _damage_told(path):
        orientation = _read_orientation(image)
        # Once loaded, Pillow forgets how the file stored its pixels.
        is_deep = _is_deep(image)
        image.load()
        pixels = _load_16_bits(path) if is_deep else _to_rgb(image, path)
        # Pillow and OpenCV turn a TIFF themselves.
        if image.format != "TIFF" and orientation in _TURNS:
            turned = Image.fromarray(pixels).transpose(_TURNS[orientation])
            pixels = np.asarray(turned)
    return np.ascontiguousarray(pixels)


def _verify(path):
    """Checks the checksums of a PNG, which decoding does not: 1.5% of its time."""
    with _opened(path) as image, _damage_told(path):
        if image.format == "PNG":
            image.verify()


@contextlib.contextmanager
def _opened(path):
    """Opens a file with Pillow, which reads only its header."""
    with contextlib.ExitStack() as stack:
        try:
            # Opened by name, Pillow maps some TIFFs into memory and scrambles those
            # whose orientation exchanges rows and columns.
            file = stack.enter_context(open(path, "rb"))
            image = stack.enter_context(Image.open(file))
        except FileNotFoundError:
            raise InputError(f"{path}: {_say_missing(Path(path))}.") from None
        except PermissionError:
            raise InputError(
                f"{path}: may not be read; change its permissions or remove it."
            ) from None
        except (OSError, SyntaxError, ValueError):
            raise _damaged(path, "is not an image that can be read") from None
        check_size(path, *image.size)
        yield image


def _say_missing(path):
    if _is_broken_link(path):
        return (
            f"is a link to {os.readlink(path)}, which is not there; mend or remove it"
        )
    return "no such file"


@contextlib.contextmanager
def _damage_told(path):
    """Turns what decoders raise for a damaged file into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError):
        raise _damaged(path, "is truncated or damaged") from None


def _damaged(path, reason):
    """The error for a file that does not hold a whole image."""
    size = Path(path).stat().st_size
    reason = reason if size else "is empty"
    return InputError(f"{path}: {reason} ({size} bytes); replace or remove it.")


def _read_orientation(image):
    """The EXIF orientation, 1 to 8, by what stands before the pixels."""
    # Asked for EXIF that a PNG did not begin with, Pillow would decode all of it.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    return image.getexif().get(_EXIF_ORIENTATION, 1)


def _is_deep(image):
    """Whether a file of Pillow that is not loaded yet holds 16 bits a channel."""
    if image.format not in ("PNG", "TIFF") or not image.tile:
        return False
    arguments = image.tile[0][3]
    raw_mode = arguments if isinstance(arguments, str) else arguments[0]
    return ";16" in raw_mode


def _to_rgb(image, path):
    """The pixels of a loaded Pillow image of 8 bits, uint8 (H, W, 3)."""
    if image.mode[0] in "IF":  # Wide integers and floats, which Pillow would clip.
        raise _too_deep(path)
    if "A" in image.getbands() or "transparency" in image.info:
        warn_of_alpha(str(path))
        # By way of RGBA a palette's transparent colours keep their RGB.
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _load_16_bits(path):
    """Loads an image of 16 bits a channel; value v becomes round(v / 257)."""
    encoded = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise _too_deep(path)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=-1)
    if pixels.shape[-1] == 4:
        warn_of_alpha(str(path))
    return pixels[..., 2::-1]


def _too_deep(path):
    """The error for pixels that are neither uint8 nor uint16."""
    return InputError(
        f"{path}: has neither 8 nor 16 bits a channel; save it as an ordinary PNG."
    )


@contextlib.contextmanager
def alpha_noted():
    """Notes images whose transparency is dropped, for a process whose parent warns.

    Yields:
        list: Their paths, of those that this thread loads inside.
    """
    noted = []
    token = _noted_alpha.set(noted)
    try:
        yield noted
    finally:
        _noted_alpha.reset(token)


def warn_of_alpha(path):
    """Says once a run that transparency is dropped; notes it inside `alpha_noted`."""
    noted = _noted_alpha.get()
    if noted is not None:
        noted.append(path)
    elif not _warned_of_alpha:
        _warned_of_alpha.append(path)
        warn(f"{path} has transparency, which is dropped here and in any other image.")


def save_image(path, image):
    """Writes an image, whole or not at all; makes its folder when missing.

    Args:
        path: The file, ending in `.png` or `.bmp`.
        image: uint8 (H, W, 3), RGB.
    """
    path = Path(path)
    options = {".png": {"compress_level": PNG_COMPRESSION}, ".bmp": {}}[path.suffix]
    with written_whole(path) as aside:
        Image.fromarray(image).save(aside, format=path.suffix[1:], **options)


def to_uint8(image):
    """Rounds half up, as MATLAB does, and clips to [0, 255].

    Args:
        image: Of any shape and dtype.

    Returns:
        uint8 of the same shape.
    """
    if image.dtype == np.uint8:
        return image
    rounded = np.asarray(image + 0.5)
    np.floor(rounded, out=rounded)
    np.clip(rounded, 0, 255, out=rounded)
    return rounded.astype(np.uint8)
