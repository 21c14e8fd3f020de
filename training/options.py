"""How a run and its training steps go, whatever the model."""

import dataclasses

from console.errors import InputError
from console.settings import Settings, option

# From a precision to the Keras policy of the layers that follow it.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclasses.dataclass(frozen=True)
class Precision(Settings):
    """In which precision a network computes; weights are float32 in any case."""

    changes = "said"

    precision: str = option(
        "float32",
        "Of the network between its first and its last convolution; bfloat16 halves "
        "the time on processors that have it, float16 is for GPUs.",
        choices=tuple(POLICIES),
    )


@dataclasses.dataclass(frozen=True)
class BasicOptions(Precision):
    """How a training step is taken, whatever the model and the framework."""

    shown = ()

    ema_decay: float = option(
        0.0,
        "Keep a running average of the weights, for example 0.999; validate.py, "
        "freeze.py and test.py use it. 0 keeps none.",
        least=0.0,
        most=1.0,
    )
    gradient_clip_norm: float = option(
        0.0,
        "Scale the gradients down to this norm where theirs is larger; 0 never.",
        least=0.0,
    )
    learning_rate_warmup_steps: int = option(
        0, "Steps in which the learning rate rises from 0 to its schedule.", least=0
    )

    def check(self):
        """See `Settings.check`."""
        if self.ema_decay == 1.0:
            raise InputError(
                "--ema_decay=1 would never follow the weights; give less, for example "
                "0.999."
            )


@dataclasses.dataclass(frozen=True)
class StepOptions(BasicOptions):
    """How a training step of TensorFlow is taken, whatever the model."""

    jit_compile: bool = option(
        False,
        "Compile the network with XLA: faster on a GPU, slower on a CPU.",
        changes="freely",
    )
    deterministic: bool = option(
        False, "Make equal runs equal to the last bit; slower."
    )
    skip_nonfinite: int = option(
        0,
        "How many steps in a row may have a loss or gradient that is not finite; "
        "they change nothing.",
        least=0,
        changes="freely",
    )


# What a script does for a model, whichever it is.
FOR_ANY_MODEL = ("deterministic",)
# The others: what a model's training step does.
OF_A_STEP = tuple(
    field.name
    for field in dataclasses.fields(StepOptions)
    if field.name not in FOR_ANY_MODEL
)


def check_heeded(model, options):
    """Refuses options that a model does not heed.

    Args:
        model: A class or its object; has `name` and `step_options`.
        options: A `StepOptions`.

    Raises:
        InputError: The first one that differs from its default.
    """
    for field in dataclasses.fields(options):
        if field.name in (*FOR_ANY_MODEL, *model.step_options):
            continue
        value = getattr(options, field.name)
        if value != field.default:
            shown = "" if value is True else f"={value}"
            raise InputError(
                f"--{field.name}{shown}: --model={model.name} does nothing with it. "
                "Leave it out."
            )


@dataclasses.dataclass(frozen=True)
class RunLength(Settings):
    """How long a run is, and how often something is done in it."""

    changes = "freely"
    shown = ("max_steps", "save_freq")

    max_steps: int = option(
        1_000_000, "Training steps in all, those of earlier starts included."
    )
    log_freq: int = option(10, "Steps between two lines.")
    save_freq: int = option(
        50_000, "Steps between two checkpoints; the last step is always saved."
    )
    save_max_keep: int = option(100, "How many checkpoints are kept.")
    validate_freq: int = option(
        5_000, "Steps between two validations, with --validate_truth_path."
    )
