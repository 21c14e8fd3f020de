"""Transparency, tiny and flat pictures, and textures that repeat."""

import numpy as np
import pytest
from scipy import ndimage

from imaging.pictures import Picture, fill_hidden
from models.bicubic import Bicubic
from models.opening import open_model
from tests.pictures import draw_picture
from tests.small import make_small
from upscaling import passes
from upscaling.enlarging import Enlarger
from upscaling.tiles import Stage, Tiling


@pytest.fixture(scope="module")
def small():
    """Stages of a small network that enlarge by 2."""
    return make_small().stages(2)


def make_enlarger(stages, factor=2, scale=None, **options):
    return Enlarger(lambda t: (stages, t), factor, scale or factor, **options)


def draw_sprite():
    """A disc, a bar, a hole and a thin line that is not opaque."""
    y, x = np.mgrid[:32, :32]
    alpha = np.where(np.hypot(y - 13, x - 16) < 10, 255, 0)
    alpha[26:30, 3:29], alpha[8:10, 14:16] = 255, 0
    alpha[1, 2:20] = 90
    return alpha.astype(np.uint8)[..., None]


def make_ringing(factor):
    """A stage that repeats pixels and adds noise, as networks do beside edges."""

    def run(x):
        noise = np.random.default_rng(0).normal(0, 60, x.shape).astype(np.float32)
        return np.repeat(np.repeat(x + noise, factor, axis=1), factor, axis=2)

    return [Stage(run, factor, 1, 100)]


@pytest.mark.parametrize(("factor", "scale"), [(2, 2), (3, 3), (8, 8), (4, 2.5)])
def test_there_are_no_ghosts_outside_of_edges_and_no_holes_inside(factor, scale):
    alpha = draw_sprite()
    picture = Picture(np.full((32, 32, 3), 99, np.uint8), alpha)
    result = make_enlarger(make_ringing(factor), factor, scale).enlarge(picture).alpha
    size = result.shape[0]
    place = ((np.arange(size) + 0.5) * 32 / size).astype(int)
    for level in (0, 255):
        # From the centres of the result's pixels, in pixels of the source.
        away = ndimage.distance_transform_edt((alpha == level)[place][:, place, 0])
        far = result[away * 32 / size > 1 + 0.7 / scale, 0]
        assert far.size > 100 and (far == level).all()
    # Lines that are thinner than a pixel may become opaque.
    assert result[: int(2 * scale)].max() > 120


def test_alpha_of_a_mirrored_picture_is_mirrored():
    alpha = draw_sprite()
    pixels = np.zeros((32, 32, 1), np.uint8)
    for factor, scale in ((3, 3), (2, 1)):
        enlarger = make_enlarger(Bicubic().stages(factor), factor, scale)
        one = enlarger.enlarge(Picture(pixels, alpha)).alpha
        other = enlarger.enlarge(Picture(pixels, alpha[:, ::-1])).alpha[:, ::-1]
        np.testing.assert_array_equal(one, other)


def test_a_line_is_not_lost_where_a_picture_becomes_smaller():
    alpha = np.zeros((40, 40, 1), np.uint8)
    alpha[17] = 255
    picture = Picture(np.zeros_like(alpha), alpha)
    result = make_enlarger(Bicubic().stages(2), 2, 1 / 8).enlarge(picture).alpha
    assert 20 < result.max() < 80


def test_flat_and_thin_pictures_keep_their_colours():
    model = open_model("pretrained/eusr")
    enlarger = make_enlarger(model.stages(4), 4)
    for height, width in ((1, 1), (1, 40), (9, 2), (30, 30)):
        pixels = np.full((height, width, 3), (250, 40, 40), np.uint8)
        result = enlarger.enlarge(Picture(pixels)).pixels
        assert result.shape == (height * 4, width * 4, 3)
        assert np.abs(result.astype(int) - pixels[0, 0]).max() <= 3
    # A photograph is what the network makes of it.
    pixels = draw_picture(20, 20)
    result = enlarger.enlarge(Picture(pixels)).pixels
    np.testing.assert_array_equal(result, model.upscale(pixels, 4))


@pytest.mark.parametrize("tiling", [Tiling(), Tiling(size=7)])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_a_seamless_picture_may_begin_anywhere(small, tiling, scale):
    height, width = 12, 20
    pixels = draw_picture(height, width)
    alpha = np.roll(draw_sprite()[:height, :width], 6, axis=1)
    pixels = fill_hidden(pixels, alpha)
    enlarger = make_enlarger(small, 2, scale, is_seamless=True)

    def enlarge(shift):
        rolled = (np.roll(each, shift, (0, 1)) for each in (pixels, alpha))
        result = enlarger.enlarge(Picture(*rolled), tiling)
        back = [-int(each * scale) for each in shift]
        return [np.roll(a, back, (0, 1)) for a in (result.pixels, result.alpha)]

    for one, other in zip(enlarge((0, 0)), enlarge((4, 6)), strict=True):
        # Convolutions of other sizes may add in another order.
        assert np.abs(one.astype(int) - other).max() <= 1
    plain = make_enlarger(small, 2, scale).enlarge(Picture(pixels)).pixels
    assert np.abs(plain[0].astype(int) - enlarge((0, 0))[0][0]).max() > 3


def test_the_ensemble_is_seamless_too(small):
    pixels = draw_picture(10, 10)
    stages = passes.make_ensemble(small)
    enlarger = make_enlarger(stages, is_seamless=True)
    one = enlarger.enlarge(Picture(pixels)).pixels
    other = enlarger.enlarge(Picture(np.roll(pixels, 5, 1))).pixels
    assert np.abs(np.roll(one, 10, 1).astype(int) - other).max() <= 1
