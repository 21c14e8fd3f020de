"""Writes pictures in the format of their file's ending."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from console.errors import InputError
from console.files import opened_whole
from console.progress import warn
from imaging import animations, png_16bit, tiff
from imaging.files import PNG_COMPRESSION, to_8_bits
from imaging.pictures import Picture

JPEG_QUALITY = 95
# Limit of the EXIF in a JPEG, in bytes.
_MOST_EXIF = 65_500
# From this quality on, JPEG stores colour at full resolution.
_FULL_COLOUR = 90


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of picture files.

    Attributes:
        name: Pillow's name of the format.
        has_alpha: Whether it supports transparency.
        is_16bit: Whether it supports 16 bits per channel.
        most: The longest side that it supports, in pixels; None for any.
        has_quality: Whether `quality` affects it.
    """

    name: str
    has_alpha: bool
    is_16bit: bool
    most: int | None = None
    has_quality: bool = False


PNG = Format("PNG", has_alpha=True, is_16bit=True)
JPEG = Format("JPEG", has_alpha=False, is_16bit=False, most=65_500, has_quality=True)
TIFF = Format("TIFF", has_alpha=True, is_16bit=True)
BMP = Format("BMP", has_alpha=True, is_16bit=False)
# Of one bit; a half transparent pixel becomes opaque.
GIF = Format("GIF", has_alpha=True, is_16bit=False, most=65_535)
# By the ending of a file's name, without the dot.
FORMATS = {
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "webp": Format(
        "WEBP", has_alpha=True, is_16bit=False, most=16_383, has_quality=True
    ),
    "tif": TIFF,
    "tiff": TIFF,
    "bmp": BMP,
    "gif": GIF,
}


def find_format(path: Path | str) -> Format:
    """Returns the format of a file's ending."""
    return FORMATS[Path(path).suffix.lower()[1:]]


def fits(path: Path | str, size: tuple[int, int]) -> bool:
    """Whether a file's format can hold a picture of (height, width)."""
    most = find_format(path).most
    return most is None or max(size) <= most


def check_fits(
    path: Path | str,
    size: tuple[int, int],
    has_alpha: bool,
    source: Path | str | None = None,
) -> None:
    """Checks that a file's format can hold a picture.

    Args:
        path: The file to be written.
        size: (height, width).
        has_alpha: Whether the picture has transparency.
        source: The picture's file, which messages name; None for `path`.

    Raises:
        InputError: The format cannot hold the picture.
    """
    kind = find_format(path)
    height, width = size
    if has_alpha and not kind.has_alpha:
        raise InputError(
            f"{source or path}: has transparency, which {kind.name} does not support; "
            "use --background=white or --output_format=png."
        )
    if not fits(path, size):
        raise InputError(
            f"{source or path}: would have {width}x{height} pixels, but {kind.name} "
            f"supports at most {kind.most} a side; use --output_format=png."
        )


def fit_frames(path: Path | str, picture: Picture, source: Path | str) -> Picture:
    """Takes the first frame of an animation, with a warning, if a format has but one.

    Args:
        path: The file to be written.
        picture: The picture.
        source: The picture's file, for the warning.
    """
    name = find_format(path).name
    if picture.animation is None or name in animations.ANIMATED:
        return picture
    frames = len(picture.animation.durations)
    warn(f"{source} has {frames} frames; {name} holds one, so only the first is used.")
    return dataclasses.replace(picture, animation=None)


def save_picture(
    path: Path | str,
    picture: Picture,
    quality: int = JPEG_QUALITY,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Writes a picture atomically; makes its folder if it is missing.

    Args:
        path: The file; its ending is one of `FORMATS`.
        picture: The picture.
        quality: Quality of JPEG, and of WebP unless the picture is lossless, 1 to 100.
        finish: See `console.files.opened_whole`.

    Raises:
        InputError: The format cannot hold the picture.
        OSError: Writing failed.
    """
    path, kind = Path(path), find_format(path)
    check_fits(path, picture.size, picture.has_transparency())
    picture.metadata.tell_size(*picture.size)
    pixels = picture.joined if kind.has_alpha else picture.pixels
    is_16bit = pixels.dtype == np.uint16
    if is_16bit and not kind.is_16bit:
        pixels, is_16bit = to_8_bits(pixels), False
    with opened_whole(path, finish) as file:
        if kind is TIFF:
            tiff.write(file, pixels, picture.metadata)
        elif kind is BMP and pixels.shape[-1] in (2, 4):
            _write_bmp_with_alpha(file, pixels)
        elif is_16bit:
            png_16bit.write(file, pixels, picture.metadata, PNG_COMPRESSION)
        else:
            _write_with_pillow(file, pixels, picture, kind, quality)


def _write_with_pillow(file, pixels, picture, kind, quality):
    metadata = picture.metadata
    options = {
        "icc_profile": metadata.icc_profile,
        "exif": metadata.exif_bytes(_MOST_EXIF if kind is JPEG else None),
        "dpi": metadata.dpi,
    }
    options |= {
        "PNG": {"compress_level": PNG_COMPRESSION},
        "JPEG": {
            "quality": quality,
            "subsampling": 0 if quality >= _FULL_COLOUR else 2,
        },
        "WEBP": {"quality": quality, "lossless": picture.is_lossless},
        "BMP": {},
        "GIF": {},
    }[kind.name]
    options = {name: value for name, value in options.items() if value is not None}
    moving = picture.animation if kind.name in animations.ANIMATED else None
    if moving is not None or kind is GIF:
        frames = itertools.chain([pixels], moving.read() if moving else ())
        animations.write(file, kind.name, frames, moving, options)
        return
    # Pillow ignores options that a format does not support, such as EXIF in a BMP.
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, format=kind.name, **options
    )


def _write_bmp_with_alpha(file, pixels):
    """Writes by OpenCV: Pillow writes the alpha without marking it in the header."""
    code = cv2.COLOR_RGBA2BGRA
    if pixels.shape[-1] == 2:
        pixels, code = pixels[..., [0, 0, 0, 1]], None
    _, encoded = cv2.imencode(
        ".bmp", pixels if code is None else cv2.cvtColor(pixels, code)
    )
    file.write(encoded)
