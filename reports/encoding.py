"""Encodes pictures as data URIs, at the best quality that fits in the page."""

import base64
import dataclasses
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from reports.regions import Region

# Largest sides of pictures, in pixels, and qualities of JPEG (None for PNG), in the
# order in which they are tried. Larger pictures would overload the browser.
SIDES = (2048, 1024, 512, 256, 128)
QUALITIES = (None, 95, 88)


@dataclasses.dataclass(frozen=True)
class Window:
    """The part of a picture that is shown: its first row and column, and its size."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Returns the part of a picture (H, W, ...), a view."""
        rows = slice(self.top, self.top + self.height)
        return picture[rows, self.left : self.left + self.width]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """The same part of all pictures of one image, encoded."""

    window: Window
    # Of JPEG; None for PNG, which is lossless.
    quality: int | None
    # From a picture's name to a data URI.
    uris: dict[str, str]


def encode(picture: np.ndarray, quality: int | None = None) -> str:
    """Encodes a picture as a data URI.

    Args:
        picture: uint8 (H, W, 3).
        quality: Quality of JPEG, without chroma subsampling; None for PNG.
    """
    kind = "png" if quality is None else "jpeg"
    options = {} if quality is None else {"quality": quality, "subsampling": 0}
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def encode_to_fit(
    pictures: Mapping[str, np.ndarray], region: Region, room: int
) -> Encoded | None:
    """Encodes the pictures of one image so that all of them together fit.

    Args:
        pictures: From a name to uint8 (H, W, 3), all of one shape.
        region: The region that must be visible.
        room: Largest number of characters of all pictures together.

    Returns:
        The first of whole and cut, lossless and lossy pictures that fit; None if none
        do.
    """
    size = next(iter(pictures.values())).shape[:2]
    windows = dict.fromkeys(_place(size, region, side) for side in SIDES)
    for window in windows:
        for quality in QUALITIES:
            uris = {n: encode(window.cut(p), quality) for n, p in pictures.items()}
            if sum(map(len, uris.values())) <= room:
                return Encoded(window, quality, uris)
    return None


def _place(size, region, side):
    """Returns a window of at most `side`, centred on the region where possible.

    No region is larger than the smallest window.
    """
    spans = []
    for length, start in zip(size, (region.top, region.left), strict=True):
        span = min(length, side)
        first = start + region.side // 2 - span // 2
        spans.append((min(max(first, 0), length - span), span))
    (top, height), (left, width) = spans
    return Window(top, left, height, width)
