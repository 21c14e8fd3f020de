"""4PP-EUSR: EUSR's generator, trained for perceptual quality.

Choi, Kim, Cheon and Lee, "Deep learning-based image super-resolution considering
quantitative and perceptual quality", Neurocomputing 2019. Deliberate deviations from
the original code: the x8 estimate is halved with antialiasing
(`--eusr_x8_reduction=legacy` is the original's), a loss of weight 0 is not computed,
and the deviations of `models.eusr`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from console.errors import InputError
from frozen.predictor import open_predictors
from models import four_pass_values, tf1_names
from models.footprint import count_four_pass
from models.four_pass_losses import Shift, differentiate_losses
from models.four_pass_predictors import check_maps, check_side, list_predictors
from models.four_pass_settings import (
    SCALE,
    FourPassTraining,
    check_learned,
    check_passes,
)
from models.generator_model import GeneratorModel
from models.generator_settings import Architecture
from models.monitor import DiscriminatorMonitor
from models.trained import GENERATOR
from training.options import POLICIES, StepOptions
from training.replicas import count_replicas


class FourPassEUSR(GeneratorModel):
    """Upscales by 4 in three ways with four passes: twice by 2, by 4, by 8 and halved.

    The losses compare each of the three estimates with the truth, by a discriminator
    and by two score predictors.

    Attributes:
        discriminator: Of `models.DISCRIMINATORS`; None without training.
        monitor: `models.monitor.DiscriminatorMonitor`; None without training.
        predictors: From `aesthetic` and `subjective` to a
            `frozen.predictor.FrozenPredictor`, if a loss needs it.
    """

    training: FourPassTraining | None

    name = "4pp_eusr"
    trained_scales = default_scales = (SCALE,)
    flag_defaults = {"batch_size": 2}
    settings_classes = (Architecture, FourPassTraining)
    advice_for_scratch = (
        "the generator starts from random weights, unlike in the paper: "
        "--restore_path=EUSR_CHECKPOINT --restore_target=generator starts from a "
        "trained EUSR."
    )

    def __init__(
        self,
        architecture: Architecture,
        training: FourPassTraining | None = None,
        options: StepOptions | None = None,
    ) -> None:
        """Makes the networks, and their optimizers for training; see `TrainedModel`."""
        super().__init__(architecture, training, options)
        self.predictors, self.discriminator, self.monitor = {}, None, None
        if training is None:
            return
        check_passes(training.passes, architecture.model_scales)
        self.predictors = open_predictors(list_predictors(training))
        check_maps(training, self.predictors)
        self.variables = self._list_variables()
        policy = POLICIES[self.options.precision]
        self.discriminator = training.make_discriminator(policy)
        self.networks["discriminator"] = self.discriminator
        self.add_optimizer("discriminator", training.learning_rate_discriminator)
        self.monitor = DiscriminatorMonitor()

    def check_run(self, max_steps: int, lr_patch_size: int) -> None:
        """See `Model.check_run`."""
        super().check_run(max_steps, lr_patch_size)
        if self.training.held_steps >= max_steps:
            raise InputError(
                f"--eusr_discriminator_warmup_steps={self.training.held_steps}: with "
                f"--max_steps={max_steps} nothing else would be trained; give less."
            )
        for predictor in self.predictors.values():
            check_side(predictor, lr_patch_size)

    def restore(
        self,
        prefix: Path | str,
        target: str | None = None,
        resume: bool = False,
        use_ema: bool = True,
    ) -> None:
        """See `Model.restore`; also refuses a pass whose scale was never trained."""
        super().restore(prefix, target, resume, use_ema)
        if self.training is not None and target in (None, "generator"):
            check_learned(self.training.passes, self.learned_scales, prefix)

    def learn(self, scales: Sequence[int]) -> None:
        """See `Model.learn`: a step trains the scales of all passes."""
        super().learn(self.training.passes)

    def count_step_memory(self, scales: Sequence[int]) -> int:
        """See `Model.count_step_memory`."""
        return count_four_pass(self.architecture, self.training, self.options.precision)

    def trained_variables(self, scale: int) -> dict[str, list[keras.Variable]]:
        """See `TrainedModel.trained_variables`: of both networks, for all passes."""
        variables = {GENERATOR: self.variables}
        if self.training.weight_lg:
            variables["discriminator"] = self.discriminator.trainable_variables
        return variables

    def draw(self) -> tuple[Shift]:
        """See `TrainedModel.draw`: the shift of the patches."""
        return (Shift.at(self.state.step, self.training.judge_shift),)

    def train_step(
        self, lr: tf.Tensor, hr: tf.Tensor, scale: int
    ) -> dict[str, tf.Tensor]:
        """See `Model.train_step`: six losses, two Adams.

        The result holds the weighted sum of the generator's losses (`"loss"`), each
        loss by its name, the discriminator's loss and, under names with a slash, the
        outputs of discriminator and predictors.
        """
        values = super().train_step(lr, hr, scale)
        if self.training.weight_lg:
            self.monitor.record(values["discriminator/accuracy"])
        return values

    def differentiate(  # type: ignore[override]  # `draw` adds `shift`.
        self,
        lr: tf.Tensor,
        hr: tf.Tensor,
        scale: int,
        shift: Shift,
        loss_scale: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], list[list[tf.Tensor]]]:
        """Computes losses and gradients of both networks, from one forward pass.

        Each pass has a separate tape. It receives the gradient of the losses in its
        estimate, and the gradients of the passes are added in order: one tape would
        add the gradients of shared weights in an order that varies.
        """
        tapes, estimates = [], []
        for last in self.training.passes:
            with tf.GradientTape() as tape:
                estimates.append(self.estimate(lr, last))
            tapes.append(tape)
        replicas = count_replicas()
        values, asked, of_discriminator = differentiate_losses(
            self.training,
            self.discriminator,
            self.predictors,
            tf.concat(estimates, axis=0),
            hr,
            loss_scale / replicas,
            shift,
        )
        values = {name: value / replicas for name, value in values.items()}
        asked = tf.split(asked, len(estimates), axis=0)
        gradients = [self._differentiate_passes(tapes, estimates, asked)]
        if of_discriminator is not None:
            gradients.append(of_discriminator)
        return values, gradients

    def _differentiate_passes(self, tapes, estimates, asked):
        """Propagates the gradients in the estimates to the weights, pass by pass."""
        sums = {}
        for last, tape, estimate, gradient in zip(
            self.training.passes, tapes, estimates, asked, strict=True
        ):
            variables = self.generator.path_variables(last)
            gradients = tape.gradient(
                estimate, [v.value for v in variables], output_gradients=gradient
            )
            for variable, gradient in zip(variables, gradients, strict=True):
                before = sums.get(variable.path)
                sums[variable.path] = gradient if before is None else before + gradient
        return [sums[variable.path] for variable in self.variables]

    def estimate(self, lr: tf.Tensor, last: int) -> tf.Tensor:
        """Upscales by 4 in one of three ways; see `four_pass_values.estimate`."""
        reduction = self.training.x8_reduction
        return four_pass_values.estimate(self.generator, lr, last, reduction)

    def pictures(self, lr: tf.Tensor, scale: int) -> dict[str, tf.Tensor]:
        """See `Model.pictures`: the estimates of the weights in training."""
        return {
            f"estimate_x{last}": self.estimate(lr, last)
            for last in self.training.passes
        }

    def remarks(self) -> list[str]:
        """See `Model.remarks`: the discriminator no longer helps the training."""
        return self.monitor.remarks()

    def checkpoint_items(self) -> dict[str, Any]:
        """See `Model.checkpoint_items`."""
        items = super().checkpoint_items()
        if self.monitor is not None:
            items["discriminator_watch"] = self.monitor.tree()
        return items

    def tf1_layers(self) -> dict[str, dict[str, keras.layers.Layer]]:
        """See `GeneratorModel.tf1_layers`."""
        layers = super().tf1_layers()
        if tf1_names.has_discriminator(self.discriminator):
            layers["discriminator"] = tf1_names.of_discriminator(self.discriminator)
        return layers

    def _list_variables(self):
        """Lists the generator's variables that the passes use, each once."""
        variables = {
            variable.path: variable
            for last in self.training.passes
            for variable in self.generator.path_variables(last)
        }
        return list(variables.values())
