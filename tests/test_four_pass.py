"""The losses of 4PP-EUSR, and who is moved by them."""

import math

import numpy as np
import pytest
import tensorflow as tf

from metrics.scores import ROLES
from models import losses
from models.four_pass_settings import PASSES
from tests.four_pass import (
    LOSSES,
    make_four_pass,
    moved,
    reaches_all_passes,
    read,
    take_step,
    weigh_only,
    write_predictors,
)
from tests.small import draw_batch


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_predictors(tmp_path_factory.mktemp("predictors"))


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


# The losses, by hand.


def test_cross_entropy_of_known_logits():
    logits = tf.constant([[0.0], [math.log(3)]])  # Real by 1/2 and by 3/4.
    real = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    made = -(math.log(1 / 2) + math.log(1 / 4)) / 2
    assert float(losses.cross_entropy(logits, True)) == pytest.approx(real)
    assert float(losses.cross_entropy(logits, False)) == pytest.approx(made)
    # Far out, where a naive one is infinite.
    far = losses.cross_entropy(tf.constant([-200.0]), True)
    assert float(far) == pytest.approx(200)


def test_the_score_loss_of_known_scores():
    # (10 - 4) - 0.8 (10 - 5) = 2; (10 - 9) - 0.8 (10 - 5) < 0 counts as 0.
    loss = losses.score_loss(tf.constant([4.0, 9.0]), tf.constant([5.0, 5.0]))
    assert float(loss) == pytest.approx((2 + 0) / 2)


def test_the_squared_error_of_known_features():
    loss = losses.mean_squared_error(tf.constant([[1.0, 2.0]]), tf.constant([[4.0, 0]]))
    assert float(loss) == pytest.approx((9 + 4) / 2)


def test_the_sum_is_weighted_and_the_losses_are_means_over_the_estimates(paths, batch):
    model = make_four_pass(weight_lr=0.3, **paths)
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    estimates = [model.estimate(lr, last) for last in PASSES]
    values = take_step(model, batch)
    errors = [float(tf.reduce_mean(abs(one - hr))) for one in estimates]
    assert values["reconstruction"] == pytest.approx(np.mean(errors), rel=1e-5)
    for kind in ("aesthetic", "subjective"):
        predictor = model.predictors[kind]
        truth, truth_features = predictor.mean_scores(hr)
        scores, features = zip(*map(predictor.mean_scores, estimates), strict=True)
        by_hand = [float(losses.score_loss(one, truth)) for one in scores]
        assert values[f"{kind}_score"] == pytest.approx(np.mean(by_hand), rel=1e-4)
        by_hand = [np.mean((one - truth_features) ** 2) for one in features]
        assert values[f"{kind}_representation"] == pytest.approx(
            np.mean(by_hand), rel=1e-3
        )
        mean = float(predictor.to_people(tf.reduce_mean(truth), ROLES[kind][1]))
        assert values[f"{kind}/hr"] == pytest.approx(mean, rel=1e-5)
    total = sum(
        getattr(model.training, f"weight_{field}") * values[name]
        for field, name in LOSSES.items()
    )
    assert values["loss"] == pytest.approx(total, rel=1e-5)


def test_the_discriminator_is_asked_about_estimates_and_truth(batch):
    model = make_four_pass(**weigh_only("lg"))
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    logits = [model.discriminator(model.estimate(lr, last)) for last in PASSES]
    real = model.discriminator(hr)
    values = take_step(model, batch)
    fake_loss = np.mean([float(losses.cross_entropy(one, False)) for one in logits])
    real_loss = float(losses.cross_entropy(real, True))
    fooled = np.mean([float(losses.cross_entropy(one, True)) for one in logits])
    assert values["discriminator"] == pytest.approx(fake_loss + real_loss, rel=1e-4)
    assert values["adversarial"] == pytest.approx(fooled, rel=1e-4)
    right = (np.mean(real > 0) + np.mean(np.stack(logits) <= 0)) / 2
    assert values["discriminator/accuracy"] == pytest.approx(right)


