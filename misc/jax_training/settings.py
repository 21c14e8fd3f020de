"""How long a run under JAX is, and how its files are stored."""

import dataclasses

from absl import flags

from console.errors import InputError
from console.flags import define_count, from_flags
from training.options import RunLength

# Its flags count as those of the script that declares them.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class Settings(RunLength):
    """How long, how often, and how it is stored.

    Attributes:
        max_seconds: Seconds in all, those of earlier starts included; None for any.
        save_seconds: Seconds between two saves; None for none but those by step.
        steps_per_call: Steps of one scale that are handed to the device at once.
        half_precision: Whether files hold 16 bits.
        max_file_megabytes: Of a file; None for any.
    """

    max_seconds: int | None = None
    save_seconds: int | None = None
    steps_per_call: int = 1
    half_precision: bool = False
    max_file_megabytes: int | None = None

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        super().define_flags()
        define_count(
            "max_seconds",
            cls.max_seconds,
            "Seconds to train at most, from the start of the compilation on. The "
            "schedule 'cosine' then follows the share of them that is spent, so that "
            "the learning rate ends at zero however fast the device is.",
        )
        define_count("save_seconds", cls.save_seconds, "Seconds between two saves.")
        define_count(
            "steps_per_call",
            cls.steps_per_call,
            "Steps of one scale that are handed to the device at once: faster where a "
            "step is short.",
        )
        flags.DEFINE_bool(
            "half_precision",
            cls.half_precision,
            "Store 16 bits for each weight in place of 32.",
        )
        define_count(
            "max_file_megabytes",
            cls.max_file_megabytes,
            "Cut files that are larger into numbered pieces.",
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags.

        Raises:
            InputError: --max_steps fits no whole number of calls.
        """
        settings = from_flags(cls)
        over = settings.max_steps % settings.steps_per_call
        if over and flags.FLAGS["max_steps"].present:
            raise InputError(
                f"--max_steps={settings.max_steps} is no multiple of "
                f"--steps_per_call={settings.steps_per_call}."
            )
        return dataclasses.replace(settings, max_steps=settings.max_steps - over)
