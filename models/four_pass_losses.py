"""What 4PP-EUSR is trained by: the losses of a batch of estimates, differentiated.

Reconstruction, the discriminator and each predictor have a tape of their own, and what
they ask of the estimates is added in this order. On one tape for all TensorFlow would
add in an order that varies from run to run, and prepare for second derivatives of the
predictors, which takes longer to trace than all the rest.
"""

import dataclasses

import keras
import tensorflow as tf

from metrics.scores import ROLES
from models.losses import (
    cross_entropy,
    mean_squared_error,
    score_loss,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Shift:
    """Moves patches round their edges, as discriminator and predictors see them.

    Each pixel of LR becomes a square of 4 x 4, and patches begin at a square's corner.
    Discriminator and predictors halve the size by convolutions that treat odd pixels
    unlike even ones; unmoved, they always see the same pixels of a square at odd
    places, and the generator may learn to please them by that. A random shift hides
    from them where the squares lie.

    One step has one shift for all patches, estimates and truth alike; so the seam that
    it makes in a patch is in both.

    Attributes:
        by: int32 (2,), pixels down and right; None for none.
    """

    by: tf.Tensor | None = None

    @classmethod
    def at(cls, step, most):
        """Draws that of a training step: the same in each run and on each device.

        Args:
            step: int64 scalar.
            most: Pixels at most; 0 for no shift.
        """
        if not most:
            return cls()
        seed = tf.stack([tf.zeros_like(step), step])
        by = tf.random.stateless_uniform((2,), seed, 0, most + 1, tf.int32)
        return cls(by)

    def there(self, images):
        """Moves float32 (N, H, W, C)."""
        return images if self.by is None else tf.roll(images, self.by, (1, 2))

    def back(self, images):
        """Undoes `there`."""
        return images if self.by is None else tf.roll(images, -self.by, (1, 2))


def differentiate_losses(training, discriminator, predictors, sr, hr, factor, shift):
    """Losses of a weight, their gradients, and what else is worth a curve.

    Args:
        training: A `models.four_pass_settings.FourPassTraining`.
        discriminator: A `models.discriminator.Discriminator`.
        predictors: See `models.four_pass_eusr.FourPassEUSR`.
        sr: float32 (K * N, H, W, 3): K estimates, one after the other.
        hr: float32 (N, H, W, 3).
        factor: What losses are multiplied by before they are differentiated, float32
            scalar.
        shift: `Shift` of what discriminator and predictors see.

    Returns:
        values: dict from a name to a float32 scalar; `loss` is the weighted sum that
            the generator is to minimise, `discriminator` what the discriminator is.
        asked: float32 as `sr`, the gradient of `loss` there.
        of_discriminator: The gradients of the discriminator's variables; None where
            its loss has no weight.
    """
    values, losses, gradients, of_discriminator = {}, [], [], None
    if training.weight_lr:
        with tf.GradientTape() as tape:
            tape.watch(sr)
            truth = _repeat(hr, training)
            errors = keras.losses.mean_absolute_error(truth, sr)
            values["reconstruction"] = tf.reduce_mean(errors)
            losses.append(training.weight_lr * values["reconstruction"])
            scaled = losses[-1] * factor
        gradients.append(tape.gradient(scaled, sr))
    seen_sr, seen_hr = shift.there(sr), shift.there(hr)
    if training.weight_lg:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(seen_sr)
            found = _discriminate(discriminator, seen_sr, seen_hr)
            losses.append(training.weight_lg * found["adversarial"])
            scaled = losses[-1] * factor
            scaled_other = found["discriminator"] * factor
        gradients.append(shift.back(tape.gradient(scaled, seen_sr)))
        variables = [v.value for v in discriminator.trainable_variables]
        of_discriminator = tape.gradient(scaled_other, variables)
        values |= found
    # One file may serve as both predictors; it is run once.
    for predictor in {id(one): one for one in predictors.values()}.values():
        roles = [role for role, one in predictors.items() if one is predictor]
        with tf.GradientTape() as tape:
            tape.watch(seen_sr)
            predicted, loss = _predict(training, predictor, roles, seen_sr, seen_hr)
            losses.append(loss)
            scaled = loss * factor
        gradients.append(shift.back(tape.gradient(scaled, seen_sr)))
        values |= predicted
    return {"loss": _sum(losses)} | values, _sum(gradients), of_discriminator


def _discriminate(discriminator, sr, hr):
    """What the discriminator says of estimates and truth."""
    # Two batches, for of the truth only the discriminator's gradient is asked.
    fake, real = discriminator(sr), discriminator(hr)
    fake_loss = cross_entropy(fake, is_real=False)
    real_loss = cross_entropy(real, is_real=True)
    real_share = tf.reduce_mean(tf.cast(real > 0, tf.float32))
    fake_share = tf.reduce_mean(tf.cast(fake <= 0, tf.float32))
    return {
        "adversarial": cross_entropy(fake, is_real=True),
        "discriminator": fake_loss + real_loss,
        "discriminator/fake": fake_loss,
        "discriminator/real": real_loss,
        "discriminator/accuracy": (real_share + fake_share) / 2,
    }


def _predict(training, predictor, roles, sr, hr):
    """What a predictor says of estimates and truth, for all that it serves as.

    Returns:
        values: See `differentiate_losses`.
        loss: The weighted sum of those that are losses.
    """
    # On its own: no gradient is asked of the truth.
    hr_scores, hr_features = predictor.mean_scores(hr)
    scores, features = predictor.mean_scores(sr)
    values, weighted = {}, []
    for role in roles:
        for name, letter, measure, ours, theirs in (
            ("score", "s", score_loss, scores, hr_scores),
            ("representation", "r", mean_squared_error, features, hr_features),
        ):
            weight = getattr(training, f"weight_l{role[0]}{letter}")
            if weight:
                loss = measure(ours, _repeat(theirs, training))
                values[f"{role}_{name}"] = loss
                weighted.append(weight * loss)
        for whose, some in (("sr", scores), ("hr", hr_scores)):
            values[f"{role}/{whose}"] = predictor.to_people(
                tf.reduce_mean(some), ROLES[role][1]
            )
    return values, _sum(weighted)


def _repeat(of_truth, training):
    """What is known of the truth, once for each estimate: (N, ...) to (K * N, ...)."""
    return tf.concat([of_truth] * len(training.passes), axis=0)


def _sum(values):
    """Adds tensors in their order."""
    total, *others = values
    for one in others:
        total += one
    return total