# Who is moved by what.


@pytest.mark.parametrize("field", LOSSES)
def test_each_loss_alone_moves_the_generator(field, paths, batch):
    model = make_four_pass(**weigh_only(field), **paths)
    before = read(model.variables)
    values = take_step(model, batch)
    expected = {"loss", "gradient_norm", LOSSES[field]}
    assert expected <= set(values)
    assert not set(values) & (set(LOSSES.values()) - {LOSSES[field]})
    if values[LOSSES[field]] > 0:
        assert reaches_all_passes(before, model.variables)
        assert values["gradient_norm"] > 0
    else:
        assert field in ("las", "lss")


@pytest.mark.parametrize("field", ["las", "lss"])
def test_a_score_that_is_too_low_moves_the_generator(field, paths, batch, monkeypatch):
    monkeypatch.setattr(losses, "SCORE_TARGET", 0.0)
    model = make_four_pass(**weigh_only(field), **paths)
    before = read(model.variables)
    assert take_step(model, batch)[LOSSES[field]] > 0
    assert reaches_all_passes(before, model.variables)


def test_the_discriminators_loss_moves_only_the_discriminator(paths, batch):
    model = make_four_pass(learning_rate=0.0, **paths)
    generator, other = (
        read(network.weights) for network in (model.generator, model.discriminator)
    )
    take_step(model, batch)
    assert not any(moved(generator, model.generator.weights))
    assert all(moved(other, model.discriminator.weights))


def test_the_generators_losses_do_not_move_the_discriminator(paths, batch):
    steps = []
    for weights in ({}, {"weight_lg": 7.0, "weight_lr": 0.0}):
        model = make_four_pass(**weights, **paths)
        take_step(model, batch)
        steps.append(read(model.discriminator.weights))
    for one, other in zip(*steps, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predictors_have_nothing_that_could_move(paths, batch):
    model = make_four_pass(**paths)
    pictures = tf.cast(batch[1], tf.float32)
    before = [model.predictors[kind](pictures)[1] for kind in model.predictors]
    take_step(model, batch, steps=2)
    for kind, features in zip(model.predictors, before, strict=True):
        assert not model.predictors[kind].function.variables
        np.testing.assert_array_equal(model.predictors[kind](pictures)[1], features)


def test_one_file_as_both_predictors_is_run_once(paths, batch):
    same = dict.fromkeys(paths, paths["aesthetic_nima_path"])
    model = make_four_pass(**same)
    aesthetic, subjective = model.predictors.values()
    assert aesthetic is subjective
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, 4), autograph=False)
    graph = step.get_concrete_function(*batch).graph
    name = aesthetic.function_with_maps.name.decode()
    calls = [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    called = [op for op in calls if op.get_attr("f").name.startswith(name)]
    assert 1 <= len(called) <= 2  # Of truth and of estimates.
    values = {name: float(value) for name, value in step(*batch).items()}
    for loss in ("score", "representation"):
        assert values[f"subjective_{loss}"] == values[f"aesthetic_{loss}"]


def test_what_has_no_weight_is_neither_loaded_nor_computed(batch):
    model = make_four_pass(**weigh_only("lr"), aesthetic_nima_path="missing.pb")
    assert model.predictors == {}
    before = read(model.discriminator.weights)
    assert set(take_step(model, batch)) == {"loss", "reconstruction", "gradient_norm"}
    assert not any(moved(before, model.discriminator.weights))


@pytest.mark.parametrize("passes", [(2,), (4,), (8,), (2, 8)])
def test_only_what_the_passes_use_moves(passes, batch):
    model = make_four_pass(passes=passes, **weigh_only("lr"))
    weights = model.generator.trainable_variables
    before = read(weights)
    take_step(model, batch)
    used = {v.path for last in passes for v in model.generator.path_variables(last)}
    which = [
        v.path for v, has in zip(weights, moved(before, weights), strict=True) if has
    ]
    assert set(which) == used
