"""Where two pictures differ most: squares that do not overlap."""

import dataclasses

import numpy as np

# Rows of both pictures that are looked at together: what bounds the memory.
BAND = 128

# Squares that are compared, about: on larger pictures they begin further apart.
POSITIONS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Region:
    """A square of a picture.

    Attributes:
        top: First row.
        left: First column.
        side: Rows and columns.
        difference: Mean absolute difference in it, in grey levels.
    """

    top: int
    left: int
    side: int
    difference: float = 0.0

    def cut(self, picture):
        """The square out of a picture (H, W, ...); a view."""
        return picture[
            self.top : self.top + self.side, self.left : self.left + self.side
        ]


def find_regions(first, second, side, count=1):
    """Finds where two pictures differ most.

    Args:
        first: uint8 (H, W, 3).
        second: The same shape.
        side: Of the squares; less where the pictures are smaller.
        count: At most how many.

    Returns:
        list of Region: See `find_regions_of_rows`.
    """

    def read_rows(start, end):
        return first[start:end], second[start:end]

    return find_regions_of_rows(read_rows, first.shape[:2], side, count)


def find_regions_of_rows(read_rows, size, side, count=1):
    """Finds where two pictures differ most that are read a few rows at a time.

    Squares begin at most an eighth of their side apart, or a little more in a
    picture of many megapixels, so that the best of all may be missed by as much.

    Args:
        read_rows: From (start, end) to those rows of both, uint8 (rows, W, 3).
        size: (H, W).
        side: Of the squares; less where the pictures are smaller.
        count: At most how many.

    Returns:
        list of Region: At least one, the most different first. They do not overlap,
        and all but the first differ somewhere.
    """
    side = min(side, *size)
    stride = max(1, side // 8, round((size[0] * size[1] / POSITIONS) ** 0.5))
    tops, lefts = (_list_starts(length, side, stride) for length in size)
    sums = _sum_squares(read_rows, size[0], tops, lefts, side)
    regions = []
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
    """Where squares may begin along one axis; the last one ends at the border."""
    return np.append(np.arange(0, length - side, stride), length - side)


def _sum_squares(read_rows, height, tops, lefts, side):
    """Sums of the absolute differences in each square, int64 (tops, lefts)."""
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
    """Absolute differences, summed over the channels: int32 (H, W)."""
    difference = np.maximum(first, second) - np.minimum(first, second)
    return difference.sum(axis=-1, dtype=np.int32)
