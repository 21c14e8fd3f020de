import numpy as np
import pytest

from reports import regions
from reports.regions import Region
from tests.pictures import draw_picture


def find_regions(first, second, side, count=1):
    """The regions where two pictures in memory differ most."""
    return regions.find_regions(
        lambda start, end: (first[start:end], second[start:end]),
        first.shape[:2],
        side,
        count,
    )


def test_the_square_that_differs_is_found_where_it_is():
    first = draw_picture(300, 400)
    second = first.copy()
    second[160:192, 248:280] ^= 64
    (region,) = find_regions(first, second, side=32)
    assert (region.top, region.left, region.side) == (160, 248, 32)
    np.testing.assert_array_equal(region.cut(first), first[160:192, 248:280])


def test_its_difference_is_the_mean_over_its_pixels_and_channels():
    first, second = draw_picture(90, 70, 1), draw_picture(90, 70, 2)
    for region in find_regions(first, second, side=24, count=3):
        crops = [region.cut(picture).astype(float) for picture in (first, second)]
        expected = np.abs(crops[0] - crops[1]).mean()
        assert region.difference == pytest.approx(expected)


def test_no_square_differs_more_than_the_first_and_none_overlap():
    first, second = draw_picture(61, 47, 1), draw_picture(61, 47, 2)
    found = find_regions(first, second, side=7, count=9)
    difference = np.abs(first.astype(int) - second).mean(axis=-1)
    squares = np.lib.stride_tricks.sliding_window_view(difference, (7, 7))
    assert found[0].difference == pytest.approx(squares.mean(axis=(2, 3)).max())
    assert len(found) == 9
    covered = np.zeros((61, 47), int)
    for region in found:
        region.cut(covered)[:] += 1
    assert covered.max() == 1
    differences = [region.difference for region in found]
    assert differences == sorted(differences, reverse=True)


def test_the_last_rows_and_columns_are_looked_at_too():
    first = np.zeros((203, 131, 3), np.uint8)
    second = first.copy()
    second[-1, -1] = 255
    (region,) = find_regions(first, second, side=64)
    assert (region.top + region.side, region.left + region.side) == (203, 131)


def test_a_picture_smaller_than_the_side_gives_a_smaller_square():
    first, second = draw_picture(5, 9, 1), draw_picture(5, 9, 2)
    found = find_regions(first, second, side=64, count=4)
    assert [region.side for region in found] == [5]


def test_equal_pictures_have_one_region_and_no_second():
    picture = draw_picture(64, 64)
    assert find_regions(picture, picture, side=16, count=3) == [Region(0, 0, 16, 0.0)]
