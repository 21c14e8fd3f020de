"""Losses of the super-resolution models, beside Keras' own mean absolute error.

Kim and Lee, CVPR Workshops 2018; Choi, Kim, Cheon and Lee, Neurocomputing 2019.
"""

import keras

# How much of the truth's distance from the best score an image may keep.
SCORE_TARGET = 0.8


def cross_entropy(logits, is_real):
    """What a discriminator's logits cost where all of them should say the same.

    Args:
        logits: float32, any shape; positive for real.
        is_real: What they should say.

    Returns:
        float32 scalar: The mean of the sigmoid's cross-entropy.
    """
    return keras.ops.mean(keras.ops.softplus(-logits if is_real else logits))


def score_loss(sr_scores, hr_scores):
    """How far images fall short of 0.8 of what the truth falls short of 10.

    Args:
        sr_scores: float32 (N,), mean scores on the scale 1 to 10.
        hr_scores: The same shape, of the truth.

    Returns:
        float32 scalar: The mean of max(0, (10 - sr) - 0.8 (10 - hr)).
    """
    short = (10.0 - sr_scores) - SCORE_TARGET * (10.0 - hr_scores)
    return keras.ops.mean(keras.ops.relu(short))


def mean_squared_error(sr_features, hr_features):
    """Mean of (sr - hr)^2 over all elements; a float32 scalar."""
    return keras.ops.mean(keras.ops.square(sr_features - hr_features))
