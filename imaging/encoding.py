"""Encodes pictures, with the library that suits their format and depth best."""

from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from imaging import png_16bit, tiff
from imaging.chunks import Inserting
from imaging.colour_profiles import find_cicp, name_colours
from imaging.files import PNG_COMPRESSION
from imaging.metadata import Metadata
from imaging.plugins import write_heif, write_jxl

_EXIF = b"Exif\0\0"
# From this quality on, JPEG and AVIF store colour at full resolution.
_FULL_COLOUR = 90


def encode(
    file: BinaryIO,
    name: str,
    pixels: np.ndarray,
    metadata: Metadata,
    options: dict[str, Any],
) -> None:
    """Encodes a picture to a file that is open for reading and writing.

    Args:
        file: The file.
        name: Pillow's name of the format.
        pixels: uint8 or uint16 (H, W, C), of channels and depth that the format has.
        metadata: As `imaging.carrying.carry` returns it.
        options: As `make_options` returns them.
    """
    is_16bit = pixels.dtype == np.uint16
    if name == "TIFF":
        tiff.write(file, pixels, metadata)
    elif name == "BMP" and pixels.shape[-1] == 4:
        # By OpenCV: Pillow writes the alpha without marking it in the header.
        _, encoded = cv2.imencode(".bmp", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
        file.write(encoded.tobytes())
    elif name == "HEIF":
        write_heif(file, pixels, options | _find_nclx(metadata))
    elif name == "JXL":
        _write_jxl(file, pixels, metadata, options)
    elif name == "AVIF" and is_16bit:
        _write_deep_avif(file, pixels, options)
    elif is_16bit:
        png_16bit.write(file, pixels, metadata)
    else:
        if name == "PNG":
            file = Inserting(file, metadata.chunks)  # type: ignore[assignment]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        image.save(file, format=name, **options)


def make_options(
    name: str, quality: int, is_lossless: bool, options: dict[str, Any]
) -> dict[str, Any]:
    """Adds Pillow's options of the compression, and leaves out options of None.

    `quality` is from 1 to 100; `is_lossless` is for WebP and JPEG XL.
    """
    sampling = "4:4:4" if quality >= _FULL_COLOUR else "4:2:0"
    by_format: dict[str, dict[str, Any]] = {
        "PNG": {"compress_level": PNG_COMPRESSION},
        "JPEG": {"quality": quality, "subsampling": sampling},
        "WEBP": {"quality": quality, "lossless": is_lossless},
        # A tenth of the default speed's time, for the same PSNR and 5% more bytes.
        "AVIF": {"quality": quality, "subsampling": sampling, "speed": 9},
        "HEIF": {"quality": quality},
        "JXL": {"quality": None if is_lossless else quality},
    }
    options = options | by_format.get(name, {})
    return {option: value for option, value in options.items() if value is not None}


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


def _write_jxl(file, pixels, metadata, options):
    exif = options.get("exif")
    boxes = {
        b"Exif": exif and bytes(4) + exif.removeprefix(_EXIF),
        b"xml ": options.get("xmp"),
    }
    colours = name_colours(metadata.icc_profile)
    write_jxl(file, pixels, options.get("quality"), boxes, colours)


def _write_deep_avif(file, pixels, options):
    """Writes 10 bits by OpenCV; Pillow writes 8."""
    parts = {
        cv2.IMAGE_METADATA_EXIF: options.get("exif", b"").removeprefix(_EXIF),
        cv2.IMAGE_METADATA_XMP: options.get("xmp"),
        cv2.IMAGE_METADATA_ICCP: options.get("icc_profile"),
    }
    parts = {
        kind: np.frombuffer(data, np.uint8) for kind, data in parts.items() if data
    }
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]
    deep = np.rint(pixels * np.float32(1023 / 65535)).astype(np.uint16)
    given = cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, options["quality"]
    _, encoded = cv2.imencodeWithMetadata(
        ".avif", deep, list(parts), list(parts.values()), given
    )
    file.write(encoded)
