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
    """A square of a picture.

    Attributes:
        top: First row.
        left: First column.
        side: Rows and columns.
        difference: Mean absolute difference in the square, in grey levels.
    """

    top: int
    left: int
    side: int
    difference: float = 0.0

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Returns the square of a picture (H, W, ...), a view."""
        return picture[
            self.top : self.top + self.side, self.left : self.left + self.side
        ]


def find_regions(
    first: np.ndarray, second: np.ndarray, side: int, count: int = 1
) -> list[Region]:
    """Finds the regions where two pictures differ most.

    Args:
        first: uint8 (H, W, 3).
        second: uint8 of the same shape.
        side: Side of the squares; less if the pictures are smaller.
        count: Largest number of regions.

    Returns:
        See `find_regions_of_rows`.
    """

    def read_rows(start, end):
        return first[start:end], second[start:end]

    return find_regions_of_rows(read_rows, first.shape[:2], side, count)


def find_regions_of_rows(
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
    tops, lefts = (_list_starts(length, side, stride) for length in size)
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


def _list_starts(length, side, stride):
    """Lists the starts of squares along one axis; the last ends at the border."""
    return np.append(np.arange(0, length - side, stride), length - side)


def _sum_squares(read_rows, height, tops, lefts, side):
    """Sums the absolute differences in each square: int64 (tops, lefts)."""
    edges = np.unique(np.concatenate([tops, tops + side, np.arange(0, height, BAND)]))
    edges = np.append(edges[edges < height], height)
    above = np.zeros((len(edges), len(lefts)), np.int64)  # Sums of all rows above.
    for start in range(0, height, BAND):
        end = min(start + BAND, height)
        first, last = np.searchsorted(edges, (start, end))
        columns = _sum_differences(*read_rows(start, end))
        strips = np.add.reduceat(columns, edges[first:last] - start, axis=0)
        prefix = np.pad(np.cumsum(strips, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
        above[first + 1 : last + 1] = prefix[:, lefts + side] - prefix[:, lefts]
    np.cumsum(above, axis=0, out=above)
    return (
        above[np.searchsorted(edges, tops + side)] - above[np.searchsorted(edges, tops)]
    )


def _sum_differences(first, second):
    """Sums the absolute differences over the channels: int32 (H, W)."""
    difference = np.maximum(first, second) - np.minimum(first, second)
    return difference.sum(axis=-1, dtype=np.int32)
