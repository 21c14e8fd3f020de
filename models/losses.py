"""Losses of the super-resolution models, besides Keras' mean absolute error.

Kim and Lee, CVPR Workshops 2018; Choi, Kim, Cheon and Lee, Neurocomputing 2019.
"""

from collections.abc import Sequence

import keras

# Accepted share of the truth's distance from the best score.
SCORE_TARGET = 0.8


def cross_entropy(logits: keras.KerasTensor, is_real: bool) -> keras.KerasTensor:
    """Computes the cross-entropy of a discriminator's logits with one label.

    Args:
        logits: float32, any shape; positive for real.
        is_real: The label of all logits.

    Returns:
        float32 scalar: Mean sigmoid cross-entropy.
    """
    return keras.ops.mean(keras.ops.softplus(-logits if is_real else logits))


def score_loss(
    sr_scores: keras.KerasTensor, hr_scores: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the mean of max(0, (10 - sr) - 0.8 (10 - hr)).

    Args:
        sr_scores: float32 (N,), mean scores in [1, 10].
        hr_scores: float32 (N,), mean scores of the truth.

    Returns:
        float32 scalar.
    """
    short = (10.0 - sr_scores) - SCORE_TARGET * (10.0 - hr_scores)
    return keras.ops.mean(keras.ops.relu(short))


def mean_squared_error(
    sr_features: keras.KerasTensor, hr_features: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the mean of (sr - hr)^2 over all elements, a float32 scalar."""
    return keras.ops.mean(keras.ops.square(sr_features - hr_features))


def feature_distance(
    sr_maps: Sequence[keras.KerasTensor], hr_maps: Sequence[keras.KerasTensor]
) -> keras.KerasTensor:
    """Computes how far features are apart, place by place.

    As LPIPS without its learned weights (Zhang et al., CVPR 2018): at each place the
    features are divided by their Euclidean norm; the squared differences are summed
    over channels, averaged over places and images, and summed over depths.

    Args:
        sr_maps: For each depth, float32 (N, H, W, C).
        hr_maps: Those of the truth.

    Returns:
        float32 scalar, from 0 to 4 times the number of depths.
    """
    total = 0.0
    for ours, theirs in zip(sr_maps, hr_maps, strict=True):
        square = keras.ops.square(_to_unit(ours) - _to_unit(theirs))
        total += keras.ops.mean(keras.ops.sum(square, axis=-1))
    return total


def _to_unit(features):
    square = keras.ops.sum(keras.ops.square(features), axis=-1, keepdims=True)
    # Its gradient is finite at zero, unlike that of a norm.
    return features * keras.ops.rsqrt(square + 1e-8)
