"""The shift that hides the enlarged pixel's grid from discriminator and predictors."""

import numpy as np
import pytest
import tensorflow as tf

from models.four_pass_losses import Shift, differentiate_losses
from tests.four_pass import LOSSES, make_four_pass, weigh_only, write_predictors
from tests.small import draw_batch

BY = (1, 3)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_predictors(tmp_path_factory.mktemp("predictors"))


@pytest.fixture(scope="module")
def pictures():
    lr, hr = (tf.cast(part, tf.float32) for part in draw_batch(4))
    model = make_four_pass(**weigh_only("lr"))
    return tf.concat([model.estimate(lr, last) for last in (2, 4, 8)], 0), hr


def differentiate(model, sr, hr, shift):
    networks = model.training, model.discriminator, model.predictors
    values, asked, _ = differentiate_losses(*networks, sr, hr, 1.0, shift)
    return values, asked


def test_each_step_draws_its_own_and_draws_it_again():
    steps = tf.range(200, dtype=tf.int64)
    drawn = [tuple(Shift.at(step, 3).by.numpy()) for step in steps]
    assert set(drawn) == {(down, right) for down in range(4) for right in range(4)}
    assert drawn == [tuple(Shift.at(step, 3).by.numpy()) for step in steps]
    assert Shift.at(steps[0], 0).by is None


@pytest.mark.parametrize("field", LOSSES)
def test_judges_see_moved_pictures_and_their_gradient_comes_back(
    field, paths, pictures
):
    model = make_four_pass(**weigh_only(field), **paths)
    shift = Shift(tf.constant(BY))
    values, asked = differentiate(model, *pictures, shift)
    moved = [tf.roll(images, BY, (1, 2)) for images in pictures]
    expected, there = differentiate(model, *moved, Shift())
    back = np.roll(there.numpy(), (-BY[0], -BY[1]), (1, 2))
    # Of the reconstruction, which is not moved, only the sum's order differs.
    np.testing.assert_allclose(asked, back, rtol=1e-5, atol=1e-9)
    for name in (LOSSES[field], "loss"):
        assert float(values[name]) == pytest.approx(float(expected[name]), rel=1e-5)


# The scores' losses are 0 here, where the estimates have theirs.
@pytest.mark.parametrize("field", ["lr", "lg", "lar", "lsr"])
def test_what_judges_say_depends_on_the_shift_and_the_error_does_not(
    field, paths, pictures
):
    model = make_four_pass(**weigh_only(field), **paths)
    plain, moved = (
        differentiate(model, *pictures, Shift(by))[1].numpy()
        for by in (None, tf.constant(BY))
    )
    assert np.array_equal(plain, moved) == (field == "lr")
