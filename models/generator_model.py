"""What the models that are trained share: the generator, its flags and checkpoints."""

import dataclasses
import functools

import tensorflow as tf
from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float, define_numbers, from_flags
from console.progress import warn
from imaging.tiles import make_stages
from models import tf1_names
from models.base import Model, check_flags_agree
from models.generator import Generator
from training import averages, checkpoints
from training.optimizer import GuardedAdam, Schedule
from training.options import POLICIES, StepOptions

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


class GeneratorModel(Model):
    """A model whose pictures the generator of EUSR makes.

    A subclass adds what trains it.

    Attributes:
        architecture: `Architecture`.
        options: `training.options.StepOptions`.
        generator: `models.generator.Generator`.
        average: Another, of the running average of the weights; None if none is kept.
        optimizer: `training.optimizer.GuardedAdam` of the generator; None for a model
            that only upscales.
    """

    training_class = Training

    def __init__(self, architecture, options=None):
        """Makes the network.

        Args:
            architecture: An `Architecture`.
            options: A `StepOptions`; None for the defaults.
        """
        self.options = options or StepOptions()
        super().__init__(dataclasses.asdict(architecture), self.options)
        self.architecture = architecture
        self.scales = tuple(architecture.model_scales)
        self.generator = self._make_generator(architecture)
        self.average = self.optimizer = None

    def _make_generator(self, architecture):
        return Generator(
            scales=self.scales,
            features=architecture.conv_features,
            shared_blocks=architecture.shared_blocks,
            upscale_blocks=architecture.upscale_blocks,
            rgb_mean=architecture.rgb_mean,
            body_dtype=POLICIES[self.options.precision],
        )

    def start_average(self):
        """Begins the running average of the weights, if one is to be kept."""
        if self.options.ema_decay:
            self.average = self._make_generator(self.architecture)
            averages.start(self.average.weights, self.generator.weights)

    def follow_average(self, is_finite):
        """Moves the average after a step; call it in a replica, within the step.

        Args:
            is_finite: bool scalar; if not, nothing moves.
        """
        if self.average is not None:
            averages.follow(
                self.average.weights,
                self.generator.weights,
                self.options.ema_decay,
                is_finite,
            )

    def make_optimizer(self, training, learning_rate, variables):
        """Makes Adam as the models here are trained with.

        Args:
            training: A `Training`: how the rate falls.
            learning_rate: At step 0.
            variables: What it trains.

        Returns:
            training.optimizer.GuardedAdam.
        """
        schedule = Schedule(
            learning_rate,
            training.learning_rate_decay,
            training.learning_rate_decay_steps,
            training.learning_rate_schedule,
            self.options.learning_rate_warmup_steps,
        )
        optimizer = GuardedAdam(
            schedule,
            self.state,
            clip_norm=self.options.gradient_clip_norm,
            epsilon=1e-8,
        )
        optimizer.build(variables)
        return optimizer

    @classmethod
    def define_flags(cls):
        """Declares the flags of the network and of its learning rate."""
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
        define_float(
            "eusr_learning_rate",
            cls.training_class.learning_rate,
            "Learning rate at the first step.",
            lower_bound=0.0,
        )
        define_float(
            "eusr_learning_rate_decay",
            cls.training_class.learning_rate_decay,
            "Factor of each decay of the learning rate (schedule 'step').",
            lower_bound=0.0,
        )
        define_count(
            "eusr_learning_rate_decay_steps",
            cls.training_class.learning_rate_decay_steps,
            "Steps between two decays; with the schedule 'cosine', the steps until "
            "the learning rate is zero: usually --max_steps.",
        )
        flags.DEFINE_enum(
            "eusr_learning_rate_schedule",
            cls.training_class.learning_rate_schedule,
            ["step", "cosine"],
            "How the learning rate falls: in steps, or along half a cosine to zero.",
        )

    @staticmethod
    def architecture_from_flags():
        """Takes the values of the network's flags.

        Returns:
            Architecture.

        Raises:
            InputError: No network has these sizes.
        """
        architecture = from_flags(Architecture, FLAG_PREFIX)
        scales = architecture.model_scales
        is_known = set(scales) <= {2, 4, 8, 16} and scales
        if not is_known or len(set(scales)) < len(scales):
            raise InputError(
                f"--eusr_model_scales={','.join(map(str, scales))}: expected some of "
                "2, 4, 8, 16, each once."
            )
        if len(architecture.rgb_mean) != 3:
            raise InputError("--eusr_rgb_mean takes three numbers, for R, G and B.")
        return architecture

    @classmethod
    def training_from_flags(cls):
        """Takes the values of the flags of the training.

        Returns:
            As the class says: a `Training`.
        """
        training = from_flags(cls.training_class, FLAG_PREFIX)
        steps, end = training.learning_rate_decay_steps, flags.FLAGS.max_steps
        if training.learning_rate_schedule == "cosine" and steps < end:
            warn(
                f"the learning rate is zero from step {steps} on "
                f"(--eusr_learning_rate_decay_steps), but --max_steps={end}."
            )
        return training

    @classmethod
    def from_checkpoint(cls, prefix, arguments, options=None):
        """See `Model.from_checkpoint`; checkpoints of the TF1 code are read too."""
        fields = _read_architecture(prefix, arguments)
        check_flags_agree(prefix, FLAG_PREFIX, fields)
        mean = f"{FLAG_PREFIX}rgb_mean"
        if arguments is None and mean in flags.FLAGS and flags.FLAGS[mean].present:
            fields["rgb_mean"] = flags.FLAGS[mean].value
        return cls(Architecture(**fields), options=options)

    def trunk(self, lr, scale):
        """See `Model.trunk`: with the averaged weights, where there are some."""
        generator = self.average or self.generator
        return tf.cast(generator.trunk(lr, scale), tf.float32)

    def head(self, features, scale):
        """See `Model.head`: with the averaged weights, where there are some."""
        return (self.average or self.generator).head(features, scale)

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
        return {"learning_rate": float(self.optimizer.schedule.at(self.state.step))}

    def roots(self):
        """See `Model.roots`."""
        roots = {
            "generator": checkpoints.to_tree(self.generator.weights),
            "state": self.state.tree(),
        }
        if self.optimizer is not None:
            roots["generator_optimizer"] = checkpoints.to_tree(self.optimizer.variables)
        if self.average is not None:
            roots["ema"] = checkpoints.to_tree(self.average.weights)
        return roots

    def tf1_layers(self):
        """The layers that the TF1 code has, too.

        Returns:
            dict: From a root's name to a dict as `models.tf1_names` makes it.
        """
        return {"generator": tf1_names.of_generator(self.generator)}

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`; checkpoints of the TF1 code are read too."""
        if target in (None, "generator"):
            self._check_architecture(prefix)
        if tf1_names.is_tf1(prefix):
            self._restore_tf1(prefix, target)
        else:
            super().restore(prefix, target, resume, use_ema)
        if self.average is not None and not (resume and self._has_average(prefix)):
            averages.start(self.average.weights, self.generator.weights)

    def _restore_tf1(self, prefix, target):
        layers = self.tf1_layers()
        if target is not None:
            if target not in layers:
                raise InputError(
                    f"--restore_target={target}: of {prefix} only "
                    f"{' and '.join(layers)} can be read."
                )
            layers = {target: layers[target]}
        reader = checkpoints.open_reader(prefix)
        for root, named in layers.items():
            if not any(reader.has_tensor(f"{name}/kernel") for name in named):
                raise InputError(
                    f"{prefix} holds no {root}, which --model={self.name} has. "
                    "--restore_target=generator takes the generator alone."
                )
        named = {
            name: layer for root in layers.values() for name, layer in root.items()
        }
        tf1_names.restore(prefix, named)

    def _check_architecture(self, prefix):
        """Refuses a checkpoint of another network.

        Weights alone would not tell: a deeper network has all that a shallower one
        asks for.

        Raises:
            InputError: With the flags that fit.
        """
        ours = dataclasses.asdict(self.architecture)
        theirs = _read_architecture(prefix, checkpoints.describe(prefix))
        misfits = [
            f"--{FLAG_PREFIX}{name}={_to_flag(value)} (not {_to_flag(ours[name])})"
            for name, value in theirs.items()
            if not (
                set(ours[name]) <= set(value)
                if name == "model_scales"
                else value == ours[name]
            )
        ]
        if misfits:
            raise InputError(
                f"{prefix} holds another network than the one to be trained: "
                f"{', '.join(misfits)}. Give these flags, or another checkpoint."
            )

    @staticmethod
    def _has_average(prefix):
        return "ema" in checkpoints.list_roots(prefix)


def _read_architecture(prefix, arguments):
    """Reads what the network of a checkpoint was made from.

    Args:
        prefix: The checkpoint.
        arguments: As `training.checkpoints.describe` returns them; None for a
            checkpoint of the TF1 code.

    Returns:
        dict: Fields of `Architecture`; the RGB mean is not in files of the TF1 code.

    Raises:
        InputError: It holds no EUSR.
    """
    if arguments is None:
        return tf1_names.read_architecture(prefix)
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments["architecture"].items()
    }


def _to_flag(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
