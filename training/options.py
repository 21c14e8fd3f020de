"""How a training step is taken, whatever the model."""

import dataclasses

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float, from_flags

# From a precision to the Keras policy of the layers that follow it.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclasses.dataclass(frozen=True)
class BasicOptions:
    """How a training step is taken, whatever the model and the framework.

    Attributes:
        precision: `float32`, `bfloat16` or `float16`: of the network between its
            first and its last convolution. Weights are float32 in any case.
        ema_decay: Of the running average of the weights; 0 keeps none.
        gradient_clip_norm: Largest norm of all gradients together; 0 for any.
        learning_rate_warmup_steps: Steps in which the learning rate rises from 0.
    """

    precision: str = "float32"
    ema_decay: float = 0.0
    gradient_clip_norm: float = 0.0
    learning_rate_warmup_steps: int = 0

    @classmethod
    def define_flags(cls, precisions=tuple(POLICIES)):
        """Declares the flags of the same names.

        Args:
            precisions: Those to choose among.
        """
        define_precision(precisions)
        define_float(
            "ema_decay",
            cls.ema_decay,
            "Keep a running average of the weights, for example 0.999; validate.py, "
            "freeze.py and test.py use it. 0 keeps none.",
            lower_bound=0.0,
            upper_bound=1.0,
        )
        define_float(
            "gradient_clip_norm",
            cls.gradient_clip_norm,
            "Scale the gradients down to this norm where theirs is larger; 0 never.",
            lower_bound=0.0,
        )
        define_count(
            "learning_rate_warmup_steps",
            cls.learning_rate_warmup_steps,
            "Steps in which the learning rate rises from 0 to its schedule.",
            least=0,
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags.

        Raises:
            InputError: They cannot be used.
        """
        options = from_flags(cls)
        if options.ema_decay == 1.0:
            raise InputError(
                "--ema_decay=1 would never follow the weights; give less, for example "
                "0.999."
            )
        return options


@dataclasses.dataclass(frozen=True)
class StepOptions(BasicOptions):
    """How a training step of TensorFlow is taken, whatever the model.

    Attributes:
        jit_compile: Whether XLA compiles the network and its gradient.
        deterministic: Whether equal runs must be equal to the last bit.
        skip_nonfinite: How many steps in a row may have a loss or gradient that is
            not finite.
    """

    jit_compile: bool = False
    deterministic: bool = False
    skip_nonfinite: int = 0

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        super().define_flags()
        flags.DEFINE_bool(
            "jit_compile",
            cls.jit_compile,
            "Compile the network with XLA: faster on a GPU, slower on a CPU.",
        )
        flags.DEFINE_bool(
            "deterministic",
            cls.deterministic,
            "Make equal runs equal to the last bit; slower.",
        )
        define_count(
            "skip_nonfinite",
            cls.skip_nonfinite,
            "How many steps in a row may have a loss or gradient that is not finite; "
            "they change nothing.",
            least=0,
        )


# What a script does for a model, whichever it is.
FOR_ANY_MODEL = ("deterministic",)


def check_heeded(model):
    """Refuses flags of `StepOptions` that a model does not heed.

    Args:
        model: A class or its object; has `name` and `step_options`.

    Raises:
        InputError: The first one that differs from its default.
    """
    for field in dataclasses.fields(StepOptions):
        if field.name in (*FOR_ANY_MODEL, *model.step_options):
            continue
        flag = flags.FLAGS[field.name] if field.name in flags.FLAGS else None
        if flag is not None and flag.value != flag.default:
            raise InputError(
                f"{flag.serialize()}: --model={model.name} does nothing with it. "
                "Leave it out."
            )


@dataclasses.dataclass(frozen=True)
class RunLength:
    """How long a run is, and how often something is done in it.

    Attributes:
        max_steps: Steps in all, those of earlier starts included.
        log_freq: Steps between two lines.
        save_freq: Steps between two checkpoints; the last step is always saved.
        save_max_keep: How many checkpoints are kept.
        validate_freq: Steps between two validations.
    """

    max_steps: int = 1_000_000
    log_freq: int = 10
    save_freq: int = 50_000
    save_max_keep: int = 100
    validate_freq: int = 5_000

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        define_count("max_steps", cls.max_steps, "Training steps in all.")
        define_count("log_freq", cls.log_freq, "Steps between two lines.")
        define_count("save_freq", cls.save_freq, "Steps between two checkpoints.")
        define_count(
            "save_max_keep", cls.save_max_keep, "How many checkpoints are kept."
        )
        define_count(
            "validate_freq",
            cls.validate_freq,
            "Steps between two validations, with --validate_truth_path.",
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags."""
        return from_flags(cls)


def define_precision(precisions=tuple(POLICIES)):
    """Declares --precision, which validate.py and test.py have too."""
    flags.DEFINE_enum(
        "precision",
        BasicOptions.precision,
        list(precisions),
        "Of the network between its first and its last convolution; bfloat16 halves "
        "the time on processors that have it, float16 is for GPUs.",
    )
