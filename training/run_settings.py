"""Settings of a super-resolution training, with TensorFlow or JAX."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from console.errors import InputError
from console.settings import PathName, Settings, is_given, option, seed_option

# Largest weight of a scale; a loader lists each scale as often as its weight.
MOST_WEIGHT = 100


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
