"""Reads and writes the images of data sets: always uint8 (H, W, 3), RGB."""

import contextlib
import contextvars
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from PIL import Image

from console.files import opened_whole
from console.progress import warn
from imaging.decoding import decode, opened

# Levels above this hardly shrink files but slow down writing.
PNG_COMPRESSION = 3

# The first image whose transparency was dropped.
_warned_of_alpha: list[str] = []
# Collects such images in place of the warning; None for the warning.
_noted_alpha: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    "noted_alpha", default=None
)


def load_image(path: Path | str) -> np.ndarray:
    """Loads an image as RGB.

    Grey becomes RGB, alpha is dropped (with one warning per run), 16 bits become 8,
    and the EXIF orientation is applied.

    Args:
        path: The file, of one of `imaging.kinds.KINDS`.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: The file is not an image, is damaged or is incomplete.
    """
    with opened(path) as image:
        pixels = decode(image, path)
    if pixels.shape[-1] in (2, 4):
        warn_of_alpha(str(path))
    return to_rgb(pixels)


@contextlib.contextmanager
def alpha_noted() -> Iterator[list[str]]:
    """Collects images whose transparency is dropped, in place of the warning.

    The list receives the paths of images that this thread loads in the block. A child
    process uses it so that its parent can warn once.
    """
    noted: list[str] = []
    token = _noted_alpha.set(noted)
    try:
        yield noted
    finally:
        _noted_alpha.reset(token)


def warn_of_alpha(path: str) -> None:
    """Warns of dropped transparency once per run; `alpha_noted` collects instead."""
    noted = _noted_alpha.get()
    if noted is not None:
        noted.append(path)
    elif not _warned_of_alpha:
        _warned_of_alpha.append(path)
        warn(f"{path} has transparency, which is dropped, as in all other images.")


def save_image(path: Path | str, image: np.ndarray) -> None:
    """Writes an image atomically; makes its folder if it is missing.

    Args:
        path: The file, ending in `.png` or `.bmp`.
        image: uint8 (H, W, 3), RGB.
    """
    kind = {".png": "PNG", ".bmp": "BMP"}[Path(path).suffix]
    with opened_whole(path) as file:
        # A BMP knows no level.
        Image.fromarray(image).save(file, format=kind, compress_level=PNG_COMPRESSION)


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Converts uint8 or uint16 (H, W, C), grey or RGB, to uint8 (H, W, 3).

    Alpha is dropped.
    """
    pixels = to_8_bits(pixels)
    if pixels.shape[-1] < 3:
        return np.repeat(pixels[..., :1], 3, axis=-1)
    return np.ascontiguousarray(pixels[..., :3])


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Converts uint16 of any shape to uint8, rounded: 65535 becomes 255.

    uint8 is returned unchanged.
    """
    if pixels.dtype == np.uint8:
        return pixels
    output = np.empty(pixels.shape, np.uint8)
    # Row by row, because uint32 sums take twice the picture's memory.
    for row, deep in zip(output, pixels, strict=True):
        row[...] = (deep.astype(np.uint32) + 128) // 257
    return output


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds half up, as MATLAB does, and clips to [0, 255]: uint8, of any shape."""
    return image if image.dtype == np.uint8 else to_integers(image, np.uint8)


def to_integers(image: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """Rounds floats of any shape half up, and clips to the range of an integer type."""
    rounded = np.asarray(image + 0.5)
    np.floor(rounded, out=rounded)
    np.clip(rounded, 0, np.iinfo(dtype).max, out=rounded)
    return rounded.astype(dtype)
