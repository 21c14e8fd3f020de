"""How well predicted scores of pictures agree with people's.

A distribution over scores is (N, 10), a probability for each score, lowest first.
"""

import keras
import numpy as np
from scipy import stats

# What predictors score pictures for: the data set that such a predictor is trained on,
# and the lowest score that people could give there.
ROLES = {"aesthetic": ("AVA", 1), "subjective": ("TID2013", 0)}


def srcc(predicted, target):
    """Spearman's rank correlation: whether the order is right.

    Args:
        predicted: float (N,).
        target: float (N,).

    Returns:
        float: In [-1, 1]; NaN where either is constant or there are fewer than two.
    """
    return _correlate(stats.spearmanr, predicted, target)


def lcc(predicted, target):
    """Pearson's linear correlation; arguments and result as of `srcc`."""
    return _correlate(stats.pearsonr, predicted, target)


def _correlate(function, predicted, target):
    predicted, target = np.asarray(predicted, float), np.asarray(target, float)
    # Undefined then; SciPy would warn, and raise for a single pair.
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(target) == 0:
        return float("nan")
    return float(function(predicted, target).statistic)


def accuracy(predicted, target, boundary=5.0):
    """Share of pictures put on the right side of a boundary.

    Args:
        predicted: float (N,).
        target: float (N,).
        boundary: Scores above it are good, others are not.

    Returns:
        float: In [0, 1].
    """
    return float(np.mean((predicted > boundary) == (target > boundary)))


def emd(predicted, target, exponent=2):
    """Earth mover's distance between distributions over equally spaced scores.

    The `exponent`-norm of the difference of the two cumulative distributions, as a
    mean over the scores (Talebi and Milanfar, "NIMA", 2018, equation 1). The gradient
    is finite also where both are equal.

    Args:
        predicted: float (N, 10), a tensor or an array.
        target: The same shape.
        exponent: 2 is what the predictors are trained with.

    Returns:
        float (N,), in [0, 1]; NaN where a distribution holds NaN.
    """
    difference = keras.ops.cumsum(predicted, -1) - keras.ops.cumsum(target, -1)
    powers = keras.ops.abs(difference) ** exponent
    mean = keras.ops.mean(powers, -1)
    # The root's slope is infinite at zero, and infinity times zero is no number. What
    # is no number from the start stays so.
    is_zero = keras.ops.equal(mean, 0.0)
    safe = keras.ops.where(is_zero, 1.0, mean)
    return keras.ops.where(is_zero, 0.0, safe ** (1.0 / exponent))


def mean_score(distribution, first_score=1):
    """Mean of each distribution.

    Args:
        distribution: float (N, 10).
        first_score: The lowest score; the others follow in steps of one.

    Returns:
        float64 (N,).
    """
    distribution = np.asarray(distribution, np.float64)
    return distribution @ (first_score + np.arange(distribution.shape[-1]))


def score_deviation(distribution):
    """Standard deviation of each distribution: float64 (N,)."""
    distribution = np.asarray(distribution, np.float64)
    scores = np.arange(distribution.shape[-1])
    variance = distribution @ scores**2 - (distribution @ scores) ** 2
    return np.sqrt(np.maximum(variance, 0.0))
