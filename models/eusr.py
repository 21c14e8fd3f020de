"""EUSR and the step that trains it (Kim and Lee, CVPR Workshops 2018).

Two deviations from the original code, both on purpose: only the variables that a
scale uses move in its step (the original's Adam also moved the others by their
momentum), and the learning rate may also follow a cosine.
"""

import dataclasses
import functools
import math

import keras
import tensorflow as tf
from absl import flags

from console.errors import InputError
from console.flags import define_count, define_numbers, from_flags
from imaging.tiles import make_stages
from models import tf1_names
from models.base import Model, check_flags_agree
from models.generator import Generator
from models.losses import mean_absolute_error
from training import checkpoints
from training.optimizer import GuardedAdam

FLAG_PREFIX = "eusr_"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the network is made from; a checkpoint carries it.

    Attributes:
        model_scales: The scales that the network has paths for.
        conv_features: F, channels of the inner convolutions.
        shared_blocks: S, local residual blocks of the shared part.
        upscale_blocks: U, those of each residual module of an upscaling module.
        rgb_mean: Mean of R, G and B of the training images, in [0, 255].
    """

    model_scales: tuple = (2, 4, 8)
    conv_features: int = 64
    shared_blocks: int = 32
    upscale_blocks: int = 1
    rgb_mean: tuple = (114.4, 111.5, 103.0)


@dataclasses.dataclass(frozen=True)
class Training:
    """How it is trained.

    Attributes:
        learning_rate: Adam's, at step 0.
        learning_rate_decay: Factor of each decay of the `step` schedule.
        learning_rate_decay_steps: Steps between two decays; with `cosine`, the
            steps until the rate is zero.
        learning_rate_schedule: `step` or `cosine`.
    """

    learning_rate: float = 1e-4
    learning_rate_decay: float = 0.5
    learning_rate_decay_steps: int = 200_000
    learning_rate_schedule: str = "step"

    def rate_at(self, step):
        """The learning rate of a step.

        Args:
            step: Integer scalar tensor, steps done before.

        Returns:
            float32 scalar tensor.
        """
        share = tf.cast(step, tf.float32) / self.learning_rate_decay_steps
        if self.learning_rate_schedule == "cosine":
            return (
                self.learning_rate
                * 0.5
                * (1.0 + tf.cos(math.pi * tf.minimum(share, 1.0)))
            )
        return self.learning_rate * self.learning_rate_decay ** tf.floor(share)


class FollowStep(keras.optimizers.schedules.LearningRateSchedule):
    """The rate at the run's own step; an optimizer counts only what it applied."""

    def __init__(self, rate_at, step):
        """Takes a function of the step and the variable that holds the step."""
        self.rate_at, self.step = rate_at, step

    def __call__(self, _):
        """Returns the rate, a float32 scalar."""
        return self.rate_at(self.step)

    def get_config(self):
        """A schedule that holds a variable has no configuration to save."""
        return {}


