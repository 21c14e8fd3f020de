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
        None, "Scales to train, of which each step draws one; all if not given."
    )
    scale_weights: tuple[int, ...] | None = option(
        None, "How often each of --scales is drawn, such as 2,2,1."
    )
    train_path: PathName = option(
        "./train/", "Folder of all that a run writes.", changes="freely"
    )
    restore_path: PathName | None = option(
        None,
        "Checkpoint that a new run starts from; a folder means its newest. A "
        "--train_path that holds a run goes on with it instead.",
        changes="freely",
    )
    seed: int = seed_option()
    validate_truth_path: tuple[PathName, ...] | None = option(
        None, "HR images to measure the model on meanwhile.", changes="freely"
    )
    validate_input_path: tuple[PathName, ...] | None = option(
        None, "Their LR images; made from HR if not given.", changes="freely"
    )

    def refuse_validating(self, *others: str) -> None:
        """Refuses flags of the validation if there are no HR images for it.

        Args:
            *others: Names of further flags of the validation.

        Raises:
            InputError: A flag of the validation was given.
        """
        for name in ("validate_input_path", "validate_freq", *others):
            if is_given(name):
                raise InputError(f"--{name} needs --validate_truth_path, too.")

    def make_loader(self, loader_class: Any, scales: Sequence[int]) -> Any:
        """Makes the loader of the training patches.

        Args:
            loader_class: `dataloaders.paired.PairedLoader` or a subclass.
            scales: Trained scales.

        Raises:
            InputError: --scale_weights does not fit the scales.
        """
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
                f"--scale_weights={','.join(map(str, weights))}: expected for each of "
                f"--scales={','.join(map(str, scales))} a whole number from 1 to "
                f"{MOST_WEIGHT}."
            )
        return weights
