"""Estimates of 4PP-EUSR and the values of its losses, without their gradients.

Keras only; see `models.layers`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from imaging.imresize import cubic
from metrics.feature_distance import feature_distance
from metrics.scores import ROLES
from models.four_pass_settings import (
    CONTENT,
    REDUCTIONS,
    RELATIVISTIC,
    SPATIAL,
    FourPassTraining,
)
from models.losses import (
    cross_entropy,
    grid_loss,
    mean_squared_error,
    score_loss,
)


def estimate(
    generator: Callable[..., keras.KerasTensor],
    lr: keras.KerasTensor,
    last: int,
    x8_reduction: str,
) -> keras.KerasTensor:
    """Upscales float32 (N, H, W, 3) by 4 in one of the three ways, not clipped.

    Args:
        generator: Called with a batch and `scale`.
        lr: RGB in [0, 255].
        last: Scale of the last pass: 2, 4 or 8.
        x8_reduction: One of `REDUCTIONS`.
    """
    sr = generator(lr, scale=last)
    if last == 2:
        return generator(sr, scale=last)
    return halve(sr, x8_reduction) if last == 8 else sr


def halve(
    images: keras.KerasTensor, reduction: str = REDUCTIONS[0]
) -> keras.KerasTensor:
    """Halves height and width of float32 (N, H, W, C), both even.

    `antialias` is MATLAB's imresize by 1/2, equal to `imaging.imresize` within
    rounding. `legacy` is TensorFlow 1's bicubic without antialiasing, which at a
    factor of two takes every second row and column.
    """
    if reduction == "legacy":
        return images[:, ::2, ::2]
    channels = images.shape[-1]
    # Three input pixels on each side of the two central pixels of an output pixel.
    padded = ops.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="symmetric")
    taps = cubic((np.arange(8) - 3.5) / 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    kernel = np.repeat(kernel[:, :, None, None], channels, axis=2).astype(np.float32)
    # One 8x8 convolution: a pair of 8x1 and 1x8 would need different strides for rows
    # and columns, which TensorFlow does not support.
    return ops.depthwise_conv(
        padded, kernel, strides=2, padding="valid", data_format="channels_last"
    )


def list_pixel_losses(
    training: FourPassTraining,
) -> list[tuple[str, float, Callable[..., keras.KerasTensor]]]:
    """Lists name, weight and function of the pixels' losses that have a weight.

    The functions take estimates and truth, both float32 (N, H, W, 3).
    """
    losses = (
        ("reconstruction", training.weight_lr, _mean_absolute_error),
        ("grid_loss", training.weight_grid, grid_loss),
    )
    return [loss for loss in losses if loss[1]]


def _mean_absolute_error(sr, hr):
    return ops.mean(keras.losses.mean_absolute_error(hr, sr))


def discriminate(
    discriminator: Callable[[keras.KerasTensor], keras.KerasTensor],
    sr: keras.KerasTensor,
    hr: keras.KerasTensor,
    kind: str,
) -> dict[str, keras.KerasTensor]:
    """Computes the discriminator's losses and accuracy, float32 scalars by name.

    Args:
        discriminator: The discriminator.
        sr: float32 (K * N, H, W, 3), K estimates in sequence.
        hr: float32 (N, H, W, 3).
        kind: `FourPassTraining.adversarial_loss`. A relativistic loss is the sum of
            two cross-entropies, so it is twice as large as a standard one. Its
            averages are those of a replica's part of the batch in TensorFlow.
    """
    # Two batches: the truth needs no gradient beyond the discriminator's.
    fake, real = discriminator(sr), discriminator(hr)
    adversarial = 0.0
    if kind == RELATIVISTIC:
        fake, real = fake - ops.mean(real), real - ops.mean(fake)
        adversarial = cross_entropy(real, is_real=False)
    adversarial += cross_entropy(fake, is_real=True)
    fake_loss = cross_entropy(fake, is_real=False)
    real_loss = cross_entropy(real, is_real=True)
    real_share = ops.mean(ops.cast(real > 0, "float32"))
    fake_share = ops.mean(ops.cast(fake <= 0, "float32"))
    return {
        "adversarial": adversarial,
        "discriminator": fake_loss + real_loss,
        "discriminator/fake": fake_loss,
        "discriminator/real": real_loss,
        "discriminator/accuracy": (real_share + fake_share) / 2,
    }


def list_roles(predictors: dict[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    """Yields each predictor, once, and its roles: a file may serve as both."""
    for predictor in {id(one): one for one in predictors.values()}.values():
        yield predictor, [role for role, one in predictors.items() if one is predictor]


def predict(
    training: FourPassTraining,
    predictor: Any,
    roles: list[str],
    sr: keras.KerasTensor,
    hr: keras.KerasTensor,
) -> tuple[dict[str, keras.KerasTensor], list[keras.KerasTensor]]:
    """Computes the losses of a predictor, for all its roles.

    Args:
        training: Weights of the losses.
        predictor: `frozen.predictor.FrozenPredictor`, or an object with the same
            `describe` and `to_people`.
        roles: Some of `metrics.scores.ROLES`.
        sr: float32 (K * N, H, W, 3), K estimates in sequence.
        hr: float32 (N, H, W, 3).

    Returns:
        values: dict from a name to a float32 scalar: losses with a nonzero weight, and
            mean scores of estimates and truth on the scale of the data set.
        weighted: The losses times their weights.
    """
    # A separate run: the truth needs no gradient.
    hr_scores, hr_features, hr_maps = predictor.describe(hr)
    scores, features, maps = predictor.describe(sr)
    hr_scores, hr_features = repeat(hr_scores, training), repeat(hr_features, training)
    hr_maps = [repeat(one, training) for one in hr_maps]

    def compare_scores():
        return score_loss(scores, hr_scores)

    def compare_features():
        if training.representation == SPATIAL:
            return feature_distance(maps, hr_maps)
        return mean_squared_error(features, hr_features)

    values, weighted = {}, []
    for role in roles:
        if role == CONTENT:
            values["content"] = feature_distance(maps, hr_maps)
            weighted.append(training.weight_lc * values["content"])
            continue
        for name, letter, compare in (
            ("score", "s", compare_scores),
            ("representation", "r", compare_features),
        ):
            weight = getattr(training, f"weight_l{role[0]}{letter}")
            if weight:
                loss = compare()
                values[f"{role}_{name}"] = loss
                weighted.append(weight * loss)
        for whose, some in (("sr", scores), ("hr", hr_scores)):
            mean = ops.mean(some)
            values[f"{role}/{whose}"] = predictor.to_people(mean, ROLES[role][1])
    return values, weighted


def repeat(
    of_truth: keras.KerasTensor, training: FourPassTraining
) -> keras.KerasTensor:
    """Repeats values of the truth for each estimate: (N, ...) to (K * N, ...)."""
    return ops.concatenate([of_truth] * len(training.passes), axis=0)
