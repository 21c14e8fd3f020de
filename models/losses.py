"""Losses of the super-resolution models, besides Keras' mean absolute error.

Kim and Lee, CVPR Workshops 2018; Choi, Kim, Cheon and Lee, Neurocomputing 2019.
"""

import keras
from keras import ops

# Period of the grid, in pixels: the scale. It covers a grid of two pixels, too.
PERIOD = 4
# Side of the area over which a grid is averaged, in periods.
AREA = 8

# Accepted share of the truth's distance from the best score.
SCORE_TARGET = 0.8


def cross_entropy(logits: keras.KerasTensor, is_real: bool) -> keras.KerasTensor:
    """Computes the mean sigmoid cross-entropy of float32 logits with one label."""
    return ops.mean(ops.softplus(-logits if is_real else logits))


def score_loss(
    sr_scores: keras.KerasTensor, hr_scores: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the mean of max(0, (10 - sr) - 0.8 (10 - hr)), a float32 scalar.

    Both are mean scores in [1, 10], float32 (N,).
    """
    short = (10.0 - sr_scores) - SCORE_TARGET * (10.0 - hr_scores)
    return ops.mean(ops.relu(short))


def mean_squared_error(
    sr_features: keras.KerasTensor, hr_features: keras.KerasTensor
) -> keras.KerasTensor:
    """Computes the mean of (sr - hr)^2 over all elements, a float32 scalar."""
    return ops.mean(ops.square(sr_features - hr_features))


def grid_loss(sr: keras.KerasTensor, hr: keras.KerasTensor) -> keras.KerasTensor:
    """Computes how strong a regular grid is in the error of estimates.

    For each of the 16 positions of a pixel in a cell of 4 x 4, the error is averaged
    over an area. What differs between these means is a grid, or texture that happens
    not to average out: the differences are shrunk by the share that texture alone is
    expected to have (James and Stein), so that texture without a grid costs hardly
    anything.

    Both are float32 (N, H, W, 3), in [0, 255]; H and W are multiples of `PERIOD`.
    The result is the mean absolute value of the grid, a float32 scalar.
    """
    height, width = sr.shape[1] // PERIOD, sr.shape[2] // PERIOD
    cells = ops.reshape(sr - hr, (-1, height, PERIOD, width, PERIOD, 3))
    areas = _make_areas(height), _make_areas(width)

    def average(values):
        return ops.einsum("ih,jw,nhawbc->nijabc", *areas, values)

    def average_positions(values):
        return ops.mean(values, axis=(3, 4), keepdims=True)

    means = average(cells)
    grid = means - average_positions(means)
    count = min(AREA, height) * min(AREA, width)
    spread = average_positions(average(ops.square(cells)) - ops.square(means))
    strength = average_positions(ops.square(grid))
    chance = ops.stop_gradient(spread / count / (strength + 1e-6))
    return ops.mean(ops.abs(grid) * ops.relu(1.0 - chance))


def _make_areas(count):
    """Makes the matrix that averages `count` cells over areas that overlap by half."""
    side = min(AREA, count)
    starts = sorted({*range(0, count - side, max(side // 2, 1)), count - side})
    rows = [[float(s <= i < s + side) / side for i in range(count)] for s in starts]
    return ops.convert_to_tensor(rows, "float32")
