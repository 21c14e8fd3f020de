"""4PP-EUSR under JAX, with the losses and passes of `models.four_pass_eusr`.

The predictors are read from the `.h5` files of `score_predictors/train.py`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from console.settings import PathName
from misc.jax_training.eusr import EUSR, ValuesAndGradients
from misc.jax_training.network import Network
from models.footprint import count_four_pass
from models.four_pass_predictors import list_predictors
from models.four_pass_settings import (
    SCALE,
    FourPassTraining,
    check_passes,
    content_option,
    predictor_option,
)
from models.four_pass_values import (
    discriminate,
    estimate,
    list_pixel_losses,
    list_roles,
    predict,
    repeat,
)
from models.generator_settings import Architecture
from score_predictors.mobilenetv2 import MobileNetV2
from training.options import POLICIES, BasicOptions

FILE = "an .h5 file of score_predictors/train.py"


@dataclasses.dataclass(frozen=True)
class Training(FourPassTraining):
    """Settings of the training."""

    aesthetic_nima_path: PathName | None = predictor_option("AVA", FILE)
    subjective_nima_path: PathName | None = predictor_option("TID2013", FILE)
    content_path: PathName | None = content_option(FILE)


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
        self.predictors: dict[str, Predictor] = {}
        # A file that is given twice is read once.
        opened: dict[Path, Predictor] = {}
        for role, (path, flag) in list_predictors(training, FILE).items():
            key = Path(path).resolve()
            if key not in opened:
                opened[key] = Predictor(path, flag, options.precision)
            self.predictors[role] = opened[key]
        if training.weight_lg:
            policy = POLICIES[options.precision]
            self.discriminator = Network(training.make_discriminator(policy))
            self.networks["discriminator"] = self.discriminator
            self.rates["discriminator"] = training.learning_rate_discriminator

    def count_step_memory(self, scales: Sequence[int]) -> int | None:
        """See `models.base.Model.count_step_memory`."""
        return count_four_pass(self.architecture, self.training, self.options.precision)

    def differentiate(
        self,
        scale: int,
        state: dict[str, Any],
        lr: jax.Array,
        hr: jax.Array,
        step: jax.Array,
    ) -> ValuesAndGradients:
        """See `EUSR.differentiate`; returns each loss that has a weight by its name."""
        weights, training = state["generator"], self.training

        def measure(moving, judge):
            generator = functools.partial(self.generator, weights | moving)
            sr = [estimate(generator, lr, s, training.x8_reduction) for s in passes]
            return self._measure(jnp.concatenate(sr), hr, judge, step)

        def measure_judge(moving):
            judge = functools.partial(self.discriminator, judging | moving)
            found = discriminate(judge, *seen, training.adversarial_loss)
            return found["discriminator"], found

        passes, judging = training.passes, state.get("discriminator")
        moving = {name: weights[name] for name in self.generator.trained(passes)}
        differentiate = jax.value_and_grad(measure, has_aux=True)
        (_, (values, seen)), gradients = differentiate(moving, judging)
        if not training.weight_lg:
            return values, {"generator": gradients}
        moving = {name: judging[name] for name in self.discriminator.trained()}
        differentiate = jax.value_and_grad(measure_judge, has_aux=True)
        (_, found), of_judge = differentiate(moving)
        return values | found, {"generator": gradients, "discriminator": of_judge}

    def _measure(self, sr, hr, judge, step):
        """Sums up the losses of K estimates, float32 (K * N, H, W, 3).

        Returns:
            The weighted sum; and all values to log, and what the discriminator sees.
        """
        training, total = self.training, 0.0
        values: dict[str, Any] = {}
        for name, weight, compare in list_pixel_losses(training):
            values[name] = compare(sr, repeat(hr, training))
            total += weight * values[name]
        sr, hr = (_shift(step, training.judge_shift, images) for images in (sr, hr))
        if training.weight_lg:
            discriminator = functools.partial(self.discriminator, judge)
            found = discriminate(discriminator, sr, hr, training.adversarial_loss)
            values["adversarial"] = found["adversarial"]
            total += training.weight_lg * values["adversarial"]
        for predictor, roles in list_roles(self.predictors):
            predicted, weighted = predict(training, predictor, roles, sr, hr)
            values |= predicted
            total = sum(weighted, total)
        return total, ({"loss": total} | values, (jax.lax.stop_gradient(sr), hr))


def _shift(step, most, images):
    """As `models.four_pass_losses.Shift`, with other random numbers."""
    if not most:
        return images
    by = jax.random.randint(jax.random.key(step), (2,), 0, most + 1)
    return jnp.roll(images, by, (1, 2))


class Predictor:
    """A score predictor with fixed weights; see `frozen.predictor.FrozenPredictor`."""

    def __init__(self, path: Path | str, flag: str, precision: str) -> None:
        """Reads an `.h5` file that a flag gave.

        Raises:
            InputError: The file is missing, damaged, or not a predictor.
        """
        predictor, attributes = MobileNetV2.from_file(path, flag, precision)
        self.network = predictor.network_with_maps
        self.first_score = attributes.get("first_score")

    def describe(
        self, images: jax.Array
    ) -> tuple[jax.Array, jax.Array, list[jax.Array]]:
        """See `FrozenPredictor.describe`."""
        distributions, *others = self.network(images / 127.5 - 1.0, training=False)
        features, *maps = (one.astype(jnp.float32) for one in others)
        count = distributions.shape[-1]
        return distributions @ jnp.arange(1.0, 1.0 + count), features, maps

    def to_people(self, scores: jax.Array, default_first_score: int) -> jax.Array:
        """See `FrozenPredictor.to_people`."""
        first = self.first_score
        return scores + ((default_first_score if first is None else first) - 1)
