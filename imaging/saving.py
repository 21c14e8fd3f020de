"""Writes pictures in the format of their file's ending."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from console.errors import InputError
from console.files import opened_whole
from console.progress import warn
from imaging import png_16bit, tiff
from imaging.chunks import Inserting
from imaging.colour import to_srgb
from imaging.colour_profiles import SRGB_NAMES, find_cicp, name_colours
from imaging.files import PNG_COMPRESSION, to_8_bits
from imaging.pictures import Picture
from imaging.plugins import write_heif, write_jxl

JPEG_QUALITY = 95
# Limit of the EXIF in a JPEG, in bytes.
_MOST_EXIF = 65_500
_EXIF = b"Exif\0\0"
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
WEBP = Format("WEBP", has_alpha=True, is_16bit=False, most=16_383, has_quality=True)
# Beyond this size, few programs read them.
AVIF = Format("AVIF", has_alpha=True, is_16bit=True, most=32_768, has_quality=True)
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
}


def find_format(path: Path | str) -> Format:
    """Returns the format of a file's ending."""
    return FORMATS[Path(path).suffix.lower()[1:]]


def fits(path: Path | str, size: tuple[int, int]) -> bool:
    """Whether a file's format can hold a picture of (height, width)."""
    most = find_format(path).most
    return most is None or max(size) <= most


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
    if not fits(path, size):
        return f"{size[1]}x{size[0]} pixels are too many for {kind.name}"
    is_deep = picture.pixels.dtype == np.uint16
    if kind is AVIF and is_deep and not hasattr(cv2, "imencodeWithMetadata"):
        return "this OpenCV writes no AVIF of more than 8 bits"
    if kind is JXL and name_colours(picture.metadata.icc_profile) is None:
        return "JPEG XL is written in sRGB and Display P3 only, not with its profile"
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
    if not fits(path, size):
        raise InputError(
            f"{source or path}: would have {width}x{height} pixels, but {kind.name} "
            f"supports at most {kind.most} a side; use --output_format=png."
        )


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
    pixels = picture.pixels
    if picture.alpha is not None and kind.has_alpha:
        pixels = np.concatenate([pixels, picture.alpha], axis=-1)
    is_16bit = pixels.dtype == np.uint16
    if is_16bit and not kind.is_16bit:
        pixels, is_16bit = to_8_bits(pixels), False
    pixels = _widen(pixels, kind)
    colours = 3 if pixels.shape[-1] > 2 else 1
    metadata = picture.metadata.fit(picture.size, colours)
    if kind is BMP and name_colours(metadata.icc_profile) != SRGB_NAMES:
        pixels = pixels.copy()
        pixels[..., :colours] = to_srgb(pixels[..., :colours], metadata.icc_profile)
        warn(f"{path}: has colours in sRGB, because BMP has no colour profiles.")
    picture = dataclasses.replace(picture, metadata=metadata)
    with opened_whole(path, finish) as file:
        if kind is TIFF:
            tiff.write(file, pixels, metadata)
        elif kind is BMP and pixels.shape[-1] == 4:
            _write_bmp_with_alpha(file, pixels)
        elif kind is HEIF:
            options = _make_options(picture, kind, quality)
            write_heif(file, pixels, options, path)
        elif kind is JXL:
            _write_jxl(file, pixels, picture, quality, path)
        elif kind is AVIF and is_16bit:
            _write_deep_avif(file, pixels, metadata, quality)
        elif is_16bit:
            png_16bit.write(file, pixels, metadata, PNG_COMPRESSION)
        else:
            _write_with_pillow(file, pixels, picture, kind, quality)


def _widen(pixels, kind):
    """Repeats grey to RGB where a format has no grey, alone or with such an alpha."""
    channels = pixels.shape[-1]
    has_grey = kind not in (WEBP, AVIF)
    if channels == 2:
        # Pillow cannot read such a TIFF.
        is_deep_tiff = kind is TIFF and pixels.dtype == np.uint16
        has_grey &= kind not in (BMP, HEIF) and not is_deep_tiff
    return (
        pixels
        if channels > 2 or has_grey
        else pixels[..., [0, 0, 0, 1][: channels + 2]]
    )


def _make_options(picture, kind, quality):
    """Returns Pillow's options."""
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
        "AVIF": {
            "quality": quality,
            "subsampling": "4:4:4" if quality >= _FULL_COLOUR else "4:2:0",
        },
        "HEIF": {"quality": quality, **_find_nclx(metadata)},
        "BMP": {},
    }[kind.name]
    return {name: value for name, value in options.items() if value is not None}


def _write_with_pillow(file, pixels, picture, kind, quality):
    options = _make_options(picture, kind, quality)
    if kind is PNG:
        file = Inserting(file, picture.metadata.chunks)
    # Pillow ignores options that a format does not support, such as EXIF in a BMP.
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, format=kind.name, **options
    )


def _write_bmp_with_alpha(file, pixels):
    """Writes by OpenCV: Pillow writes the alpha without marking it in the header."""
    _, encoded = cv2.imencode(".bmp", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    file.write(encoded)


def _find_nclx(metadata):
    """Returns the codes of the colours of HDR, as pillow-heif names them."""
    if not metadata.tells_hdr():
        return {}
    primaries, transfer = find_cicp(dict(metadata.chunks))
    return {
        "color_primaries": primaries,
        "transfer_characteristics": transfer,
        "save_nclx_profile": True,
    }


def _write_jxl(file, pixels, picture, quality, path):
    metadata = picture.metadata
    exif = metadata.exif_bytes()
    boxes = {b"Exif": exif and bytes(4) + exif.removeprefix(_EXIF)}
    primaries, transfer = name_colours(metadata.icc_profile)
    quality = None if picture.is_lossless else quality
    colours = {"primaries": primaries, "transfer": transfer}
    write_jxl(file, pixels, quality, boxes, path, **colours)


def _write_deep_avif(file, pixels, metadata, quality):
    """Writes 10 bits by OpenCV; Pillow writes 8."""
    given = {
        cv2.IMAGE_METADATA_EXIF: (metadata.exif_bytes() or b"").removeprefix(_EXIF),
        cv2.IMAGE_METADATA_ICCP: metadata.icc_profile,
    }
    given = {
        kind: np.frombuffer(data, np.uint8) for kind, data in given.items() if data
    }
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]
    options = cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, quality
    deep = np.rint(pixels * np.float32(1023 / 65535)).astype(np.uint16)
    _, encoded = cv2.imencodeWithMetadata(
        ".avif", deep, list(given), list(given.values()), options
    )
    file.write(encoded)
