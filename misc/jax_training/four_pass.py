"""4PP-EUSR under JAX: see `models.four_pass_eusr`, whose losses and passes these are.

The predictors are read from `.h5` files, as `score_predictors/train.py` writes them.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import keras

from console.settings import PathName
from metrics.scores import ROLES
from misc.jax_training.archives import name_of
from misc.jax_training.eusr import EUSR
from misc.jax_training.network import Network
from models import reduction
from models.discriminator import Discriminator
from models.footprint import count_four_pass
from models.four_pass_settings import (
    SCALE,
    FourPassTraining,
    check_passes,
    list_predictors,
    predictor_option,
)
from models.generator_settings import Architecture
from models.losses import (
    cross_entropy,
    mean_squared_error,
    score_loss,
)
from score_predictors.mobilenetv2 import MobileNetV2
from training.options import POLICIES

FILE = "an .h5 file of score_predictors/train.py"


@dataclasses.dataclass(frozen=True)
class Training(FourPassTraining):
    """How it is trained."""

    aesthetic_nima_path: PathName | None = predictor_option("AVA", FILE)
    subjective_nima_path: PathName | None = predictor_option("TID2013", FILE)


class FourPassEUSR(EUSR):
    """EUSR's generator, trained for people's eyes; attributes as of `EUSR`."""

    name = "4pp_eusr"
    flag_defaults = {"batch_size": 2}
    trained_scales = (SCALE,)
    settings_classes = (Architecture, Training)

    def __init__(self, architecture, training, options):
        """Makes the networks; see `EUSR`.

        Raises:
            InputError: A predictor is missing or damaged.
        """
        check_passes(training.passes, architecture.model_scales)
        super().__init__(architecture, training, options)
        self.predictors = open_predictors(list_predictors(training, FILE))
        if training.weight_lg:
            self.discriminator = Network(Discriminator(POLICIES[options.precision]))
            self.networks["discriminator"] = self.discriminator
            self.rates["discriminator"] = training.learning_rate_discriminator

    def count_step_memory(self, scales):
        """See `models.base.Model.count_step_memory`."""
        return count_four_pass(self.architecture, self.training, self.precision)

    def differentiate(self, scale, state, lr, hr, step):
        """See `EUSR.differentiate`: the losses that have a weight, each by its name."""
        weights, passes = state["generator"], self.training.passes
        moving = {
            name_of(v): weights[name_of(v)]
            for last in passes
            for v in self.generator.layer.path_variables(last)
        }

        def measure(moving, judge):
            generator = functools.partial(self.generator, weights | moving)
            sr = [self._estimate(generator, lr, last) for last in passes]
            return self._measure(jnp.concatenate(sr), hr, judge, step)

        gradient = jax.value_and_grad(measure, has_aux=True)
        (_, values), gradients = gradient(moving, state.get("discriminator"))
        gradients = {"generator": gradients}
        if self.training.weight_lg:
            seen = values.pop("seen")
            loss = jax.value_and_grad(self._judge, has_aux=True)
            (_, judged), gradients["discriminator"] = loss(
                state["discriminator"], *seen
            )
            gradients["discriminator"] = {
                name: gradients["discriminator"][name]
                for name in self.discriminator.trained()
            }
            values |= judged
        return values, gradients

    def _estimate(self, generator, lr, last):
        """Enlarges by 4 in one of the three ways; see `models.four_pass_eusr`."""
        sr = generator(lr, scale=last)
        if last == 2:
            return generator(sr, scale=last)
        return reduction.halve(sr, self.training.x8_reduction) if last == 8 else sr

    def _measure(self, sr, hr, judge, step):
        """The weighted sum of the losses, and all that is worth a curve.

        Args:
            sr: float32 (K * N, H, W, 3): K estimates, one after the other.
            hr: float32 (N, H, W, 3).
            judge: Weights of the discriminator; None where it has no say.
            step: int32 scalar.
        """
        training, total, values = self.training, 0.0, {}
        if training.weight_lr:
            loss = keras.losses.mean_absolute_error(self._repeat(hr), sr).mean()
            values["reconstruction"] = loss
            total += training.weight_lr * loss
        shift = functools.partial(_shift, step, training.judge_shift)
        sr, hr = shift(sr), shift(hr)
        if training.weight_lg:
            values["adversarial"] = cross_entropy(
                self.discriminator(judge, sr), is_real=True
            )
            total += training.weight_lg * values["adversarial"]
            values["seen"] = jax.lax.stop_gradient(sr), hr
        for predictor, roles in self.predictors:
            (scores, features), truth = predictor(sr), predictor(hr)
            truth_scores, truth_features = map(self._repeat, truth)
            for role in roles:
                for name, letter, measure, pair in (
                    ("score", "s", score_loss, (scores, truth_scores)),
                    (
                        "representation",
                        "r",
                        mean_squared_error,
                        (features, truth_features),
                    ),
                ):
                    weight = getattr(training, f"weight_l{role[0]}{letter}")
                    if weight:
                        values[f"{role}_{name}"] = measure(*pair)
                        total += weight * values[f"{role}_{name}"]
                lowest = predictor.first_score
                lowest = (ROLES[role][1] if lowest is None else lowest) - 1
                values[f"{role}/sr"] = scores.mean() + lowest
                values[f"{role}/hr"] = truth[0].mean() + lowest
        return total, {"loss": total} | values

    def _judge(self, weights, sr, hr):
        """What the discriminator is to minimise, and what it says."""
        fake, real = (self.discriminator(weights, images) for images in (sr, hr))
        fake_loss = cross_entropy(fake, is_real=False)
        real_loss = cross_entropy(real, is_real=True)
        return fake_loss + real_loss, {
            "discriminator": fake_loss + real_loss,
            "discriminator/fake": fake_loss,
            "discriminator/real": real_loss,
            "discriminator/accuracy": ((real > 0).mean() + (fake <= 0).mean()) / 2,
        }

    def _repeat(self, of_truth):
        """What is known of the truth, once for each estimate."""
        return jnp.concatenate([of_truth] * len(self.training.passes))


def _shift(step, most, images):
    """Moves patches round their edges; see `models.four_pass_losses.Shift`.

    The numbers drawn are others than TensorFlow's.
    """
    if not most:
        return images
    by = jax.random.randint(jax.random.key(step), (2,), 0, most + 1)
    return jnp.roll(images, by, (1, 2))


class Predictor:
    """A score predictor with fixed weights.

    Attributes:
        first_score: The lowest of the ten scores; None where the file does not say it.
    """

    def __init__(self, path, flag):
        """Reads the file.

        Raises:
            InputError: It is missing, damaged, or no predictor.
        """
        predictor, attributes = MobileNetV2.from_file(path, flag)
        self.network = predictor.network
        self.first_score = attributes.get("first_score")

    def __call__(self, images):
        """Predicts.

        Args:
            images: float32 (N, H, W, 3), RGB in [0, 255].

        Returns:
            scores: float32 (N,), mean scores on the scale 1 to 10.
            features: float32 (N, F).
        """
        distributions, features = self.network(images / 127.5 - 1.0, training=False)
        count = distributions.shape[-1]
        return distributions @ jnp.arange(1.0, 1.0 + count), features


def open_predictors(files):
    """Reads predictors, a file that serves as several once.

    Args:
        files: As `models.four_pass_settings.list_predictors` returns them.

    Returns:
        list of (Predictor, the roles that it serves as).
    """
    roles, flag_of = {}, {}
    for role, (path, flag) in files.items():
        path = Path(path).resolve()
        roles.setdefault(path, []).append(role)
        flag_of.setdefault(path, flag)
    return [(Predictor(p, flag_of[p]), served) for p, served in roles.items()]
