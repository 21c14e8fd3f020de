"""Pictures as text within a page, as good as the room allows."""

import base64
import dataclasses
import io

from PIL import Image

# What is tried in turn: pictures of at most so many pixels a side, each without loss
# and then as JPEG of these qualities. Larger ones would choke the browser.
SIDES = (2048, 1024, 512, 256, 128)
QUALITIES = (None, 95, 88)


@dataclasses.dataclass(frozen=True)
class Window:
    """The part of a picture that is shown.

    Attributes:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    top: int
    left: int
    height: int
    width: int

    def cut(self, picture):
        """The part of a picture (H, W, ...); a view."""
        rows = slice(self.top, self.top + self.height)
        return picture[rows, self.left : self.left + self.width]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Pictures as they stand in the page.

    Attributes:
        window: Which part of each.
        quality: Of JPEG; None for PNG, which loses nothing.
        uris: From a picture's name to a data URI.
    """

    window: Window
    quality: int | None
    uris: dict


def encode(picture, quality=None):
    """Encodes a picture.

    Args:
        picture: uint8 (H, W, 3).
        quality: Of JPEG, with colour as fine as luma; None for PNG.

    Returns:
        str: A data URI.
    """
    buffer, image = io.BytesIO(), Image.fromarray(picture)
    if quality is None:
        kind = "png"
        image.save(buffer, kind)
    else:
        kind = "jpeg"
        image.save(buffer, kind, quality=quality, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def encode_to_fit(pictures, region, room):
    """Encodes pictures that are compared so that all of them together fit.

    Args:
        pictures: From a name to uint8 (H, W, 3), all of one shape.
        region: `reports.regions.Region` that has to be seen.
        room: Characters that they may take.

    Returns:
        Encoded: The first of whole and cut, lossless and lossy, that fits; None if
        none does.
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
    """The window of at most `side` that has a region as near to its middle as can be.

    A region is never larger than the smallest of them.
    """
    spans = []
    for length, start in zip(size, (region.top, region.left), strict=True):
        span = min(length, side)
        first = start + region.side // 2 - span // 2
        spans.append((min(max(first, 0), length - span), span))
    (top, height), (left, width) = spans
    return Window(top, left, height, width)
