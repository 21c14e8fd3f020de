"""A running average of the weights, which often measures better than the last."""

import tensorflow as tf

from training.replicas import update_each


def start(averages, weights):
    """Begins with the weights themselves.

    Args:
        averages: Keras variables.
        weights: As many, of the same shapes.
    """
    for average, weight in zip(averages, weights, strict=True):
        average.assign(weight)


def follow(averages, weights, decay, is_finite):
    """Moves the averages towards the weights; call it in a replica, within a step.

    All of them move, also those that the step did not train, so that the average is
    one over time and not over a path's own steps.

    Args:
        averages: Keras variables.
        weights: As many, of the same shapes.
        decay: How much of the average stays, in [0, 1).
        is_finite: bool scalar; if not, nothing moves.
    """
    rate = (1.0 - decay) * tf.cast(is_finite, tf.float32)
    update_each(
        lambda average, weight, rate: average.assign_add(rate * (weight - average)),
        [average.value for average in averages],
        [weight.value for weight in weights],
        rate,
    )
