"""Crops of pictures beside one another, labelled."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imaging.imresize import imresize_part
from reports.regions import find_regions_of_rows

# What small crops are enlarged to, about, by a whole number.
SHOWN_SIDE = 288

FONT_SIZE = 14
GAP, LINE = 8, 22
PAPER, INK = (255, 255, 255), (40, 40, 40)


def draw_comparison(lr, sr, scale, side=96, count=3, label="ours"):
    """Draws where an enlargement differs most from bicubic's.

    Bicubic is MATLAB's `imresize`, computed a few rows at a time, so that beside
    the two pictures little memory is needed however large they are.

    Args:
        lr: uint8 (H, W, 3), the input.
        sr: uint8 (H', W', 3), its enlargement, H' and W' about H and W times `scale`.
        scale: By how much it was enlarged, any number of at least 1.
        side: Of the crops, in pixels of `sr`; less where that is smaller.
        count: At most how many places are shown.
        label: What `sr` is called.

    Returns:
        uint8 (H, W, 3): A row for each place, the most different first; columns are
        the input, bicubic and `sr`.
    """
    size = sr.shape[:2]

    def read_rows(start, end):
        whole = (0, size[1])
        bicubic = imresize_part(lr, scale, size, (start, end), whole)
        return bicubic, sr[start:end]

    regions = find_regions_of_rows(read_rows, size, side, count)
    rows = []
    for region in regions:
        bounds = [(x, x + region.side) for x in (region.top, region.left)]
        crops = {
            "input": _enlarge_input(lr, scale, region),
            "bicubic": imresize_part(lr, scale, size, *bounds),
            label: region.cut(sr),
        }
        rows.append((_describe(region), crops))
    return draw_side_by_side(rows)


def _describe(region):
    return (
        f"{region.side} x {region.side} pixels from ({region.left}, {region.top}), "
        f"{region.difference:.1f} grey levels apart"
    )


def _enlarge_input(lr, scale, region):
    """The input's pixels where a region of the output is, as large as the others."""
    zoom = _choose_zoom(region.side)
    # Centres of the shown pixels; by the scale alone, which need not be a whole number.
    centres = (np.arange(region.side * zoom) + 0.5) / zoom
    rows, columns = (
        np.minimum((start + centres) / scale, length - 1).astype(int)
        for start, length in zip((region.top, region.left), lr.shape, strict=False)
    )
    return lr[np.ix_(rows, columns)]


def draw_side_by_side(rows):
    """Draws rows of square crops on one sheet, each crop under its label.

    Args:
        rows: list of (text, crops): a line above the row, empty for none, and from a
            label to uint8 (H, H, 3). Small crops are enlarged to about `SHOWN_SIDE`.

    Returns:
        uint8 (H, W, 3).
    """
    font = ImageFont.load_default(FONT_SIZE)
    rows = [(text, {n: _enlarge(c) for n, c in crops.items()}) for text, crops in rows]
    labelled = [item for _, crops in rows for item in crops.items()]
    # Of a small crop, the label is wider.
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
    """Enlarges a square by a whole number, each pixel to a square."""
    zoom = _choose_zoom(len(crop))
    return crop.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _choose_zoom(side):
    return max(1, SHOWN_SIDE // side)
