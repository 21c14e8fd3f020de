"""What 4PP-EUSR is trained by: eight losses of a batch of estimates."""

import tensorflow as tf

from models.losses import (
    cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    score_loss,
)


def measure_losses(training, discriminator, predictors, sr, hr):
    """All losses of a batch that have a weight, and what else is worth a curve.

    Args:
        training: A `models.four_pass_settings.FourPassTraining`.
        discriminator: A `models.discriminator.Discriminator`.
        predictors: See `models.four_pass_eusr.FourPassEUSR`.
        sr: float32 (K * N, H, W, 3): K estimates, one after the other.
        hr: float32 (N, H, W, 3).

    Returns:
        dict: From a name to a float32 scalar; `loss` is the weighted sum that the
        generator is to minimise, `discriminator` what the discriminator is.
    """
    count = len(training.passes)
    truth = tf.tile(hr, (count, 1, 1, 1))
    networks = {id(one.network): one for one in predictors.values()}
    # No tensor may have more than two consumers; see `models.layers`.
    sr, *copies = _copies(sr, 1 + len(networks))
    values, weighted = {}, []

    def add(name, field, loss):
        weight = getattr(training, f"weight_{field}")
        if weight:
            values[name] = loss()
            weighted.append(weight * values[name])

    add("reconstruction", "lr", lambda: mean_absolute_error(sr, truth))
    if training.weight_lg:
        values |= _judge(discriminator, copies.pop(), hr)
        weighted.append(training.weight_lg * values["adversarial"])
    # One file may serve as both predictors; it is run once. Truth goes in on its own:
    # no gradient is asked of it.
    predicted = {
        key: (predictor(hr), predictor(copies.pop()))
        for key, predictor in networks.items()
    }
    for name, predictor in predictors.items():
        (hr_scores, hr_features), (scores, features) = predicted[id(predictor.network)]
        letter = name[0]
        add(
            f"{name}_score",
            f"l{letter}s",
            lambda s=scores, t=hr_scores: score_loss(s, tf.tile(t, [count])),
        )
        add(
            f"{name}_representation",
            f"l{letter}r",
            lambda f=features, t=hr_features: mean_squared_error(
                f, tf.tile(t, (count, 1))
            ),
        )
        for whose, some in (("sr", scores), ("hr", hr_scores)):
            values[f"{name}/{whose}"] = predictor.to_people(tf.reduce_mean(some))
    total = weighted[0]
    for one in weighted[1:]:
        total += one
    return {"loss": total} | values


def _judge(discriminator, sr, hr):
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


def _copies(x, count):
    """Copies of a tensor, none of which more than two others are made from."""
    copies = [x]
    for _ in range(count):
        copies.append(tf.identity(copies[-1]))
    return copies
