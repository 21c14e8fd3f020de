"""How 4PP-EUSR's three estimates are made."""

import numpy as np
import pytest
import tensorflow as tf

from imaging.imresize import imresize
from models.four_pass_values import halve
from tests.four_pass import make_four_pass, weigh_only
from tests.small import draw_batch


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


def test_the_x2_estimate_is_two_passes_and_the_x4_estimate_one(batch):
    model = make_four_pass(**weigh_only("lr"))
    lr = tf.cast(batch[0], tf.float32)
    twice = model.forward(model.forward(lr, 2), 2)
    np.testing.assert_allclose(model.estimate(lr, 2), twice, atol=1e-3)
    np.testing.assert_allclose(model.estimate(lr, 4), model.forward(lr, 4), atol=1e-3)


def test_the_x8_estimate_is_halved_as_imresize_does(batch):
    model = make_four_pass(**weigh_only("lr"))
    lr = tf.cast(batch[0], tf.float32)
    large = model.forward(lr, 8).numpy()
    ours = model.estimate(lr, 8)
    for one, picture in zip(ours, large, strict=True):
        np.testing.assert_allclose(one, imresize(picture, 0.5), rtol=2e-6, atol=2e-3)


@pytest.mark.parametrize("size", [(2, 2), (6, 4), (30, 44)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_halving_is_imresize_to_the_borders(size, jit_compile):
    draw = np.random.default_rng(0)
    pictures = draw.uniform(0, 255, (2, *size, 3)).astype(np.float32)
    if min(size) < 4:
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            halve(tf.constant(pictures))
        return
    ours = tf.function(halve, jit_compile=jit_compile)(tf.constant(pictures))
    for one, picture in zip(ours, pictures, strict=True):
        np.testing.assert_allclose(one, imresize(picture, 0.5), rtol=0, atol=1e-3)


@pytest.mark.parametrize("reduction", ["antialias", "legacy"])
def test_halving_has_a_gradient_that_hands_on_all_there_is(reduction):
    x = tf.random.uniform((1, 12, 16, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(halve(x, reduction))
    gradient = tape.gradient(total, x)
    # Weights sum to one for each output, wherever they come from.
    assert float(tf.reduce_sum(gradient)) == pytest.approx(6 * 8 * 3, rel=1e-5)
    is_moved = gradient[0, 1::2, 1::2]
    assert bool(tf.reduce_all(is_moved == 0)) == (reduction == "legacy")


def test_the_legacy_reduction_keeps_each_second_pixel():
    x = tf.random.uniform((1, 8, 6, 3))
    np.testing.assert_array_equal(halve(x, "legacy"), x[:, ::2, ::2])
