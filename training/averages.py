"""A running average of the weights, which often has better metrics."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from training.replicas import update_each


def start(
    averages: Sequence[keras.Variable], weights: Sequence[keras.Variable]
) -> None:
    """Sets the averages to the weights."""
    for average, weight in zip(averages, weights, strict=True):
        average.assign(weight)


def follow(
    averages: Sequence[keras.Variable],
    weights: Sequence[keras.Variable],
    decay: float,
    is_finite: tf.Tensor,
) -> None:
    """Updates the averages; call it in a replica, within a step.

    All averages are updated, also of weights that the step did not train, so they are
    averages over all steps.

    Args:
        averages: Variables to update.
        weights: Variables of the same number and shapes.
        decay: Share of the average that stays, in [0, 1).
        is_finite: bool scalar; if False, nothing changes.
    """
    rate = (1.0 - decay) * tf.cast(is_finite, tf.float32)
    update_each(
        lambda average, weight, rate: average.assign_add(rate * (weight - average)),
        [average.value for average in averages],
        [weight.value for weight in weights],
        rate,
    )
