"""Settings of a run under JAX and of its files."""

import dataclasses
from typing import Any, ClassVar, Self

from console.errors import InputError
from console.settings import is_given, option
from training.options import BasicOptions, RunLength


@dataclasses.dataclass(frozen=True)
class JaxOptions(BasicOptions):
    """Options of a training step: those of `BasicOptions` with fewer precisions."""

    precision: str = BasicOptions.with_default(
        "precision", "float32", choices=("float32", "bfloat16")
    )


@dataclasses.dataclass(frozen=True)
class LengthSettings(RunLength):
    """Length of a run, intervals, and storage."""

    shown: ClassVar[tuple[str, ...] | None] = (
        *("max_steps", "max_seconds", "save_seconds", "steps_per_call"),
        *("half_precision", "max_file_megabytes"),
    )

    max_seconds: int | None = option(
        None,
        "Seconds to train at most, from the start of the compilation on. The "
        "schedule 'cosine' then follows the share of them that is spent, so that "
        "the learning rate ends at zero however fast the device is.",
    )
    save_seconds: int | None = option(None, "Seconds between two saves.")
    steps_per_call: int = option(
        1,
        "Steps of one scale that are handed to the device at once: faster where a "
        "step is short.",
        changes="no",
    )
    half_precision: bool = option(
        False, "Store 16 bits for each weight in place of 32."
    )
    max_file_megabytes: int | None = option(
        None, "Cut files that are larger into numbered pieces."
    )

    @classmethod
    def from_flags(cls, **others: Any) -> Self:
        """See `Settings.from_flags`; makes --max_steps a multiple of a call's steps."""
        settings = super().from_flags(**others)
        over = settings.max_steps % settings.steps_per_call
        if over and is_given("max_steps"):
            raise InputError(
                f"--max_steps={settings.max_steps} is not a multiple of "
                f"--steps_per_call={settings.steps_per_call}."
            )
        return dataclasses.replace(settings, max_steps=settings.max_steps - over)
