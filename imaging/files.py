"""Reads and writes the images of data sets: uint8 (H, W, 3), RGB, whatever the file."""

import contextlib
import contextvars
from pathlib import Path

import numpy as np
from PIL import Image

from console.files import opened_whole
from console.progress import warn
from imaging.decoding import decode, find_size, opened

# Of nine levels, the one after which files hardly shrink but writing slows down.
PNG_COMPRESSION = 3

# The first image whose transparency was dropped.
_warned_of_alpha = []
# Where such images are noted in place of the warning, if anywhere.
_noted_alpha = contextvars.ContextVar("noted_alpha", default=None)


def read_size(path):
    """Reads the height and width that `load_image` will give, from the header alone.

    Args:
        path: The file, one of `imaging.listing.EXTENSIONS`.

    Returns:
        (int, int): Height and width, once the picture is upright.

    Raises:
        InputError: The file is no image.
    """
    with opened(path) as image:
        return find_size(image, path)


def load_image(path):
    """Loads an image as RGB.

    Grey becomes RGB, alpha is dropped (with one warning a run), 16 bits become 8,
    and a photograph is turned as its EXIF orientation says.

    Args:
        path: The file, one of `imaging.listing.EXTENSIONS`.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: The file is no image, or is damaged: never half a picture.
    """
    with opened(path) as image:
        pixels = decode(image, path)
    if pixels.shape[-1] in (2, 4):
        warn_of_alpha(str(path))
    return to_rgb(pixels)


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
    with opened_whole(path) as file:
        Image.fromarray(image).save(file, format=path.suffix[1:], **options)


def to_rgb(pixels):
    """Brings whatever a file may hold to what networks are trained on.

    Args:
        pixels: uint8 or uint16 (H, W, C): grey or RGB, with alpha or without.

    Returns:
        uint8 (H, W, 3), RGB; alpha is dropped.
    """
    pixels = to_8_bits(pixels)
    if pixels.shape[-1] < 3:
        return np.repeat(pixels[..., :1], 3, axis=-1)
    return np.ascontiguousarray(pixels[..., :3])


def to_8_bits(pixels):
    """Brings 16 bits to 8: 65535 becomes 255.

    Args:
        pixels: uint8, which stay, or uint16, of any shape.

    Returns:
        uint8 of the same shape: to nearest.
    """
    if pixels.dtype == np.uint8:
        return pixels
    output = np.empty(pixels.shape, np.uint8)
    # Row by row of a large picture: the sums take twice its memory.
    for row, deep in zip(output, pixels, strict=True):
        row[...] = (deep.astype(np.uint32) + 128) // 257
    return output


def to_uint8(image):
    """Rounds half up, as MATLAB does, and clips to [0, 255].

    Args:
        image: Of any shape and dtype.

    Returns:
        uint8 of the same shape.
    """
    if image.dtype == np.uint8:
        return image
    return to_integers(image, np.uint8)


def to_integers(image, dtype):
    """Rounds half up and clips to the range of an integer type.

    Args:
        image: float of any shape.
        dtype: Of the integers.

    Returns:
        Such integers of the same shape.
    """
    rounded = np.asarray(image + 0.5)
    np.floor(rounded, out=rounded)
    np.clip(rounded, 0, np.iinfo(dtype).max, out=rounded)
    return rounded.astype(dtype)
