import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from frozen.engines import compile_part
from imaging.dihedral import DIHEDRAL, invert, transform
from imaging.imresize import imresize
from tests.small import make_small
from tests.test_frozen import freeze
from upscaling import passes
from upscaling.cutting import choose_sides, cut, find_margins
from upscaling.tiles import Stage, Tiling, find_scale, make_part, upscale_image


def draw_lr(height, width):
    return np.random.default_rng(0).uniform(0, 255, (height, width, 3))


def double(x):
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


def make_plain(seen=None, bytes_per_pixel=100.0):
    """Two stages that enlarge by repeating pixels."""

    def run(x):
        if seen is not None:
            seen.append(x.shape[1:3])
        return double(x)

    return [Stage(run, 2, 3, bytes_per_pixel, 48) for _ in range(2)]


@pytest.mark.parametrize("length", [1, 17, 100, 101, 333])
@pytest.mark.parametrize("side", [20, 31, 90])
@pytest.mark.parametrize("margin", [0, 4, 7])
def test_windows_keep_everything_once_and_see_their_margins(length, side, margin):
    windows = cut(length, (0, length), side, margin)
    kept = [pixel for w in windows for pixel in range(w.first, w.last)]
    assert kept == list(range(length))
    assert len({w.end - w.start for w in windows}) == 1
    for w in windows:
        assert w.start >= 0 and w.end <= length and w.end - w.start <= side
        assert w.start == 0 or w.first - w.start >= margin
        assert w.end == length or w.end - w.last >= margin


def test_windows_cover_only_what_is_wanted():
    windows = cut(1000, (300, 420), 60, 10)
    assert (windows[0].first, windows[-1].last) == (300, 420)
    assert windows[0].start >= 290 and windows[-1].end <= 430


def test_a_tile_is_read_as_far_as_all_later_stages_see():
    stages = [Stage(None, 1, 74, 1), Stage(None, 2, 12, 1), Stage(None, 2, 12.5, 1)]
    assert find_margins(stages) == [74 + 12 + 7, 12 + 7, 13]
    assert find_margins(stages, overlap=16) == [16, 16, 13]


@pytest.mark.parametrize("size", [(64, 64), (50, 3000), (3000, 50), (997, 1301)])
def test_the_chosen_tiles_keep_to_the_memory_and_have_one_shape(size):
    seen = []
    stages = make_plain(seen, bytes_per_pixel=1000.0)
    lr = np.zeros((*size, 3), np.uint8)
    upscale_image(stages, lr, Tiling(memory=20_000_000))
    # One for each of the two stages, which see different margins.
    assert len(set(seen)) <= 2
    for height, width in seen:
        assert height * width * 1000 <= 20_000_000


def test_what_a_stage_keeps_is_not_spent_on_the_next():
    stages = [Stage(None, 1, 5, 100, 60), Stage(None, 2, 5, 100)]
    (height, width), (inner_height, inner_width) = choose_sides(
        stages, find_margins(stages), (5000, 5000), 100_000_000
    )
    assert height * width * 60 + inner_height * inner_width * 100 <= 100_000_000


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(70, 83), (9, 90), (5, 3)])
def test_tiles_give_the_picture_of_one_pass(scale, size):
    model, lr = make_small(), draw_lr(*size)
    whole = model.forward(tf.constant(lr[None], tf.float32), scale).numpy()[0]
    for tiling in (Tiling(size=16), Tiling(size=7), Tiling(memory=1), Tiling()):
        tiled = upscale_image(model.stages(scale), lr, tiling)
        assert tiled.shape == (size[0] * scale, size[1] * scale, 3)
        # Convolutions of other sizes may add in another order.
        np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-2)


def test_margins_that_are_too_narrow_would_be_seen():
    model, lr = make_small(), draw_lr(70, 83)
    whole = upscale_image(model.stages(2), lr)
    tiled = upscale_image(model.stages(2), lr, Tiling(size=16, overlap=2))
    assert np.abs(whole - tiled).max() > 0.05


