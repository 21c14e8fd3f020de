"""Draws crops of pictures side by side, with labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imaging.imresize import imresize_part
from reports.regions import find_regions

# Approximate side of enlarged crops; they are enlarged by a whole number.
SHOWN_SIDE = 288

FONT_SIZE = 14
GAP, LINE = 8, 22
PAPER, INK = (255, 255, 255), (40, 40, 40)


def draw_comparison(
    lr: np.ndarray, sr: np.ndarray, scale: float, side: int = 96, count: int = 3
) -> np.ndarray:
    """Draws the regions where a result differs most from bicubic.

    Bicubic is MATLAB's `imresize`. It is computed a few rows at a time, so large
    pictures need little further memory.

    Args:
        lr: uint8 (H, W, 3), the input.
        sr: uint8 (H', W', 3), the result, where H' and W' are about H and W times
            `scale`.
        scale: Upscaling factor, any positive number.
        side: Side of the crops, in pixels of `sr`; less if `sr` is smaller.
        count: Largest number of regions.

    Returns:
        uint8 (H, W, 3): A row for each region, the most different first; columns are
        the input, bicubic and the result.
    """
    size = sr.shape[:2]

    def read_rows(start, end):
        bicubic = imresize_part(lr, scale, size, (start, end), (0, size[1]))
        return bicubic, sr[start:end]

    rows = []
    for region in find_regions(read_rows, size, side, count):
        bounds = [(x, x + region.side) for x in (region.top, region.left)]
        crops = {
            "input": _enlarge_input(lr, scale, region),
            "bicubic": imresize_part(lr, scale, size, *bounds),
            "ours": region.cut(sr),
        }
        text = (
            f"{region.side} x {region.side} pixels from ({region.left}, {region.top}), "
            f"{region.difference:.1f} grey levels apart"
        )
        rows.append((text, crops))
    return draw_side_by_side(rows)


def _enlarge_input(lr, scale, region):
    """Enlarges the input's pixels of a region of the output, without interpolation."""
    zoom = _choose_zoom(region.side)
    # Centres of the shown pixels; the scale need not be a whole number.
    centres = (np.arange(region.side * zoom) + 0.5) / zoom
    rows, columns = (
        np.minimum((start + centres) / scale, length - 1).astype(int)
        for start, length in zip((region.top, region.left), lr.shape, strict=False)
    )
    return lr[np.ix_(rows, columns)]


def draw_side_by_side(
    rows: Sequence[tuple[str, Mapping[str, np.ndarray]]],
) -> np.ndarray:
    """Draws rows of square crops, each crop below its label.

    Args:
        rows: (text, crops) of each row: a line above the row, which may be empty, and
            from a label to uint8 (H, H, 3). Small crops are enlarged to about
            `SHOWN_SIDE`.

    Returns:
        uint8 (H, W, 3).
    """
    font = ImageFont.load_default(FONT_SIZE)
    rows = [(text, {n: _enlarge(c) for n, c in crops.items()}) for text, crops in rows]
    labelled = [item for _, crops in rows for item in crops.items()]
    # A label may be wider than its crop.
    column = max(max(len(c), int(font.getlength(n))) for n, c in labelled) + GAP
    heights = [
        (1 + bool(text)) * LINE + max(map(len, crops.values())) + GAP
        for text, crops in rows
    ]
    width = max(
        max(len(crops) for _, crops in rows) * column + GAP,
        max(int(font.getlength(text)) for text, _ in rows) + 2 * GAP,
    )
    sheet = Image.new("RGB", (width, sum(heights) + GAP), PAPER)
    draw, top = ImageDraw.Draw(sheet), GAP
    for height, (text, crops) in zip(heights, rows, strict=True):
        draw.text((GAP, top), text, INK, font)
        below = top + LINE * bool(text)
        for index, (label, crop) in enumerate(crops.items()):
            left = GAP + index * column
            draw.text((left, below), label, INK, font)
            sheet.paste(Image.fromarray(crop), (left, below + LINE))
        top += height
    return np.asarray(sheet)


def _enlarge(crop):
    """Enlarges a square by a whole number, without interpolation."""
    zoom = _choose_zoom(len(crop))
    return crop.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _choose_zoom(side):
    return max(1, SHOWN_SIDE // side)
