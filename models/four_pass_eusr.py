"""4PP-EUSR: EUSR's generator, trained for people's eyes.

Choi, Kim, Cheon and Lee, "Deep learning-based image super-resolution considering
quantitative and perceptual quality", Neurocomputing 2019.

An image is enlarged to x4 in three ways that take four passes through the generator:
twice by x2, once by x4, and by x8, halved. Each of the three estimates is held against
the truth, a discriminator and two score predictors.

Deviations from the original code, all on purpose: the x8 estimate is halved with
antialiasing (`--eusr_x8_reduction=legacy` is the original's), a loss of weight 0 is not
computed, and those of `models.eusr`.
"""

import tensorflow as tf

from frozen.predictor import open_predictors
from models import reduction, tf1_names
from models.discriminator import Discriminator
from models.footprint import count_four_pass
from models.four_pass_losses import Shift, differentiate_losses
from models.four_pass_settings import (
    SCALE,
    FourPassTraining,
    check_learned,
    check_passes,
    check_side,
    list_predictors,
)
from models.generator_model import GeneratorModel
from models.generator_settings import Architecture
from models.monitor import DiscriminatorMonitor
from models.trained import GENERATOR
from training.options import POLICIES
from training.replicas import count_replicas


class FourPassEUSR(GeneratorModel):
    """See the module's docstring.

    Attributes:
        discriminator: `models.discriminator.Discriminator`; None for a model that
            only upscales.
        monitor: `models.monitor.DiscriminatorMonitor`.
        predictors: From `aesthetic` and `subjective` to a
            `frozen.predictor.FrozenPredictor`, of those that a loss asks for.
    """

    name = "4pp_eusr"
    trained_scales = default_scales = (SCALE,)
    flag_defaults = {"batch_size": 2}
    settings_classes = (Architecture, FourPassTraining)
    advice_for_scratch = (
        "a discriminator is trained against a generator that knows nothing yet, which "
        "is not what the paper does: --restore_path=EUSR_CHECKPOINT "
        "--restore_target=generator starts from a trained EUSR."
    )

    def __init__(self, architecture, training=None, options=None):
        """Makes the networks, and what trains them if they are to be trained.

        Args:
            architecture: A `models.generator_settings.Architecture`.
            training: A `FourPassTraining`; None for a model that only upscales.
            options: A `training.options.StepOptions`; None for the defaults.

        Raises:
            InputError: A predictor is missing or damaged.
        """
        super().__init__(architecture, training, options)
        self.predictors, self.discriminator, self.monitor = {}, None, None
        if training is None:
            return
        check_passes(training.passes, architecture.model_scales)
        self.predictors = open_predictors(list_predictors(training))
        self.variables = self._list_variables()
        self.discriminator = Discriminator(POLICIES[self.options.precision])
        self.networks["discriminator"] = self.discriminator
        self.add_optimizer("discriminator", training.learning_rate_discriminator)
        self.monitor = DiscriminatorMonitor()

    def check_run(self, max_steps, lr_patch_size):
        """See `Model.check_run`."""
        super().check_run(max_steps, lr_patch_size)
        for predictor in self.predictors.values():
            check_side(predictor, lr_patch_size)

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`.

        Raises:
            InputError: Besides, a pass goes through what was never trained.
        """
        super().restore(prefix, target, resume, use_ema)
        if self.training is not None and target in (None, "generator"):
            check_learned(self.training.passes, self.learned_scales, prefix)

    def learn(self, scales):
        """See `Model.learn`: its passes are what is trained."""
        super().learn(self.training.passes)

    def count_step_memory(self, scales):
        """See `Model.count_step_memory`."""
        return count_four_pass(self.architecture, self.training, self.options.precision)

    def trained_variables(self, scale):
        """See `TrainedModel.trained_variables`: both networks', of all passes."""
        variables = {GENERATOR: self.variables}
        if self.training.weight_lg:
            variables["discriminator"] = self.discriminator.trainable_variables
        return variables

    def draw(self):
        """See `TrainedModel.draw`: by how much patches are moved."""
        return (Shift.at(self.state.step, self.training.judge_shift),)

    def train_step(self, lr, hr, scale):
        """See `Model.train_step`: six losses, two Adams.

        Beside the weighted sum of the generator's losses (`"loss"`) these come back
        each by its name, the discriminator's and, under names with a slash, what it
        says and what the predictors say.
        """
        values = super().train_step(lr, hr, scale)
        if self.training.weight_lg:
            self.monitor.record(values["discriminator/accuracy"])
        return values

    def differentiate(self, lr, hr, scale, shift, loss_scale):
        """Losses and gradients of both networks, from one forward pass.

        Each pass has a tape of its own: what the losses say about its estimate is
        handed on to it, and the gradients of the passes are added in their order, for
        one tape would add those of shared weights in an order that varies.

        Returns:
            dict of this replica's shares, gradients of the generator's variables and,
            where it is trained, of the discriminator's.
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
        """Hands the estimates' gradients on to the weights, pass after pass.

        Args:
            tapes: Of each pass.
            estimates: What it made.
            asked: The gradient of the loss in that estimate.

        Returns:
            Gradients of the generator's variables.
        """
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

    def estimate(self, lr, last):
        """Enlarges by 4 in one of the three ways.

        Args:
            lr: float32 (N, H, W, 3), RGB in [0, 255].
            last: Scale of the last pass: 2, 4 or 8.

        Returns:
            float32 (N, H * 4, W * 4, 3), not clipped.
        """
        sr = self.generator(lr, scale=last)
        if last == 2:
            return self.generator(sr, scale=last)
        return reduction.halve(sr, self.training.x8_reduction) if last == 8 else sr

    def pictures(self, lr, scale):
        """See `Model.pictures`: the estimates, of the weights that are trained."""
        return {
            f"estimate_x{last}": self.estimate(lr, last)
            for last in self.training.passes
        }

    def remarks(self):
        """See `Model.remarks`: a discriminator that teaches nothing any more."""
        return self.monitor.remarks()

    def roots(self):
        """See `Model.roots`."""
        roots = super().roots()
        if self.monitor is not None:
            roots["discriminator_watch"] = self.monitor.tree()
        return roots

    def tf1_layers(self):
        """See `GeneratorModel.tf1_layers`."""
        layers = super().tf1_layers()
        if self.discriminator is not None:
            layers["discriminator"] = tf1_names.of_discriminator(self.discriminator)
        return layers

    def _list_variables(self):
        """The generator's variables that the passes use, each once."""
        variables = {
            variable.path: variable
            for last in self.training.passes
            for variable in self.generator.path_variables(last)
        }
        return list(variables.values())
