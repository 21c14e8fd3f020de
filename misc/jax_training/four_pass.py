"""4PP-EUSR under JAX, with the losses and passes of `models.four_pass_eusr`.

The predictors are read from the `.h5` files of `score_predictors/train.py`.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from training.options import POLICIES, BasicOptions

FILE = "an .h5 file of score_predictors/train.py"


@dataclasses.dataclass(frozen=True)
class Training(FourPassTraining):
    """Settings of the training."""

    aesthetic_nima_path: PathName | None = predictor_option("AVA", FILE)
    subjective_nima_path: PathName | None = predictor_option("TID2013", FILE)


class FourPassEUSR(EUSR):
    """EUSR's generator with perceptual training; attributes as in `EUSR`."""

    name = "4pp_eusr"
    flag_defaults = {"batch_size": 2}
    trained_scales = (SCALE,)
    settings_classes = (Architecture, Training)

    def __init__(
        self, architecture: Architecture, training: Training, options: BasicOptions
    ) -> None:
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

    def count_step_memory(self, scales: Sequence[int]) -> int | None:
        """See `models.base.Model.count_step_memory`."""
        return count_four_pass(self.architecture, self.training, self.precision)

    def differentiate(
        self,
        scale: int,
        state: dict[str, Any],
        lr: jax.Array,
        hr: jax.Array,
        step: jax.Array,
    ) -> tuple[dict[str, jax.Array], dict[str, dict[str, jax.Array]]]:
        """See `EUSR.differentiate`; returns each loss that has a weight by its name."""
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
        """Enlarges by 4 with one of the passes; see `models.four_pass_eusr`."""
        sr = generator(lr, scale=last)
        if last == 2:
            return generator(sr, scale=last)
        return reduction.halve(sr, self.training.x8_reduction) if last == 8 else sr

    def _measure(self, sr, hr, judge, step):
        """The weighted sum of the losses, and all values to log.

        Args:
            sr: float32 (K * N, H, W, 3): K estimates, one after the other.
            hr: float32 (N, H, W, 3).
            judge: Weights of the discriminator; None if there is none.
            step: int32 scalar.
        """
        training, total = self.training, 0.0
        values: dict[str, Any] = {}
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
        """The loss of the discriminator, and its values to log."""
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
        """Repeats values of the ground truth for each estimate."""
        return jnp.concatenate([of_truth] * len(self.training.passes))


def _shift(step, most, images):
    """Rolls patches by a random shift; see `models.four_pass_losses.Shift`.

    The random numbers differ from TensorFlow's.
    """
    if not most:
        return images
    by = jax.random.randint(jax.random.key(step), (2,), 0, most + 1)
    return jnp.roll(images, by, (1, 2))


class Predictor:
    """A score predictor with fixed weights.

    Attributes:
        first_score: The lowest of the ten scores; None if the file does not hold it.
    """

    def __init__(self, path: Path | str, flag: str) -> None:
        """Reads the file.

        Raises:
            InputError: The file is missing, damaged, or not a predictor.
        """
        predictor, attributes = MobileNetV2.from_file(path, flag)
        self.network = predictor.network
        self.first_score = attributes.get("first_score")

    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Predicts mean scores and features.

        Args:
            images: float32 (N, H, W, 3), RGB in [0, 255].

        Returns:
            scores: float32 (N,), mean scores on the scale 1 to 10.
            features: float32 (N, F).
        """
        distributions, features = self.network(images / 127.5 - 1.0, training=False)
        count = distributions.shape[-1]
        return distributions @ jnp.arange(1.0, 1.0 + count), features


def open_predictors(
    files: Mapping[str, tuple[Path | str, str]],
) -> list[tuple[Predictor, list[str]]]:
    """Reads predictors; a file with several roles is read once.

    Args:
        files: Files from `models.four_pass_settings.list_predictors`.

    Returns:
        A list of (predictor, its roles).
    """
    roles: dict[Path, list[str]] = {}
    flag_of: dict[Path, str] = {}
    for role, (path, flag) in files.items():
        key = Path(path).resolve()
        roles.setdefault(key, []).append(role)
        flag_of.setdefault(key, flag)
    return [(Predictor(p, flag_of[p]), served) for p, served in roles.items()]
