"""Settings of runs and of training steps, for all models."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from console.errors import InputError
from console.settings import PathName, Settings, is_given, option, seed_option

# Largest weight of a scale; a loader lists each scale as often as its weight.
MOST_WEIGHT = 100
# From a precision to the Keras dtype policy of the inner layers.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclasses.dataclass(frozen=True)
class Precision(Settings):
    """Precision of a network's computation; weights are always float32."""

    changes = "said"

    precision: str = option(
        "float32",
        "Precision after the first convolution, in training up to the last; bfloat16 "
        "halves the time on processors that support it, float16 is for GPUs.",
        choices=tuple(POLICIES),
    )


@dataclasses.dataclass(frozen=True)
class BasicOptions(Precision):
    """Options of a training step, for all models and frameworks."""

    shown = ()

    ema_decay: float = option(
        0.0,
        "Decay of a running average of the weights, for example 0.999; validate.py, "
        "freeze.py and test.py use the average. 0 keeps none.",
        least=0.0,
        most=1.0,
    )
    gradient_clip_norm: float = option(
        0.0,
        "Largest global norm of the gradients, enforced by scaling; 0: no limit.",
        least=0.0,
    )
    learning_rate_warmup_steps: int = option(
        0, "Steps of a linear warmup of the learning rate, from 0.", least=0
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.ema_decay == 1.0:
            raise InputError(
                "--ema_decay=1 would never change the average; give less, for example "
                "0.999."
            )


@dataclasses.dataclass(frozen=True)
class StepOptions(BasicOptions):
    """Options of a TensorFlow training step, for all models."""

    jit_compile: bool = option(
        False,
        "Compile the network with XLA: faster on a GPU, slower on a CPU.",
        changes="freely",
    )
    deterministic: bool = option(
        False, "Make runs reproducible to the last bit; slower."
    )
    skip_nonfinite: int = option(
        0,
        "Most steps in a row with a loss or gradient that is not finite; they change "
        "nothing.",
        least=0,
        changes="freely",
    )


# Options that the script implements, for any model.
FOR_ANY_MODEL = ("deterministic",)
# Options that a model's training step implements.
OF_A_STEP = tuple(
    field.name
    for field in dataclasses.fields(StepOptions)
    if field.name not in FOR_ANY_MODEL
)


def check_heeded(model: Any, options: StepOptions) -> None:
    """Refuses options that a model or its class does not support."""
    for field in dataclasses.fields(options):
        if field.name in (*FOR_ANY_MODEL, *model.step_options):
            continue
        value = getattr(options, field.name)
        if value != field.default:
            shown = "" if value is True else f"={value}"
            raise InputError(
                f"--{field.name}{shown}: --model={model.name} does not support it. "
                "Leave it out."
            )


@dataclasses.dataclass(frozen=True)
class RunLength(Settings):
    """Length of a run, and intervals within it."""

    changes = "freely"
    shown: ClassVar[tuple[str, ...] | None] = ("max_steps", "save_freq")

    max_steps: int = option(
        1_000_000, "Total training steps, including those of earlier starts."
    )
    log_freq: int = option(10, "Steps between two lines of the log.")
    save_freq: int = option(
        50_000, "Steps between two checkpoints; the last step is always saved."
    )
    save_max_keep: int = option(100, "Number of checkpoints to keep.")
    validate_freq: int = option(
        5_000, "Steps between two validations, with --validate_truth_path."
    )


@dataclasses.dataclass(frozen=True)
class RunSettings(Settings):
    """Data and folder of a training, and images to validate on."""

    batch_size: int = option(16, "Patches in a training step.")
    input_patch_size: int = option(48, "Side of the LR patches, in LR pixels.")
    scales: tuple[int, ...] | None = option(
        None, "Scales to train; each step draws one. If not given, all."
    )
    scale_weights: tuple[int, ...] | None = option(
        None, "Relative frequency of each of --scales, such as 2,2,1."
    )
    train_path: PathName = option(
        "./train/", "Folder for all files of the run.", changes="freely"
    )
    restore_path: PathName | None = option(
        None,
        "Checkpoint that a new run starts from, or a folder for its newest. If "
        "--train_path holds a run, that run is resumed instead.",
        changes="freely",
    )
    seed: int = seed_option()
    validate_truth_path: tuple[PathName, ...] | None = option(
        None, "HR images to validate on during training.", changes="freely"
    )
    validate_input_path: tuple[PathName, ...] | None = option(
        None, "Their LR images; if not given, made from HR.", changes="freely"
    )

    def refuse_validating(self, *others: str) -> None:
        """Refuses flags of the validation if there are no HR images for it."""
        for name in ("validate_input_path", "validate_freq", *others):
            if is_given(name):
                raise InputError(f"--{name} needs --validate_truth_path.")

    def make_loader(self, loader_class: Any, scales: Sequence[int]) -> Any:
        """Makes the loader of the training patches, of a class like `PairedLoader`."""
        return loader_class.from_flags(
            scales=scales,
            lr_patch_size=self.input_patch_size,
            batch_size=self.batch_size,
            seed=self.seed,
            scale_weights=self._weigh(scales),
        )

    def _weigh(self, scales):
        """Returns the weight of each scale; None for equal weights."""
        weights = self.scale_weights
        if weights is None:
            return None
        are_fit = all(1 <= weight <= MOST_WEIGHT for weight in weights)
        if len(weights) != len(scales) or not are_fit:
            raise InputError(
                f"--scale_weights={','.join(map(str, weights))}: expected a whole "
                f"number from 1 to {MOST_WEIGHT} for each of "
                f"--scales={','.join(map(str, scales))}."
            )
        return weights
