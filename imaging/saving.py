"""Writes pictures in the format of their file's ending."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from console.errors import InputError
from console.files import opened_whole
from console.progress import warn
from imaging import animations
from imaging.carrying import carry
from imaging.colour import to_srgb
from imaging.colour_profiles import SRGB_NAMES, name_colours
from imaging.encoding import Coding, encode, make_options
from imaging.files import to_8_bits
from imaging.pictures import Picture
from imaging.plugins import states_colours

JPEG_QUALITY = 95


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
WEBP = Format("WEBP", has_alpha=True, is_16bit=False, most=16_383, has_quality=True)
# Beyond this size, few programs read them.
AVIF = Format("AVIF", has_alpha=True, is_16bit=True, most=32_768, has_quality=True)
# The encoder x265 refuses sides longer than _MOST_THIN beside one shorter than _THIN.
_THIN, _MOST_THIN = 32, 4208
HEIF = Format("HEIF", has_alpha=True, is_16bit=True, most=16_384, has_quality=True)
JXL = Format("JXL", has_alpha=True, is_16bit=True, most=(1 << 30) - 1, has_quality=True)
# By the ending of a file's name, without the dot.
FORMATS = {
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "webp": WEBP,
    "avif": AVIF,
    "heic": HEIF,
    "heif": HEIF,
    "jxl": JXL,
    "tif": TIFF,
    "tiff": TIFF,
    "bmp": BMP,
    "gif": GIF,
}


def find_format(path: Path | str) -> Format:
    """Returns the format of a file's ending."""
    return FORMATS[Path(path).suffix.lower()[1:]]


def find_most(path: Path | str, size: tuple[int, int]) -> int:
    """Returns the longest side of a file's format for pictures as narrow as a size."""
    kind = find_format(path)
    is_thin = kind is HEIF and min(size) < _THIN
    return _MOST_THIN if is_thin else kind.most or max(size)


def find_obstacle(
    path: Path | str, picture: Picture, size: tuple[int, int]
) -> str | None:
    """Returns why a file's format cannot hold an enlarged picture; None if it can.

    Args:
        path: The file to be written.
        picture: The picture before enlarging.
        size: (height, width) of the result.
    """
    kind = find_format(path)
    if max(size) > find_most(path, size):
        return f"{size[1]}x{size[0]} pixels are too many for {kind.name}"
    is_deep = picture.pixels.dtype == np.uint16
    if kind is AVIF and is_deep and not hasattr(cv2, "imencodeWithMetadata"):
        return "this OpenCV writes no AVIF of more than 8 bits"
    colours = name_colours(picture.metadata.icc_profile)
    if kind is JXL and colours is None:
        return "JPEG XL is written in sRGB and Display P3 only, not with its profile"
    is_plain = colours == SRGB_NAMES and not is_deep
    if kind is JXL and not is_plain and not states_colours():
        return "JPEG XL of 16 bits or other colours than sRGB needs Python 3.12"
    return None


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
    if max(size) > (most := find_most(path, size)):
        raise InputError(
            f"{source or path}: would have {width}x{height} pixels, but {kind.name} "
            f"supports at most {most} a side; use --output_format=png."
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
    pixels = picture.joined if kind.has_alpha else picture.pixels
    is_reduced = pixels.dtype == np.uint16 and not kind.is_16bit
    if is_reduced:
        pixels = to_8_bits(pixels)
    pixels = _widen(pixels, kind)
    colours = 3 if pixels.shape[-1] > 2 else 1
    metadata = picture.metadata.fit(picture.size, colours)
    moving = picture.animation if kind.name in animations.ANIMATED else None
    frames: Iterator[np.ndarray] = itertools.chain(
        [pixels], moving.read() if moving else ()
    )
    if kind in (BMP, GIF) and name_colours(metadata.icc_profile) != SRGB_NAMES:
        frames = (_to_srgb(frame, metadata.icc_profile) for frame in frames)
        warn(
            f"{path}: has colours in sRGB, because {kind.name} has no colour profiles."
        )
    elif metadata.tells_hdr():
        warn(
            f"{path}: is an HDR picture, which programs without HDR show too bright or "
            "too pale."
        )
    metadata, options, lost = carry(metadata, kind.name)
    if is_reduced:
        lost.append("more than 8 bits per channel")
    if lost:
        warn(f"{path}: {kind.name} does not hold its {', '.join(lost)}; left out.")
    coding = Coding(quality, picture.is_lossless)
    with opened_whole(path, finish) as file:
        if moving is not None or kind is GIF:
            options = make_options(kind.name, coding, options)
            chunks = metadata.chunks
            animations.write(file, kind.name, frames, moving, options, chunks)
        else:
            encode(file, kind.name, next(frames), metadata, options, coding)


def _to_srgb(pixels, profile):
    """Converts the colours from a profile to sRGB."""
    colours = 3 if pixels.shape[-1] > 2 else 1
    pixels = pixels.copy()
    pixels[..., :colours] = to_srgb(pixels[..., :colours], profile)
    return pixels


def _widen(pixels, kind):
    """Repeats grey to RGB where a format has no grey, alone or with such an alpha."""
    channels = pixels.shape[-1]
    has_grey = kind not in (WEBP, AVIF)
    if channels == 2:
        # Pillow cannot read such a TIFF.
        is_deep_tiff = kind is TIFF and pixels.dtype == np.uint16
        has_grey &= kind not in (BMP, HEIF) and not is_deep_tiff
    if channels > 2 or has_grey:
        return pixels
    return pixels[..., [0, 0, 0, 1][: channels + 2]]
