"""The losses of 4PP-EUSR and their gradients in a batch of estimates.

Reconstruction, the discriminator and each predictor have separate tapes, and their
gradients in the estimates are added in this order. With one tape TensorFlow would add
them in an order that varies from run to run, and would prepare second derivatives of
the predictors, which take longer to trace than all the rest.
"""

import dataclasses

import keras
import tensorflow as tf

from frozen.predictor import FrozenPredictor
from models.four_pass_settings import FourPassTraining
from models.four_pass_values import (
    discriminate,
    list_pixel_losses,
    list_roles,
    predict,
    repeat,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Shift:
    """Cyclic shift of patches before the discriminator and the predictors.

    Each LR pixel becomes a square of 4 x 4 pixels, and patches begin at the corner of a
    square. The strided convolutions of discriminator and predictors treat odd and even
    pixels differently. Without a shift they always see the same pixels of a square at
    odd positions, which the generator may learn to exploit. A step shifts estimates and
    truth equally, so the seam in a patch is in both.

    Attributes:
        by: int32 (2,), pixels down and right; None for no shift.
    """

    by: tf.Tensor | None = None

    @classmethod
    def at(cls, step: tf.Tensor, most: int) -> "Shift":
        """Draws the shift of a step, equal in all runs, of at most `most` pixels."""
        if not most:
            return cls()
        seed = tf.stack([tf.zeros_like(step), step])
        by = tf.random.stateless_uniform((2,), seed, 0, most + 1, tf.int32)
        return cls(by)

    def there(self, images: tf.Tensor) -> tf.Tensor:
        """Shifts float32 (N, H, W, C)."""
        return images if self.by is None else tf.roll(images, self.by, (1, 2))

    def back(self, images: tf.Tensor) -> tf.Tensor:
        """Undoes `there`."""
        return images if self.by is None else tf.roll(images, -self.by, (1, 2))


def differentiate_losses(
    training: FourPassTraining,
    discriminator: keras.Layer | None,
    predictors: dict[str, FrozenPredictor],
    sr: tf.Tensor,
    hr: tf.Tensor,
    factor: tf.Tensor,
    shift: Shift,
) -> tuple[dict[str, tf.Tensor], tf.Tensor, list[tf.Tensor] | None]:
    """Computes the losses with a nonzero weight, their gradients, and metrics.

    Args:
        training: Weights of the losses.
        discriminator: None if its loss has no weight.
        predictors: See `models.four_pass_eusr.FourPassEUSR`.
        sr: float32 (K * N, H, W, 3), K estimates in sequence.
        hr: float32 (N, H, W, 3).
        factor: float32 scalar, multiplies losses before they are differentiated.
        shift: Shift of the input of discriminator and predictors.

    Returns:
        values: dict from a name to a float32 scalar; `loss` is the weighted sum that
            the generator minimises, `discriminator` the discriminator's loss.
        asked: Gradient of `loss` in `sr`, float32 of its shape.
        of_discriminator: Gradients of the discriminator's variables; None if its
            loss has no weight.
    """
    values, losses, gradients, of_discriminator = {}, [], [], None
    for name, weight, measure in list_pixel_losses(training):
        with tf.GradientTape() as tape:
            tape.watch(sr)
            values[name] = measure(sr, repeat(hr, training))
            losses.append(weight * values[name])
            scaled = losses[-1] * factor
        gradients.append(tape.gradient(scaled, sr))
    seen_sr, seen_hr = shift.there(sr), shift.there(hr)
    if training.weight_lg:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(seen_sr)
            found = discriminate(
                discriminator, seen_sr, seen_hr, training.adversarial_loss
            )
            losses.append(training.weight_lg * found["adversarial"])
            scaled = losses[-1] * factor
            scaled_other = found["discriminator"] * factor
        gradients.append(shift.back(tape.gradient(scaled, seen_sr)))
        variables = [v.value for v in discriminator.trainable_variables]
        of_discriminator = tape.gradient(scaled_other, variables)
        values |= found
    for predictor, roles in list_roles(predictors):
        with tf.GradientTape() as tape:
            tape.watch(seen_sr)
            predicted, weighted = predict(training, predictor, roles, seen_sr, seen_hr)
            losses.append(_sum(weighted))
            scaled = losses[-1] * factor
        gradients.append(shift.back(tape.gradient(scaled, seen_sr)))
        values |= predicted
    return {"loss": _sum(losses)} | values, _sum(gradients), of_discriminator


def _sum(values):
    """Adds tensors in order."""
    total, *others = values
    for one in others:
        total += one
    return total
