"""The measure of the regular grid, on pictures drawn here."""

import numpy as np
import pytest

from metrics.grid import grid
from metrics.optional import PictureMetrics


def draw_noise(height=160, width=200, seed=0, deviation=4.0):
    """Smooth noise, as the texture of a photograph: its spectrum falls towards 1/2."""
    noise = np.random.default_rng(seed).normal(0, deviation, (height, width, 1))
    noise = noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)
    return np.clip(np.repeat(120 + noise, 3, axis=2), 0, 255)


def draw_gradient(height=160, width=200):
    """A curved gradient: a straight one may be rounded to steps of 2 or 4 pixels."""
    rows, columns = np.mgrid[:height, :width]
    picture = 80 + 60 * np.sin(rows / 70) + 50 * np.cos(columns / 90)
    return np.repeat(picture[..., None], 3, axis=2)


def add_lines(image, period, axis, height=3.0):
    """Makes every second or fourth line along an axis brighter."""
    lines = np.indices(image.shape)[axis] % period == 0
    return image + height * lines


@pytest.mark.parametrize("picture", [draw_noise(400, 400), draw_gradient()])
def test_pictures_without_a_grid_are_near_1(picture):
    assert grid(picture) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("draw", [draw_noise, draw_gradient])
def test_a_grid_is_found_on_either_axis(draw, period, axis):
    assert grid(add_lines(draw(), period, axis)) > 2


def test_other_periods_are_not_taken_for_a_grid():
    for period in (3, 5, 7):
        assert grid(add_lines(draw_noise(400, 400), period, 1)) < 1.2


def test_checkers_and_dots_are_found():
    rows, columns, _ = np.indices(draw_noise().shape)
    assert grid(draw_noise() + 3 * ((rows + columns) % 2)) > 2
    assert grid(draw_noise() + 12 * (rows % 4 == 0) * (columns % 4 == 0)) > 2


def test_a_stronger_grid_has_a_higher_value():
    values = [grid(add_lines(draw_noise(), 2, 1, height)) for height in (0, 2, 4, 8)]
    assert values == sorted(values) and values[-1] > 3 * values[1]


def test_a_grid_in_a_flat_place_is_found_beside_strong_edges():
    picture = draw_gradient(256, 512)
    picture[:, 256:] = draw_noise(256, 256, deviation=60)
    assert grid(picture) < 1.3
    picture[:, :256] = add_lines(picture[:, :256], 2, 1)
    assert grid(picture) > 2


def test_the_value_depends_little_on_size_and_brightness():
    large = add_lines(draw_noise(600, 800), 2, 1)
    assert grid(large[:300, :400]) == pytest.approx(grid(large), rel=0.1)
    # Integers, so that rounding is the same.
    darker = np.round(large) - 30
    assert grid(darker) == pytest.approx(grid(np.round(large)), rel=1e-9)


def test_flat_and_tiny_pictures():
    assert grid(np.full((33, 300, 3), 77, np.uint8)) == pytest.approx(1)
    for shape in ((32, 300, 3), (300, 32, 3), (1, 1, 3)):
        assert np.isnan(grid(np.zeros(shape, np.uint8)))
    small = draw_noise(40, 44)
    assert grid(add_lines(small, 2, 0, 10.0)) > 2 > grid(small)


def test_shaving_is_cutting():
    image = draw_noise()
    assert grid(image, shave=5) == grid(image[5:-5, 5:-5])
    assert np.isnan(grid(image, shave=70)) and np.isnan(grid(image, shave=90))


def test_it_is_measured_only_if_asked():
    assert PictureMetrics().make() == {}
    (measure,) = PictureMetrics(measure_grid=True).make().values()
    sr, hr = add_lines(draw_noise(), 2, 1), draw_noise()
    assert measure(sr, hr, shave=4) == grid(sr, shave=4) > 2
