import numpy as np
import pytest

from imaging.tiles import Stage, cut, make_stages, upscale_image
from tests.small import SMALL, make_small


def test_a_length_is_cut_into_nearly_equal_parts_without_gaps():
    parts = cut(100, side=30, margin=4)
    assert [end - start for start, end in parts] == [25, 25, 25, 25]
    assert parts[0][0] == 0 and parts[-1][1] == 100
    assert all(a[1] == b[0] for a, b in zip(parts, parts[1:], strict=False))


def test_a_length_that_fits_with_its_margins_is_left_whole():
    assert cut(38, side=30, margin=4) == [(0, 38)]
    assert len(cut(39, side=30, margin=4)) == 2


@pytest.mark.parametrize("scale", SMALL.model_scales)
def test_tiles_give_the_picture_of_one_pass(scale):
    model = make_small()
    lr = np.random.default_rng(0).uniform(0, 255, (70, 83, 3))
    whole = upscale_image(model.stages(scale), lr, tile_size=100)
    tiled = upscale_image(model.stages(scale), lr, tile_size=16)
    assert whole.shape == (70 * scale, 83 * scale, 3)
    # Convolutions of other sizes may add in another order.
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-2)


def test_margins_that_are_too_narrow_would_be_seen():
    model = make_small()
    trunk, head = model.stages(2)
    narrow = make_stages(trunk.run, head.run, 2, (2, 2), 4)
    lr = np.random.default_rng(0).uniform(0, 255, (70, 83, 3))
    whole = upscale_image([trunk, head], lr, tile_size=100)
    tiled = upscale_image(narrow, lr, tile_size=16)
    assert np.abs(whole - tiled).max() > 0.05


def test_the_chosen_tiles_keep_to_the_memory():
    seen = []

    def run(x):
        seen.append(x.shape[1] * x.shape[2])
        return x

    stage = Stage(run, scale=1, radius=5, bytes_per_pixel=100)
    image = np.random.default_rng(0).uniform(0, 255, (200, 300, 3))
    output = upscale_image([stage], image, memory=100 * 64 * 64)
    assert max(seen) <= 64 * 64
    np.testing.assert_array_equal(output, image.astype(np.float32))