def test_a_wider_overlap_is_never_less_exact_and_the_widest_is_exact():
    model, lr = make_small(), draw_lr(70, 83)
    whole = upscale_image(model.stages(2), lr)
    errors = [
        np.abs(upscale_image(model.stages(2), lr, Tiling(16, overlap)) - whole).max()
        for overlap in (0, 4, 40)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-2


def test_only_the_result_is_whole_in_memory():
    lr = np.zeros((1000, 750, 3), np.uint8)
    tracemalloc.start()
    try:
        sr = upscale_image(
            make_plain(), lr, Tiling(size=64), finish=lambda tile: tile.astype(np.uint8)
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # As float32 it would be four times as much.
    assert sr.nbytes < peak < 1.2 * sr.nbytes


def test_pixels_are_told_once_each():
    told = []
    lr = draw_lr(40, 51)
    upscale_image(make_plain(), lr, Tiling(size=10), advance=told.append)
    assert sum(told) == pytest.approx(40 * 51 * 16) and len(told) > 4


def test_a_stage_that_sees_far_is_more_of_the_work():
    stages = [Stage(double, 2, 30, 100, 48), Stage(double, 2, 10, 100, 48)]
    told = []
    upscale_image(stages, draw_lr(20, 20), advance=told.append)
    # Of 30 and of 10 for each of four pixels.
    assert told == pytest.approx([80 * 80 * 3 / 7, 80 * 80 * 4 / 7])


def test_a_result_is_finished_tile_by_tile():
    sizes = []

    def finish(tile):
        sizes.append(tile.shape)
        return tile.astype(np.uint8)[..., :1]

    lr = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    sr = upscale_image(make_plain(), lr, Tiling(size=20), finish=finish)
    assert sr.dtype == np.uint8 and sr.shape == (360, 280, 1)
    assert max(height * width for height, width, _ in sizes) < 360 * 280 / 4
    expected = np.repeat(np.repeat(lr[..., :1], 4, axis=0), 4, axis=1)
    np.testing.assert_array_equal(sr, expected)


def test_tiles_that_do_not_fit_are_halved_until_they_do():
    largest = []

    def run(x):
        if x.shape[1] * x.shape[2] > 40 * 40:
            raise MemoryError
        largest.append(x.shape[1] * x.shape[2])
        return double(x)

    lr = np.random.default_rng(0).integers(0, 256, (130, 170, 3), np.uint8)
    stages = [Stage(run, 2, 3, 1, 1) for _ in range(2)]
    told = []
    sr = upscale_image(stages, lr, advance=told.append)
    expected = np.repeat(np.repeat(lr, 4, axis=0), 4, axis=1)
    np.testing.assert_array_equal(sr, expected)
    assert sum(told) == pytest.approx(expected.shape[0] * expected.shape[1])
    assert max(largest) > 20 * 20


def test_what_tensorflow_has_no_memory_for_is_a_memory_error():
    def run(x):
        # More than any machine has.
        return tf.zeros((tf.shape(x)[1] * 10**6, 10**9))

    part = compile_part(Stage(run, 2, 3, 1))
    with pytest.raises(MemoryError):
        part.run(np.zeros((1, 64, 64, 3), np.float32))


def test_there_is_an_end_to_halving():
    def run(x):
        raise MemoryError

    with pytest.raises(MemoryError, match="smallest tiles"):
        upscale_image([Stage(run, 2, 3, 1)], np.zeros((90, 90, 3), np.uint8))


def test_a_frozen_file_has_the_parts_of_the_model(tmp_path):
    from frozen.upscaler import Upscaler

    model = make_small()
    upscaler = Upscaler(freeze(model, (2, 4), tmp_path / "model.pb"))
    for scale, count in ((2, 2), (4, 3)):
        ours, theirs = model.stages(scale), upscaler.stages(scale)
        assert len(ours) == len(theirs) == count
        for one, other in zip(ours, theirs, strict=True):
            assert (one.scale, one.bytes_per_pixel) == (
                other.scale,
                other.bytes_per_pixel,
            )
            assert one.radius <= other.radius < one.radius + 1


@pytest.mark.parametrize("how", DIHEDRAL)
def test_a_turn_can_be_undone(how):
    image = draw_lr(5, 7)
    np.testing.assert_array_equal(invert(transform(image, how), how), image)


def test_all_eight_turns_differ():
    image = draw_lr(6, 6)
    assert len({transform(image, how).tobytes() for how in DIHEDRAL}) == 8


def test_the_ensemble_is_the_mean_of_eight_whole_or_in_tiles():
    model, lr = make_small(), draw_lr(37, 50)
    stages = model.stages(2)
    expected = np.mean(
        [invert(upscale_image(stages, transform(lr, how)), how) for how in DIHEDRAL],
        axis=0,
    )
    for size in (None, 16):
        outer, inner = passes.split_memory(Tiling(size=size))
        told = []
        ensemble = passes.make_ensemble(stages, inner)
        sr = upscale_image(ensemble, lr, outer, advance=told.append)
        np.testing.assert_allclose(sr, expected, rtol=0, atol=1e-2)
        assert sum(told) == pytest.approx(74 * 100)
    # A network that prefers no direction would gain nothing.
    assert np.abs(expected - upscale_image(stages, lr)).max() > 0.05


def test_a_turned_picture_has_the_turned_ensemble():
    stages, lr = make_small().stages(2), draw_lr(20, 30)
    ensemble = passes.make_ensemble(stages)
    sr = upscale_image(ensemble, lr)
    for how in DIHEDRAL:
        turned = upscale_image(ensemble, transform(lr, how))
        np.testing.assert_allclose(turned, transform(sr, how), rtol=0, atol=1e-2)


def make_plain_passes():
    """Stages of x2, x4 and x8 that see some pixels far."""

    def blur(x):
        y = np.asarray(double(x))
        y[:, 1:-1] = (y[:, :-2] + y[:, 1:-1] + y[:, 2:]) / 3
        return y

    return {
        s: [Stage(blur, 2, 1, 100, 48)] * count for s, count in ((2, 1), (4, 2), (8, 3))
    }


def test_all_passes_are_the_mean_of_three_whole_or_in_tiles():
    stages, lr = make_plain_passes(), draw_lr(40, 50)

    def take(x, scale):
        return upscale_image(stages[scale], x)

    expected = (take(take(lr, 2), 2) + take(lr, 4) + imresize(take(lr, 8), 0.5)) / 3
    for size in (None, 16):
        outer, inner = passes.split_memory(Tiling(size=size))
        told = []
        stage = passes.make_all_passes(stages, inner)
        assert find_scale(stage) == 4
        sr = upscale_image(stage, lr, outer, advance=told.append)
        np.testing.assert_allclose(sr, expected, rtol=0, atol=1e-3)
        assert sum(told) == pytest.approx(40 * 50 * 16)


def test_a_part_that_computes_with_sizes_is_told_in_one_line():
    def resize(x):
        return keras.ops.image.resize(x, (2 * x.shape[1], 2 * x.shape[2]))

    part = compile_part(make_part(resize, 2, 1, 3))
    with pytest.raises(InputError, match="for pictures of unknown height and width"):
        part.run(tf.zeros((1, 8, 8, 3)))
