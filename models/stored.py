"""Compares the settings of a checkpoint's network with the requested settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console.errors import InputError
from console.settings import Settings


def read_settings(
    prefix: Path | str, settings_class: type[Settings], values: dict[str, Any]
) -> Settings:
    """Makes the settings of a checkpoint's network from the values of their fields."""
    try:
        return settings_class.from_stored(values)
    except ValueError as error:
        raise InputError(
            f"{prefix}: invalid settings of the network, {values} ({error}). It is "
            "damaged, or of another model; use another checkpoint."
        ) from error


def check_given(prefix: Path | str, settings: Settings) -> None:
    """Refuses flags that differ from the settings of a checkpoint's network."""
    given = settings.given()
    for flag, field in settings.options().items():
        value = getattr(settings, field.name)
        if given.get(field.name, value) != value:
            raise InputError(
                f"--{flag}={_to_flag(given[field.name])} differs from {prefix}, which "
                f"was trained with {_to_flag(value)}. Leave the flag out to use the "
                "checkpoint's."
            )


def check_same(
    prefix: Path | str, settings: Settings, wanted: Settings, but: Sequence[str] = ()
) -> None:
    """Refuses a checkpoint of another network than the trained one.

    Weights alone do not suffice to tell: a deeper network has all weights of a
    shallower one. The fields in `but` may differ.
    """
    misfits = list_misfits(settings, wanted, but)
    if misfits:
        raise InputError(
            f"{prefix} holds another network than the network to train: "
            f"{', '.join(misfits)}. Give these flags, or another checkpoint."
        )


def list_misfits(
    settings: Settings, wanted: Settings, but: Sequence[str] = ()
) -> list[str]:
    """Lists the flags in which two networks differ, with both values."""
    misfits = []
    for flag, field in settings.options().items():
        theirs, ours = getattr(settings, field.name), getattr(wanted, field.name)
        if theirs != ours and field.name not in but:
            misfits.append(f"--{flag}={_to_flag(theirs)} (not {_to_flag(ours)})")
    return misfits


def _to_flag(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
