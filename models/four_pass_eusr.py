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

import dataclasses
import functools

import tensorflow as tf
from absl import flags

from console.flags import define_float, define_numbers, define_path
from models import reduction, tf1_names
from models.discriminator import Discriminator
from models.four_pass_settings import (
    PASSES,
    SCALE,
    FourPassTraining,
    apply_disable_multipass,
    check_passes,
    load_predictors,
)
from models.generator_model import FLAG_PREFIX, GeneratorModel
from models.losses import (
    cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    score_loss,
)
from models.predictors import KINDS
from training import checkpoints
from training.optimizer import minimize_together
from training.options import POLICIES
from training.replicas import count_replicas
from training.state import make_counter

# Steps in a row after which a discriminator that has won, or says the same of
# everything, is pointed out.
PATIENCE = 1000


class FourPassEUSR(GeneratorModel):
    """See the module's docstring.

    Attributes:
        discriminator: `models.discriminator.Discriminator`; None for a model that
            only upscales, as the following.
        discriminator_optimizer: `training.optimizer.GuardedAdam`.
        predictors: From `aesthetic` and `subjective` to a
            `models.predictors.ScorePredictor`, of those that a loss asks for.
    """

    name = "4pp_eusr"
    trained_scales = default_scales = (SCALE,)
    training_class = FourPassTraining
    may_change = (
        *(f"{FLAG_PREFIX}{f.name}" for f in dataclasses.fields(FourPassTraining)),
        "eusr_disable_multipass",
    )
    advice_for_scratch = (
        "a discriminator is trained against a generator that knows nothing yet, which "
        "is not what the paper does: --restore_path=EUSR_CHECKPOINT "
        "--restore_target=generator starts from a trained EUSR."
    )

    def __init__(self, architecture, training=None, options=None):
        """Makes the networks, and what trains them if they are to be trained.

        Args:
            architecture: A `models.generator_model.Architecture`.
            training: A `FourPassTraining`; None for a model that only upscales.
            options: A `training.options.StepOptions`; None for the defaults.

        Raises:
            InputError: A predictor is missing or damaged.
        """
        super().__init__(architecture, options)
        self.training, self.predictors = training, {}
        self.discriminator = self.discriminator_optimizer = None
        if training is None:
            return
        self.predictors = load_predictors(training)
        self.variables = self._list_variables()
        self.optimizer = self.make_optimizer(
            training, training.learning_rate, self.generator.trainable_variables
        )
        self.discriminator = Discriminator(POLICIES[self.options.precision])
        self.discriminator_optimizer = self.make_optimizer(
            training,
            training.learning_rate_discriminator,
            self.discriminator.trainable_variables,
        )
        self.start_average()
        self.all_right_in_a_row = make_counter(0, "all_right_in_a_row")
        self.one_sided_in_a_row = make_counter(0, "one_sided_in_a_row")

    @classmethod
    def define_flags(cls):
        """Declares the flags of the networks and of their training."""
        super().define_flags()
        defaults = FourPassTraining
        define_float(
            "eusr_learning_rate_discriminator",
            defaults.learning_rate_discriminator,
            "Learning rate of the discriminator at the first step.",
            lower_bound=0.0,
        )
        for name, text in (
            ("weight_lr", "the mean absolute error to the truth"),
            ("weight_lg", "what the discriminator says"),
            ("weight_las", "the aesthetic score"),
            ("weight_lar", "the aesthetic predictor's features"),
            ("weight_lss", "the subjective score"),
            ("weight_lsr", "the subjective predictor's features"),
        ):
            define_float(
                f"eusr_{name}",
                getattr(defaults, name),
                f"Weight of the loss of {text}; at 0 it is not computed.",
                lower_bound=0.0,
            )
        for name, (data, _) in KINDS.items():
            define_path(
                f"eusr_{name}_nima_path",
                None,
                f"The predictor trained on {data}, a .pb file of "
                "score_predictors/freeze.py or of the TF1 code.",
            )
        define_numbers(
            "eusr_passes",
            PASSES,
            "The estimates to train: twice by 2, by 4, by 8 and halved.",
        )
        flags.DEFINE_bool(
            "eusr_disable_multipass", False, "The same as --eusr_passes=4."
        )
        flags.DEFINE_enum(
            "eusr_x8_reduction",
            defaults.x8_reduction,
            list(reduction.REDUCTIONS),
            "How the x8 estimate is halved: as MATLAB does, or as the TF1 code did, "
            "which moves the image by half of its pixel.",
        )

    @classmethod
    def from_flags(cls, options=None):
        """See `Model.from_flags`."""
        architecture = cls.architecture_from_flags()
        training = apply_disable_multipass(cls.training_from_flags())
        check_passes(training.passes, architecture.model_scales)
        model = cls(architecture, training, options)
        for predictor in model.predictors.values():
            predictor.check_side(flags.FLAGS.input_patch_size, SCALE)
        return model

    def train_step(self, lr, hr, scale):
        """See `Model.train_step`: six losses, two Adams.

        Beside the weighted sum of the generator's losses (`"loss"`) these come back
        each by its name, the discriminator's and, under names with a slash, what it
        says and what the predictors say.
        """
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        differentiate = functools.partial(self._differentiate, lr, hr)
        if self.options.jit_compile:
            differentiate = tf.function(
                differentiate, autograph=False, jit_compile=True
            )
        parts = [(self.optimizer, self.variables)]
        if self.training.weight_lg:
            parts.append(
                (
                    self.discriminator_optimizer,
                    self.discriminator.trainable_variables,
                )
            )
        values, norms, is_finite = minimize_together(self.state, differentiate, parts)
        self.follow_average(is_finite)
        values["gradient_norm"] = norms[0]
        if self.training.weight_lg:
            values["discriminator/gradient_norm"] = norms[1]
            self._watch_discriminator(values)
        return values

    def _differentiate(self, lr, hr, loss_scale):
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
        sr = tf.concat(estimates, axis=0)
        replicas = count_replicas()
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sr)
            values = self._measure(sr, hr)
            values = {name: value / replicas for name, value in values.items()}
            scaled = values["loss"] * loss_scale
            if self.training.weight_lg:
                scaled_other = values["discriminator"] * loss_scale
        passed = tf.split(tape.gradient(scaled, sr), len(estimates), axis=0)
        sums = {}
        for last, pass_tape, estimate, gradient in zip(
            self.training.passes, tapes, estimates, passed, strict=True
        ):
            variables = self.generator.path_variables(last)
            gradients = pass_tape.gradient(
                estimate, [v.value for v in variables], output_gradients=gradient
            )
            for variable, gradient in zip(variables, gradients, strict=True):
                before = sums.get(variable.path)
                sums[variable.path] = gradient if before is None else before + gradient
        gradients = [[sums[variable.path] for variable in self.variables]]
        if self.training.weight_lg:
            variables = self.discriminator.trainable_variables
            gradients.append(tape.gradient(scaled_other, [v.value for v in variables]))
        return values, gradients

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

    def _measure(self, sr, hr):
        """All losses of a batch, and what else is worth a curve.

        Args:
            sr: float32 (K * N, H, W, 3): K estimates, one after the other.
            hr: float32 (N, H, W, 3).

        Returns:
            dict: From a name to a float32 scalar; `loss` is the weighted sum.
        """
        count = len(self.training.passes)
        truth = tf.tile(hr, (count, 1, 1, 1))
        # No tensor may have more than two consumers; see `models.layers`.
        sr, *copies = _copies(sr, 1 + len(self.predictors))
        values, weighted = {}, []

        def add(name, field, loss):
            weight = getattr(self.training, f"weight_{field}")
            if weight:
                values[name] = loss()
                weighted.append(weight * values[name])

        add("reconstruction", "lr", lambda: mean_absolute_error(sr, truth))
        if self.training.weight_lg:
            values |= self._judge(copies.pop(), hr)
            weighted.append(self.training.weight_lg * values["adversarial"])
        for name, predictor in self.predictors.items():
            # On its own: no gradient is asked of the truth.
            hr_scores, hr_features = predictor(hr)
            scores, features = predictor(copies.pop())
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

    def _judge(self, sr, hr):
        """What the discriminator says of estimates and truth."""
        # Two batches, for of the truth only the discriminator's gradient is asked.
        fake, real = self.discriminator(sr), self.discriminator(hr)
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

    def _watch_discriminator(self, values):
        """Counts for how long it has been always right, or said always the same."""
        accuracy = values["discriminator/accuracy"]
        for counter, sign in (
            (self.all_right_in_a_row, accuracy > 1.0 - 1e-6),
            (self.one_sided_in_a_row, tf.abs(accuracy - 0.5) < 1e-6),
        ):
            counter.assign(tf.where(sign, counter + 1, tf.zeros_like(counter)))

    def pictures(self, lr, scale):
        """See `Model.pictures`: the estimates, of the weights that are trained."""
        return {
            f"estimate_x{last}": self.estimate(lr, last)
            for last in self.training.passes
        }

    def learning_rates(self):
        """See `Model.learning_rates`."""
        rate = self.discriminator_optimizer.schedule.at(self.state.step)
        return {
            **super().learning_rates(),
            "discriminator/learning_rate": float(rate),
        }

    def remarks(self):
        """See `Model.remarks`: a discriminator that teaches nothing any more."""
        remarks = []
        for counter, what in (
            (
                self.all_right_in_a_row,
                "was right everywhere, so that the generator learns little from it; "
                "lower --eusr_learning_rate_discriminator",
            ),
            (
                self.one_sided_in_a_row,
                "said the same of estimates and truth, so that it teaches nothing; "
                "lower both learning rates, or --eusr_weight_lg",
            ),
        ):
            steps = int(counter.numpy())
            if steps >= PATIENCE:
                remarks.append(f"for {steps} steps the discriminator {what}.")
                counter.assign(0)
        return remarks

    def roots(self):
        """See `Model.roots`."""
        roots = super().roots()
        if self.discriminator is not None:
            roots["discriminator"] = checkpoints.to_tree(self.discriminator.weights)
            roots["discriminator_optimizer"] = checkpoints.to_tree(
                self.discriminator_optimizer.variables
            )
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


def _copies(x, count):
    """Copies of a tensor, none of which more than two others are made from."""
    copies = [x]
    for _ in range(count):
        copies.append(tf.identity(copies[-1]))
    return copies
