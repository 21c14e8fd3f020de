"""Compares the settings of a checkpoint's network with those that are asked for."""

from console.errors import InputError


def read_settings(prefix, settings_class, values):
    """Reads what a network was made from.

    Args:
        prefix: The checkpoint.
        settings_class: The `console.settings.Settings` that it was made from.
        values: What the checkpoint says of it: from a field's name to its value.

    Returns:
        One of the class.

    Raises:
        InputError: There cannot be such a network.
    """
    try:
        return settings_class.from_stored(values)
    except ValueError as error:
        raise InputError(
            f"{prefix}: cannot be a network of {values} ({error}). It is damaged, or "
            "of another model; use another one."
        ) from error


def check_given(prefix, settings):
    """Refuses flags that differ from what a checkpoint says of its network.

    Args:
        prefix: The checkpoint.
        settings: As `read_settings` returns them.

    Raises:
        InputError: One was given with another value.
    """
    given = settings.given()
    for flag, field in settings.options().items():
        value = getattr(settings, field.name)
        if given.get(field.name, value) != value:
            raise InputError(
                f"--{flag}={_to_flag(given[field.name])} differs from {prefix}, which "
                f"was trained with {_to_flag(value)}. Leave the flag out: the "
                "checkpoint knows."
            )


def check_same(prefix, settings, wanted, but=()):
    """Refuses a checkpoint of another network than the one that is to be trained.

    Weights alone would not tell: a deeper network has all that a shallower one asks
    for.

    Args:
        prefix: The checkpoint.
        settings: As `read_settings` returns them.
        wanted: Those of the network to be trained.
        but: Names of fields that may differ.

    Raises:
        InputError: With the flags that fit.
    """
    misfits = []
    for flag, field in settings.options().items():
        theirs, ours = getattr(settings, field.name), getattr(wanted, field.name)
        if theirs != ours and field.name not in but:
            misfits.append(f"--{flag}={_to_flag(theirs)} (not {_to_flag(ours)})")
    if misfits:
        raise InputError(
            f"{prefix} holds another network than the one to be trained: "
            f"{', '.join(misfits)}. Give these flags, or another checkpoint."
        )


def _to_flag(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
