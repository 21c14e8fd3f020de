import tracemalloc

import numpy as np
import pytest

from imaging.crops import DRAWS, centre_patch, random_patch


def numbered(height, width):
    """A picture whose pixels are all different: row in red, column in green."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, 0 * x], -1).astype(np.uint8)


def test_the_centre_is_the_middle():
    patch = centre_patch(numbered(20, 30), 10)
    assert patch.shape == (10, 10, 3)
    assert (patch[0, 0, :2] == [5, 10]).all()


@pytest.mark.parametrize("size", [(7, 9), (5, 40), (40, 5), (1, 1)])
def test_pictures_smaller_than_the_patch_are_enlarged(size):
    picture = np.full((*size, 3), 77, np.uint8)
    assert (centre_patch(picture, 10) == 77).all()
    draw = np.full(DRAWS, 0.7)
    assert random_patch(picture, 10, draw, True).shape == (10, 10, 3)
    assert random_patch(picture, 10, draw, False).shape == (10, 10, 3)


def draw_corners(size, within_square):
    draws = np.random.default_rng(0).random((2000, DRAWS))
    draws[:, 3:] = 0.9  # Not mirrored.
    picture = numbered(*size)
    patches = [random_patch(picture, 10, draw, within_square) for draw in draws]
    return {tuple(patch[0, 0, :2].tolist()) for patch in patches}


def test_every_place_is_drawn():
    corners = draw_corners((14, 18), within_square=False)
    assert corners == {(y, x) for y in range(5) for x in range(9)}
    corners = draw_corners((14, 18), within_square=True)
    assert corners == {(y, x) for y in range(5) for x in range(9)}


def test_within_a_square_the_middle_of_the_long_side_is_favoured():
    def spread(within_square):
        draws = np.random.default_rng(0).random((2000, DRAWS))
        draws[:, 3:] = 0.9
        picture = numbered(14, 40)
        return np.std(
            [random_patch(picture, 10, d, within_square)[0, 0, 1] for d in draws]
        )

    assert spread(True) < 0.95 * spread(False)


def test_both_flips_are_drawn():
    picture = numbered(10, 10)
    corners = {
        tuple(random_patch(picture, 10, [0, 0, 0, a, b], False)[0, 0, :2].tolist())
        for a in (0.2, 0.8)
        for b in (0.2, 0.8)
    }
    assert corners == {(0, 0), (0, 9), (9, 0), (9, 9)}


@pytest.mark.parametrize("size", [(1, 65500), (65500, 1)])
def test_a_strip_of_one_pixel_takes_little_memory_and_is_drawn_everywhere(size):
    strip = np.arange(65500).astype(np.uint8).reshape(size)[..., None].repeat(3, -1)
    tracemalloc.start()
    patches = [
        random_patch(strip, 192, draw, False)
        for draw in np.random.default_rng(0).random((50, DRAWS))
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * 192 * 192 * 3 * 2
    assert len({int(patch[0, 0, 0]) for patch in patches}) > 30


def test_what_is_enlarged_is_cut_from_every_place_of_the_long_side():
    strip = np.repeat(np.arange(40, dtype=np.uint8), 3).reshape(1, 40, 3)
    values = {
        int(random_patch(strip, 4, [0, 0, left, 0, 0], False)[0, 0, 0])
        for left in np.linspace(0, 0.999, 200)
    }
    assert values == set(range(40))
