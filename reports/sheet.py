"""A sheet of fixed crops, by which the steps of a training are compared by eye."""

from collections.abc import Sequence

import numpy as np

# Number of places, side of a crop, places in a line, and pixels between crops.
CROPS, SIDE, ABREAST, GAP = 12, 128, 2, 4
PAPER = 255


def find_places(index: int, count: int, size: Sequence[int]) -> list[tuple[int, int]]:
    """Finds where the crops of an image lie.

    Of many images some have one crop, in their middle; of few images each has several,
    along the diagonal.

    Args:
        index: Index of the image, of `count` images.
        count: Number of images.
        size: Height and width of the image.

    Returns:
        Top and left of each crop; empty for images that are not shown.
    """
    if count >= CROPS:
        number = int(index in {i * count // CROPS for i in range(CROPS)})
    else:
        number = CROPS // count + (index < CROPS % count)
    height, width = (max(length - SIDE, 0) for length in size)
    parts = number + 1
    return [(height * i // parts, width * i // parts) for i in range(1, parts)]


def cut(image: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """Cuts a crop of a place, uint8 (H, W, 3) with sides of at most `SIDE`."""
    top, left = place
    return image[top : top + SIDE, left : left + SIDE]


def draw_sheet(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Draws the crops of a place beside each other, two places a line.

    Args:
        rows: For each place the crops to compare, uint8 (H, W, 3).

    Returns:
        uint8 (H, W, 3).
    """
    cell = SIDE + GAP
    lines = -(-len(rows) // ABREAST)
    # Twice the space between places.
    wide = len(rows[0]) * cell + GAP
    sheet = np.full((lines * cell + GAP, ABREAST * wide + GAP, 3), PAPER, np.uint8)
    for index, crops in enumerate(rows):
        top, left = index // ABREAST * cell + GAP, index % ABREAST * wide + GAP
        for crop in crops:
            height, width = crop.shape[:2]
            sheet[top : top + height, left : left + width] = crop
            left += cell
    return sheet
