"""The shift that hides the enlarged pixel's grid from discriminator and predictors."""

import numpy as np
import pytest
import tensorflow as tf

from models.four_pass_losses import Shift, differentiate_losses
from tests.four_pass import (
    LOSSES,
    make_four_pass,
    take_step,
    weigh_only,
    write_predictors,
)
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
    """Values, and gradients of the estimates and of the discriminator's weights."""
    networks = model.training, model.discriminator, model.predictors
    values, asked, of_discriminator = differentiate_losses(
        *networks, sr, hr, 1.0, shift
    )
    gradients = [asked, *(of_discriminator or [])]
    return values, [gradient.numpy() for gradient in gradients]


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
    sr, hr = pictures
    if field in ("las", "lss"):
        # The scores' losses are 0 where the estimates have theirs, as these do.
        sr, hr = tf.repeat(hr, 3, axis=0), sr[: len(hr)]
    values, gradients = differentiate(model, sr, hr, Shift(tf.constant(BY)))
    moved = [tf.roll(images, BY, (1, 2)) for images in (sr, hr)]
    expected, (there, *others) = differentiate(model, *moved, Shift())
    assert np.any(there)
    back = np.roll(there, (-BY[0], -BY[1]), (1, 2))
    # Of the reconstruction, which is not moved, only the sum's order differs.
    for one, other in zip(gradients, (back, *others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert values.keys() == expected.keys()
    for name, value in values.items():
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-5), name


def test_a_training_step_takes_the_shift_of_its_number(paths):
    batch = draw_batch(4)
    plain = take_step(make_four_pass(**paths), batch)
    model = make_four_pass(**paths, judge_shift=3)
    model.state.step.assign(5)
    shift = Shift.at(tf.constant(5, tf.int64), 3)
    assert np.any(shift.by)
    lr, hr = (tf.cast(part, tf.float32) for part in batch)
    estimates = tf.concat([model.estimate(lr, last) for last in (2, 4, 8)], 0)
    expected, _ = differentiate(model, estimates, hr, shift)
    moved = take_step(model, batch)
    for name, value in expected.items():
        assert moved[name] == pytest.approx(float(value), rel=1e-4), name
    assert moved["reconstruction"] == pytest.approx(plain["reconstruction"])
    assert moved["adversarial"] != pytest.approx(plain["adversarial"], rel=1e-4)
