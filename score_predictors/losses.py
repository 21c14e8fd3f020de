"""What the predictors are trained to make small."""

import keras

from metrics.scores import emd


def emd_loss(predicted, target):
    """Batch mean of the earth mover's distance with exponent 2.

    Args:
        predicted: float32 (N, 10), distributions.
        target: float32 (N, 10), distributions.

    Returns:
        float32 scalar, in [0, 1].
    """
    return keras.ops.mean(emd(predicted, target))
