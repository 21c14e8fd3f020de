"""XMP and GeoTIFF tags, made true for an enlarged picture."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imaging.exif import GEO_KEYS, PIXEL_SCALE, TIE_POINTS, TRANSFORMATION

# A property's name and the beginning of its value, and the value.
_PROPERTY = rb"""((?<![/\w])(?:%s)\s*(?:=\s*["']|>)\s*)(\d+)"""
# From factors of height and width to the properties that grow by them.
_DOWN = rb"GPano:(?:FullPanoHeight|CroppedAreaImageHeight|CroppedAreaTop)Pixels"
_ACROSS = rb"GPano:(?:FullPanoWidth|CroppedAreaImageWidth|CroppedAreaLeft)Pixels"
_HEIGHT = rb"tiff:ImageLength|exif:PixelYDimension|stDim:h"
_WIDTH = rb"tiff:ImageWidth|exif:PixelXDimension|stDim:w"
# Elements and attributes about what is left out: thumbnails, gain maps, the second part
# of long XMP, and videos.
_GONE = (
    rb"<(xmp|xap):Thumbnails\b.*?</\1:Thumbnails>",
    rb"<((?:GContainer|Container):Directory)\b.*?</\1>",
    rb"<(hdrgm:\w+)\b[^>]*?(?:/>|>.*?</\1>)",
    *(
        rb"""\s%s\s*=\s*(?:"[^"]*"|'[^']*')""" % name
        for name in (
            *(rb"hdrgm:\w+", rb"xmpNote:HasExtendedXMP"),
            rb"GCamera:(?:Motion|Micro)\w+",
        )
    ),
)
_IS_POINT = 1025, 2


def fit_xmp(xmp: bytes, size: tuple[int, int], scales: Sequence[float]) -> bytes:
    """Returns XMP for an upright result of (height, width), larger by two factors."""
    for pattern in _GONE:
        xmp = re.sub(pattern, b"", xmp, flags=re.DOTALL)
    lengths = {rb"tiff:Orientation": 1, _HEIGHT: size[0], _WIDTH: size[1]}
    for names, length in lengths.items():
        xmp = re.sub(_PROPERTY % names, rb"\g<1>%d" % length, xmp)
    for names, scale in zip((_DOWN, _ACROSS), scales, strict=True):

        def grow(match, scale=scale):
            return match[1] + b"%d" % round(float(match[2]) * scale)

        xmp = re.sub(_PROPERTY % names, grow, xmp)
    return xmp


def fit_geo(tags: Mapping[int, Any], scales: Sequence[float]) -> dict[int, Any]:
    """Returns a GeoTIFF's tags, as Pillow reads them, for a larger picture."""
    fitted = dict(tags)
    down, across = scales
    keys = np.reshape(np.ravel(tags.get(GEO_KEYS, ())), (-1, 4))
    # Whether whole numbers are the centres of pixels, not their corners.
    is_point = any((key[0], key[3]) == _IS_POINT for key in keys)
    shift = 0.5 * is_point
    if PIXEL_SCALE in tags:
        x, y, *rest = tags[PIXEL_SCALE]
        fitted[PIXEL_SCALE] = (x / across, y / down, *rest)
    if TIE_POINTS in tags:
        points = np.reshape(tags[TIE_POINTS], (-1, 6)).astype(float)
        points[:, :2] = (points[:, :2] + shift) * (across, down) - shift
        fitted[TIE_POINTS] = tuple(points.ravel().tolist())
    if TRANSFORMATION in tags:
        matrix = np.reshape(tags[TRANSFORMATION], (4, 4)).astype(float)
        factors = 1 / np.array([across, down])
        matrix[:, 3] += matrix[:, :2] @ (shift * factors - shift)
        matrix[:, :2] *= factors
        fitted[TRANSFORMATION] = tuple(matrix.ravel().tolist())
    return fitted
