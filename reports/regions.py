"""Finds the square regions where two pictures differ most."""

import dataclasses
from collections.abc import Callable

import numpy as np

# Rows of both pictures that are compared at a time, which bounds the memory.
BAND = 128

# Approximate number of squares that are compared; in larger pictures they are further
# apart.
POSITIONS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Region:
    """A square of a picture: its first row and column, and its side."""

    top: int
    left: int
    side: int
    # Mean absolute difference in the square, in grey levels.
    difference: float = 0.0

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Returns the square of a picture (H, W, ...), a view."""
        rows = slice(self.top, self.top + self.side)
        return picture[rows, self.left : self.left + self.side]


def find_regions(
    read_rows: Callable[[int, int], tuple[np.ndarray, np.ndarray]],
    size: tuple[int, int],
    side: int,
    count: int = 1,
) -> list[Region]:
    """Finds the regions where two pictures, read a few rows at a time, differ most.

    Squares are compared at a distance of an eighth of their side, or more in pictures
    of many megapixels, so the result may be off by as much.

    Args:
        read_rows: From (start, end) to these rows of both pictures, uint8 (rows, W, 3).
        size: (height, width) of the pictures.
        side: Side of the squares; less if the pictures are smaller.
        count: Largest number of regions.

    Returns:
        At least one region, the most different first. Regions do not overlap, and all
        except the first have a difference.
    """
    side = min(side, *size)
    stride = max(1, side // 8, round((size[0] * size[1] / POSITIONS) ** 0.5))
    # The last squares end at the border.
    tops, lefts = (
        np.append(np.arange(0, length - side, stride), length - side) for length in size
    )
    sums = _sum_squares(read_rows, size[0], tops, lefts, side)
    regions: list[Region] = []
    while len(regions) < count:
        row, column = np.unravel_index(np.argmax(sums), sums.shape)
        if regions and sums[row, column] <= 0:
            break
        mean = float(sums[row, column]) / (3 * side * side)
        top, left = int(tops[row]), int(lefts[column])
        regions.append(Region(top, left, side, mean))
        overlaps = [abs(x - x[i]) < side for x, i in ((tops, row), (lefts, column))]
        sums[np.ix_(*overlaps)] = -1
    return regions


def _sum_squares(read_rows, height, tops, lefts, side):
    """Sums the absolute differences in each square: int64 (tops, lefts)."""
    # Of each row, the sums of `side` pixels; then sums of all rows above.
    sums = np.zeros((height + 1, len(lefts)), np.int64)
    for start in range(0, height, BAND):
        end = min(start + BAND, height)
        first, second = read_rows(start, end)
        difference = np.maximum(first, second) - np.minimum(first, second)
        columns = difference.sum(axis=-1, dtype=np.int64)
        before = np.pad(np.cumsum(columns, axis=1), ((0, 0), (1, 0)))
        sums[start + 1 : end + 1] = before[:, lefts + side] - before[:, lefts]
    np.cumsum(sums, axis=0, out=sums)
    return sums[tops + side] - sums[tops]