class EUSR(Model):
    """One network for x2, x4 and x8, trained on one scale at a time."""

    name = "eusr"

    def __init__(self, architecture, training=None):
        """Makes the network, and the optimizer if it is to be trained.

        Args:
            architecture: An `Architecture`.
            training: A `Training`; None for a model that only upscales.
        """
        super().__init__(dataclasses.asdict(architecture))
        self.scales = tuple(architecture.model_scales)
        self.generator = Generator(
            scales=self.scales,
            features=architecture.conv_features,
            shared_blocks=architecture.shared_blocks,
            upscale_blocks=architecture.upscale_blocks,
            rgb_mean=architecture.rgb_mean,
        )
        self.training, self.optimizer = training, None
        if training is not None:
            self.optimizer = GuardedAdam(
                FollowStep(training.rate_at, self.state.step), epsilon=1e-8
            )
            self.optimizer.build(self.generator.trainable_variables)

    @staticmethod
    def define_flags():
        """Declares the flags of the network and of its training."""
        define_numbers(
            "eusr_model_scales",
            Architecture.model_scales,
            "Scales that the network has paths for.",
        )
        define_count(
            "eusr_conv_features",
            Architecture.conv_features,
            "Channels of the inner convolutions.",
        )
        define_count(
            "eusr_shared_blocks",
            Architecture.shared_blocks,
            "Local residual blocks in the part that all scales share.",
        )
        define_count(
            "eusr_upscale_blocks",
            Architecture.upscale_blocks,
            "Local residual blocks in each residual module of an upscaling module.",
        )
        define_numbers(
            "eusr_rgb_mean",
            Architecture.rgb_mean,
            "Mean of R, G and B of the training images, in [0, 255].",
            number=float,
        )
        flags.DEFINE_float(
            "eusr_learning_rate",
            Training.learning_rate,
            "Learning rate at the first step.",
            lower_bound=0.0,
        )
        flags.DEFINE_float(
            "eusr_learning_rate_decay",
            Training.learning_rate_decay,
            "Factor of each decay of the learning rate (schedule 'step').",
            lower_bound=0.0,
        )
        define_count(
            "eusr_learning_rate_decay_steps",
            Training.learning_rate_decay_steps,
            "Steps between two decays; with the schedule 'cosine', the steps until "
            "the learning rate is zero: usually --max_steps.",
        )
        flags.DEFINE_enum(
            "eusr_learning_rate_schedule",
            Training.learning_rate_schedule,
            ["step", "cosine"],
            "How the learning rate falls: in steps, or along half a cosine to zero.",
        )

    @classmethod
    def from_flags(cls):
        """Makes the model that the flags describe, ready to be trained."""
        architecture = from_flags(Architecture, FLAG_PREFIX)
        scales = architecture.model_scales
        if any(scale not in (2, 4, 8, 16) for scale in scales) or not scales:
            raise InputError(
                f"--eusr_model_scales={','.join(map(str, scales))}: EUSR upscales by "
                "2, 4, 8 or 16."
            )
        if len(architecture.rgb_mean) != 3:
            raise InputError("--eusr_rgb_mean takes three numbers, for R, G and B.")
        return cls(architecture, from_flags(Training, FLAG_PREFIX))

    @classmethod
    def from_checkpoint(cls, prefix, arguments):
        """See `Model.from_checkpoint`; checkpoints of the TF1 code are read too."""
        if arguments is None:
            fields = tf1_names.read_architecture(prefix)
        else:
            fields = arguments["architecture"]
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        check_flags_agree(prefix, FLAG_PREFIX, fields)
        return cls(Architecture(**fields))

    def train_step(self, lr, hr, scale):
        """See `Model.train_step`: mean absolute error, Adam."""
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        variables = self.generator.path_variables(scale)
        values = [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss = mean_absolute_error(self.upscale(lr, scale), hr)
        norm = self.optimizer.apply_guarded(
            tape.gradient(loss, values), variables, loss, self.state
        )
        return {"loss": loss, "gradient_norm": norm}

    def trunk(self, lr, scale):
        """See `Model.trunk`."""
        return self.generator.trunk(lr, scale)

    def head(self, features, scale):
        """See `Model.head`."""
        return self.generator.head(features, scale)

    def radii(self, scale):
        """See `Model.radii`."""
        return self.generator.trunk_radius(), self.generator.head_radius(scale)

    @functools.cache  # noqa: B019 - as many entries as scales, and models live long
    def stages(self, scale):
        """See `Model.stages`."""
        features = self.generator.features
        trunk, head = (
            tf.function(
                functools.partial(part, scale=scale),
                input_signature=[tf.TensorSpec((None, None, None, channels))],
                autograph=False,
            )
            for part, channels in ((self.trunk, 3), (self.head, features))
        )
        return make_stages(trunk, head, scale, self.radii(scale), features)

    def learning_rates(self):
        """See `Model.learning_rates`."""
        return {"learning_rate": float(self.training.rate_at(self.state.step))}

    def roots(self):
        """See `Model.roots`."""
        roots = {
            "generator": checkpoints.to_tree(self.generator.weights),
            "state": self.state.tree(),
        }
        if self.optimizer is not None:
            roots["generator_optimizer"] = checkpoints.to_tree(self.optimizer.variables)
        return roots

    def restore(self, prefix, target=None, resume=False):
        """See `Model.restore`; checkpoints of the TF1 code are read too."""
        if tf1_names.is_tf1(prefix):
            tf1_names.restore(prefix, self.generator)
        else:
            super().restore(prefix, target, resume)
