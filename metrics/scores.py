"""Agreement between the predicted scores of pictures and people's scores.

A score distribution is (N, 10), a probability for each score, lowest first.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# From the role of a predictor to the data set that it is trained on and the lowest
# score that people could give there.
ROLES = {"aesthetic": ("AVA", 1), "subjective": ("TID2013", 0)}

# Pictures with a mean score above it are good.
GOOD_SCORE = 5.0


def srcc(predicted: ArrayLike, target: ArrayLike) -> float:
    """Spearman's rank correlation of two float (N,).

    Returns:
        The correlation in [-1, 1]; NaN if either array is constant or N < 2.
    """
    return _correlate(stats.spearmanr, predicted, target)


def lcc(predicted: ArrayLike, target: ArrayLike) -> float:
    """Pearson's linear correlation; arguments and result as in `srcc`."""
    return _correlate(stats.pearsonr, predicted, target)


def _correlate(function, predicted, target):
    predicted, target = np.asarray(predicted, float), np.asarray(target, float)
    # Undefined; SciPy would warn, and raise an error for a single pair.
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(target) == 0:
        return float("nan")
    return float(function(predicted, target).statistic)


def accuracy(predicted: np.ndarray, target: np.ndarray) -> float:
    """Share in [0, 1] of pictures, float (N,), on the correct side of `GOOD_SCORE`."""
    return float(np.mean((predicted > GOOD_SCORE) == (target > GOOD_SCORE)))


def emd(predicted: Any, target: Any, exponent: float = 2) -> Any:
    """Earth mover's distance between distributions over equally spaced scores.

    The `exponent`-norm of the difference of the two cumulative distributions, as a
    mean over the scores (Talebi and Milanfar, "NIMA", 2018, equation 1). The gradient
    is finite also for equal distributions.

    Args:
        predicted: float (N, 10), a tensor of the Keras backend or an array.
        target: The same shape.
        exponent: 2 in the training of the predictors.

    Returns:
        Tensor, float (N,), in [0, 1]; NaN if a distribution holds NaN.
    """
    difference = keras.ops.cumsum(predicted, -1) - keras.ops.cumsum(target, -1)
    powers = keras.ops.abs(difference) ** exponent
    mean = keras.ops.mean(powers, -1)
    # The slope of the root is infinite at zero, and infinity times zero is NaN. A mean
    # that is NaN stays NaN.
    is_zero = keras.ops.equal(mean, 0.0)
    safe = keras.ops.where(is_zero, 1.0, mean)
    return keras.ops.where(is_zero, 0.0, safe ** (1.0 / exponent))


def mean_score(distribution: ArrayLike, first_score: int = 1) -> np.ndarray:
    """Mean of each distribution, float64 (N,); `first_score` is the lowest score."""
    distribution = np.asarray(distribution, np.float64)
    return distribution @ (first_score + np.arange(distribution.shape[-1]))


def score_deviation(distribution: ArrayLike) -> np.ndarray:
    """Standard deviation of each distribution: float64 (N,)."""
    distribution = np.asarray(distribution, np.float64)
    scores = np.arange(distribution.shape[-1])
    variance = distribution @ scores**2 - (distribution @ scores) ** 2
    return np.sqrt(np.maximum(variance, 0.0))
