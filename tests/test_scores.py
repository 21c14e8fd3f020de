import numpy as np
import pytest
import tensorflow as tf

from metrics.scores import (
    accuracy,
    emd,
    lcc,
    mean_score,
    score_deviation,
    srcc,
)


def one_hot(*scores):
    """Distributions that give all to one score, 0 to 9."""
    return np.eye(10, dtype=np.float32)[list(scores)]


def test_equal_distributions_are_at_distance_zero():
    shares = np.full((3, 10), 0.1, np.float32)
    np.testing.assert_allclose(emd(shares, shares), 0, atol=1e-7)


@pytest.mark.parametrize("shift", [1, 3, 9])
def test_a_one_hot_moved_by_k_is_at_the_root_of_k_tenths(shift):
    # The two cumulative distributions differ by 1 at k of the 10 scores. Without the
    # sums they would differ at 2 scores whatever k, and the distance not depend on it.
    distance = emd(one_hot(0), one_hot(shift))
    np.testing.assert_allclose(distance, np.sqrt(shift / 10), rtol=1e-6)
    first_power = emd(one_hot(0), one_hot(shift), exponent=1)
    np.testing.assert_allclose(first_power, shift / 10, rtol=1e-6)


def test_the_distance_of_halves_is_worked_out_by_hand():
    # Cumulative: 0.5 1 1 ... against 0 0.5 1 ...: differences 0.5 and 0.5.
    halves = (one_hot(0) + one_hot(1)) / 2
    moved = (one_hot(1) + one_hot(2)) / 2
    np.testing.assert_allclose(emd(halves, moved), np.sqrt(0.5 / 10), rtol=1e-6)
    np.testing.assert_allclose(emd(halves, moved, exponent=1), 0.1, rtol=1e-6)


@pytest.mark.parametrize("exponent", [1, 2])
def test_the_distance_from_what_is_no_number_is_no_number(exponent):
    broken = np.where(one_hot(0, 3) == 1, np.nan, one_hot(0, 0))
    assert np.isnan(emd(broken, one_hot(0, 3), exponent)).all()
    assert np.isnan(emd(one_hot(0, 3), broken, exponent)).all()


def test_the_loss_is_the_mean_over_the_batch():
    loss = np.mean(emd(one_hot(0, 0), one_hot(1, 4)))
    expected = (np.sqrt(0.1) + np.sqrt(0.4)) / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_the_gradient_is_finite_where_the_distributions_are_equal():
    shares = tf.Variable(one_hot(2, 5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(emd(shares, one_hot(2, 6)))
    gradient = tape.gradient(loss, shares).numpy()
    assert np.isfinite(gradient).all() and gradient.any()


def test_correlations_know_order_and_line():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert srcc(truth**3, truth) == pytest.approx(1)
    assert lcc(2 * truth - 5, truth) == pytest.approx(1)
    assert lcc(truth**3, truth) < 0.99
    assert srcc(-truth, truth) == pytest.approx(-1)


def test_correlations_with_a_constant_have_no_value_and_no_warning(recwarn):
    assert np.isnan(srcc([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))
    assert np.isnan(lcc([1.0], [2.0]))
    assert not recwarn.list


def test_accuracy_counts_the_side_of_the_boundary():
    predicted, target = np.array([4.0, 6.0, 6.0, 5.1]), np.array([4.9, 5.5, 3.0, 9.0])
    assert accuracy(predicted, target) == 0.75


def test_mean_and_deviation_of_a_distribution():
    halves = (one_hot(2) + one_hot(4)) / 2
    assert mean_score(halves) == pytest.approx(4.0)
    assert mean_score(halves, first_score=0) == pytest.approx(3.0)
    assert score_deviation(halves) == pytest.approx(1.0)
