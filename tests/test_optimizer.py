import numpy as np
import pytest
import tensorflow as tf

from tests.small import draw_batch, make_small
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions
from training.schedule import Schedule


def rates(schedule, *steps):
    return [float(schedule.at(step)) for step in steps]


def test_the_learning_rate_halves_in_steps():
    assert rates(Schedule(1e-4), 0, 199_999, 200_000, 999_999) == pytest.approx(
        [1e-4, 1e-4, 5e-5, 1e-4 / 16]
    )


def test_the_cosine_ends_at_zero_and_stays_there():
    schedule = Schedule(1e-4, decay_steps=100, kind="cosine")
    assert rates(schedule, 0, 50, 100, 200) == pytest.approx(
        [1e-4, 5e-5, 0, 0], abs=1e-10
    )


def test_the_learning_rate_rises_first():
    schedule = Schedule(1.0, decay=0.5, decay_steps=6, warmup_steps=4)
    assert rates(schedule, 0, 1, 3, 5, 6) == [0.25, 0.5, 1.0, 1.0, 0.5]


def gradients_of(model, lr, hr):
    values = [v.value for v in model.generator.path_variables(2)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(model.forward(lr, 2) - hr))
    return tape.gradient(loss, values)


def test_the_gradient_norm_is_that_of_all_gradients_together():
    model = make_small()
    lr, hr = (tf.cast(x, tf.float32) for x in draw_batch(2))
    squares = [tf.reduce_sum(g**2) for g in gradients_of(model, lr, hr)]
    norm = float(model.train_step(lr, hr, 2)["gradient_norm"])
    assert norm == pytest.approx(float(tf.sqrt(tf.add_n(squares))), rel=1e-4)


def test_gradients_are_clipped_by_their_common_norm():
    lr, hr = (tf.cast(x, tf.float32) for x in draw_batch(2))
    model = make_small(options=StepOptions(gradient_clip_norm=0.5))
    gradients = gradients_of(model, lr, hr)
    norm = float(model.train_step(lr, hr, 2)["gradient_norm"])
    assert norm > 1.0  # What is logged is the norm before.
    first = model.generator.path_variables(2)[0]
    momentum = model.optimizers["generator"]._momentums[
        model.optimizers["generator"]._get_variable_index(first)
    ]
    expected = 0.1 * gradients[0].numpy() * 0.5 / norm
    np.testing.assert_allclose(momentum.numpy(), expected, rtol=1e-3, atol=1e-9)


def test_float16_halves_its_loss_scale_instead_of_applying_an_overflow():
    model = make_small(options=StepOptions(precision="float16"))
    model.state.loss_scale.factor.assign(2.0**24)
    before = [w.numpy() for w in model.generator.weights]
    lr, hr = draw_batch(2)
    model.train_step(lr, hr, 2)
    assert float(model.state.loss_scale.factor) == 2.0**23
    for old, weight in zip(before, model.generator.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
    # It may be mended by a smaller factor, so it is not held against the run.
    assert int(model.state.bad_in_a_row) == 0
    while int(model.optimizers["generator"].iterations) == 0:
        model.train_step(lr, hr, 2)
    assert int(model.state.first_bad_step) == -1


def go_on(folder, before, after):
    """A run of one step in one precision, restored into another."""
    first = make_small(StepOptions(precision=before))
    first.train_step(*draw_batch(2), 2)
    prefix = CheckpointWriter(first.checkpoint_items(), folder, 1).save(1)
    model = make_small(StepOptions(precision=after))
    model.restore(prefix, resume=True)
    return model


def test_the_scale_of_a_float16_run_does_not_reach_one_that_goes_on_in_float32(
    tmp_path,
):
    model = go_on(tmp_path, "float16", "float32")
    always = make_small()
    for ours, theirs in zip(
        always.generator.weights, model.generator.weights, strict=True
    ):
        ours.assign(theirs)
    batch = draw_batch(2)
    norms = [float(m.train_step(*batch, 2)["gradient_norm"]) for m in (model, always)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_a_float32_run_that_goes_on_in_float16_starts_with_a_high_scale(tmp_path):
    model = go_on(tmp_path, "float32", "float16")
    assert float(model.state.loss_scale.factor) == 2.0**15


def test_float16_doubles_its_loss_scale_after_many_good_steps():
    model = make_small(options=StepOptions(precision="float16"))
    scale = model.state.loss_scale
    scale.factor.assign(4.0)
    scale.steps.assign(scale.GROWTH_STEPS - 1)
    model.train_step(*draw_batch(2), 2)
    assert (float(scale.factor), int(scale.steps)) == (8.0, 0)


def test_a_loss_that_is_not_finite_is_no_matter_of_its_scale():
    model = make_small(options=StepOptions(precision="float16"))
    lr, hr = (x.astype(np.float32) for x in draw_batch(2))
    hr[0, 0, 0, 0] = np.inf
    model.train_step(lr, hr, 2)
    assert int(model.state.first_bad_step) == 0
