"""What the generator's models are made from and trained with, and their flags."""

import dataclasses
import math

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float, define_numbers, from_flags
from console.progress import warn

# Its flags count as those of the model that declares them.
flags.disclaim_key_flags()

FLAG_PREFIX = "eusr_"
# The paper's is the larger; a smaller one is that with zeros around it.
START_KERNELS = (3, 5)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the network is made from; a checkpoint carries it.

    Attributes:
        model_scales: The scales that the network has paths for.
        conv_features: F, channels of the inner convolutions.
        shared_blocks: S, local residual blocks of the shared part.
        upscale_blocks: U, those of each residual module of an upscaling module.
        rgb_mean: Mean of R, G and B of the training images, in [0, 255].
        start_kernel: Side of the kernels in the two blocks that each scale starts with,
            one of `START_KERNELS`.
        input_scale: What the picture without its mean is divided by before the network,
            and multiplied by after it; the paper's 1 leaves it as it is.
    """

    model_scales: tuple = (2, 4, 8)
    conv_features: int = 64
    shared_blocks: int = 32
    upscale_blocks: int = 1
    rgb_mean: tuple = (114.4, 111.5, 103.0)
    start_kernel: int = 5
    input_scale: float = 1.0

    def is_possible(self):
        """Whether there can be such a network, of whatever types the fields are."""
        scales, mean = self.model_scales, self.rgb_mean
        if not (isinstance(scales, tuple) and isinstance(mean, tuple)):
            return False
        counts = (
            self.conv_features,
            self.shared_blocks,
            self.upscale_blocks,
            self.start_kernel,
        )
        return (
            all(type(count) is int and count > 0 for count in (*counts, *scales))
            and all(scale > 1 and scale & (scale - 1) == 0 for scale in scales)
            and len(set(scales)) == len(scales) > 0
            and len(mean) == 3
            and all(map(_is_finite, (*mean, self.input_scale)))
            and self.input_scale > 0
            and self.start_kernel in START_KERNELS
        )

    def count_parameters(self):
        """How many weights and biases the network has, without making it."""
        features, modules = self.conv_features, 4 * (2 * self.upscale_blocks + 1)
        inner = (9 * features + 1) * features
        count = (9 * 3 + 1) * features + (2 * self.shared_blocks + 1) * inner
        for scale in self.model_scales:
            count += 4 * (self.start_kernel**2 * features + 1) * features
            count += modules * (scale.bit_length() - 1) * inner
            count += (9 * features + 1) * 3
        return count


# Names of the flags of its fields.
ARCHITECTURE_FLAGS = tuple(
    f"{FLAG_PREFIX}{field.name}" for field in dataclasses.fields(Architecture)
)


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


def _is_finite(value):
    return type(value) in (int, float) and math.isfinite(value)


def define_flags(defaults=Training):
    """Declares the flags of the network and of its learning rate.

    Args:
        defaults: `Training` or a subclass, whose defaults are the flags'.
    """
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
    define_count(
        "eusr_start_kernel",
        Architecture.start_kernel,
        "Side of the kernels in the two blocks that each scale starts with: the "
        "paper's 5, or 3, which is faster.",
    )
    define_float(
        "eusr_input_scale",
        Architecture.input_scale,
        "What the picture without its mean is divided by before the network and "
        "multiplied by after it, for example 127.5.",
        lower_bound=1e-3,
    )
    define_float(
        "eusr_learning_rate",
        defaults.learning_rate,
        "Learning rate at the first step.",
        lower_bound=0.0,
    )
    define_float(
        "eusr_learning_rate_decay",
        defaults.learning_rate_decay,
        "Factor of each decay of the learning rate (schedule 'step').",
        lower_bound=0.0,
    )
    define_count(
        "eusr_learning_rate_decay_steps",
        defaults.learning_rate_decay_steps,
        "Steps between two decays; with the schedule 'cosine', the steps until "
        "the learning rate is zero: usually --max_steps.",
    )
    flags.DEFINE_enum(
        "eusr_learning_rate_schedule",
        defaults.learning_rate_schedule,
        ["step", "cosine"],
        "How the learning rate falls: in steps, or along half a cosine to zero.",
    )


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
    if architecture.start_kernel not in START_KERNELS:
        raise InputError(
            f"--eusr_start_kernel={architecture.start_kernel}: expected "
            f"{' or '.join(map(str, START_KERNELS))}."
        )
    if len(architecture.rgb_mean) != 3:
        raise InputError("--eusr_rgb_mean takes three numbers, for R, G and B.")
    return architecture


def training_from_flags(training_class=Training):
    """Takes the values of the flags of the training.

    Args:
        training_class: `Training` or a subclass.

    Returns:
        One of that class.
    """
    training = from_flags(training_class, FLAG_PREFIX)
    steps, end = training.learning_rate_decay_steps, flags.FLAGS.max_steps
    if training.learning_rate_schedule == "cosine" and steps < end:
        warn(
            f"the learning rate is zero from step {steps} on "
            f"(--eusr_learning_rate_decay_steps), but --max_steps={end}."
        )
    return training
