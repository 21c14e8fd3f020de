"""Writes pictures in the format of their file's ending."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from console.errors import InputError
from console.files import opened_whole
from console.progress import warn
from imaging import animations
from imaging.carrying import carry
from imaging.colour import to_srgb
from imaging.colour_profiles import SRGB_NAMES, name_colours
from imaging.encoding import encode, make_options
from imaging.files import to_8_bits
from imaging.pictures import Picture
from imaging.plugins import states_colours

JPEG_QUALITY = 95
# The largest preview: browsers on phones show no larger pictures.
MOST_SHOWN = 16_000_000


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
    has_alpha: bool = True
    is_16bit: bool = False
    most: int | None = None
    has_quality: bool = False


PNG = Format("PNG", is_16bit=True)
JPEG = Format("JPEG", has_alpha=False, most=65_500, has_quality=True)
TIFF = Format("TIFF", is_16bit=True)
BMP = Format("BMP")
# Its alpha is of one bit; a half transparent pixel becomes opaque.
GIF = Format("GIF", most=65_535)
WEBP = Format("WEBP", most=16_383, has_quality=True)
# Beyond this size, few programs read them.
AVIF = Format("AVIF", is_16bit=True, most=32_768, has_quality=True)
# The encoder x265 refuses sides longer than _MOST_THIN beside one shorter than _THIN.
_THIN, _MOST_THIN = 32, 4208
HEIF = Format("HEIF", is_16bit=True, most=16_384, has_quality=True)
JXL = Format("JXL", is_16bit=True, most=(1 << 30) - 1, has_quality=True)
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


def find_obstacle(
    path: Path | str, picture: Picture, size: tuple[int, int]
) -> str | None:
    """Returns why a file's format cannot hold a result; None if it can.

    `picture` is the one before enlarging, `size` the (height, width) of the result.
    """
    kind = find_format(path)
    most = _MOST_THIN if kind is HEIF and min(size) < _THIN else kind.most
    if most is not None and max(size) > most:
        return (
            f"{size[1]}x{size[0]} pixels are too many for {kind.name}, which holds at "
            f"most {most} a side"
        )
    is_deep = picture.pixels.dtype == np.uint16
    if kind is AVIF and is_deep and not hasattr(cv2, "imencodeWithMetadata"):
        return "this OpenCV writes no AVIF of more than 8 bits"
    if kind is not JXL:
        return None
    colours = name_colours(picture.metadata.icc_profile)
    if colours is None:
        return "JPEG XL is written in sRGB and Display P3 only, not with its profile"
    if (is_deep or colours != SRGB_NAMES) and not states_colours():
        return "JPEG XL of 16 bits or other colours than sRGB needs Python 3.12"
    return None


def check_alpha(path: Path | str, picture: Picture, source: Path | str) -> None:
    """Refuses transparency that a file's format does not hold.

    Raises:
        InputError: It does not; names the source.
    """
    kind = find_format(path)
    if picture.has_transparency() and not kind.has_alpha:
        raise InputError(
            f"{source}: has transparency, which {kind.name} does not support; use "
            "--background=white or --output_format=png."
        )


def fit_frames(path: Path | str, picture: Picture, source: Path | str) -> Picture:
    """Takes an animation's first frame, with a warning, if a format has but one."""
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
    check_alpha(path, picture, path)
    if obstacle := find_obstacle(path, picture, picture.size):
        raise InputError(f"{path}: {obstacle}; use --output_format=png.")
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
        frames = (to_srgb(frame, metadata.icc_profile) for frame in frames)
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
    options = make_options(kind.name, quality, picture.is_lossless, options)
    with opened_whole(path, finish) as file:
        if moving is not None or kind is GIF:
            chunks = metadata.chunks
            animations.write(file, kind.name, frames, moving, options, chunks)
        else:
            encode(file, kind.name, next(frames), metadata, options)


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


def save_preview(
    path: Path | str,
    pixels: np.ndarray,
    icc_profile: bytes | None = None,
    most: int = MOST_SHOWN,
) -> int:
    """Writes uint8 or uint16 (H, W, C) as a PNG of 8 bits, for browsers.

    Pictures of more than `most` pixels are reduced by a whole factor, which is
    returned; otherwise 1.
    """
    factor = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / most))
    pixels = to_8_bits(pixels)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with opened_whole(path) as file:
        # Read once, over a network that is usually fast: size matters little.
        image.reduce(factor).save(
            file, "PNG", compress_level=1, icc_profile=icc_profile
        )
    return factor
