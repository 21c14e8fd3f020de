"""The arguments of a run: stored in its folder, compared when it is resumed."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from console.errors import InputError
from console.files import written_whole
from console.progress import say
from console.settings import Settings, record, take_missing

ARGUMENTS = "arguments.json"
# Key in a checkpoint's arguments: scales that its weights were trained at.
LEARNED = "learned_scales"
# The values of the --degradation that weights were trained with: among the arguments of
# a run, and beside them in a checkpoint of weights alone.
DEGRADATION = "degradation_values"


def find_degradation(arguments: dict[str, Any] | None) -> dict[str, Any] | None:
    """Finds how LR images were degraded, in the result of `checkpoints.describe`."""
    arguments = arguments or {}
    return (arguments.get("run") or arguments).get(DEGRADATION)


def add_learned(
    before: Iterable[int] | None, scales: Iterable[int]
) -> list[int] | None:
    """Adds the scales of a run to those that weights were trained at, if known."""
    return None if before is None else sorted({*before, *scales})


def describe_run(
    model: str | None, loader: Any, *classes: type[Settings]
) -> dict[str, Any]:
    """Returns the arguments of a training of a super-resolution model."""
    degradation = loader.degradation and loader.degradation.strength.to_json()
    return record(*classes) | {
        "model": model,
        # A class, since a loader may have two names.
        "dataloader": type(loader).__name__,
        "data_set": loader.describe(),
        "scales": list(loader.scales),
        # The values, since a file of --degradation may change.
        DEGRADATION: degradation,
    }


def take_network(path: Path | str, known: dict[str, Any]) -> None:
    """Sets flags of the network that were not given, and says which."""
    taken = take_missing(known)
    if taken:
        say(f"Using the network settings of {path}: {' '.join(taken)}.")


def write_arguments(path: Path | str, arguments: dict[str, Any]) -> None:
    """Writes the arguments of a run, for people and for resuming."""
    with written_whole(path) as aside:
        aside.write_text(json.dumps(arguments, indent=2, sort_keys=True) + "\n")


def read_arguments(path: Path | str) -> dict[str, Any]:
    """Reads the arguments of a run's last start; empty if there is no file.

    Raises:
        InputError: The file is damaged.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        arguments = json.loads(path.read_text())
        if isinstance(arguments, dict):
            return arguments
        error = "not a JSON object"
    except ValueError as raised:
        error = str(raised)
    raise InputError(f"{path}: damaged ({error}); restore or remove it.")


def check_same_run(
    run: Path | str,
    before: dict[str, Any],
    arguments: dict[str, Any],
    changes: dict[str, str],
    restart: str | None = "--restart",
    more: str = "",
) -> None:
    """Refuses to resume a run with other arguments.

    Args:
        run: Path of the run, for the message.
        before: Arguments of its last start; empty if unknown.
        arguments: Arguments of this start, from a flag's name to its value.
        changes: See `console.settings.list_changes`; other flags may not differ.
        restart: Flag that starts the run again; None if there is none.
        more: Flags with which another run continues from this one.
    """
    before, arguments = _flatten(before), _flatten(arguments)
    differing = {
        name: f"{_name_argument(name)} was {before[name]} and is {arguments[name]}"
        for name in sorted(set(before) & set(arguments))
        if before[name] != arguments[name] and changes.get(name) != "freely"
    }
    if "scales" in differing:  # The data set's name depends on the scales.
        differing.pop("data_set", None)
    said = [differing.pop(name) for name in [*differing] if changes.get(name) == "said"]
    if differing:
        ways = [
            "Give the same flags to resume it",
            f"another --train_path{f' with {more}' * bool(more)} to start another run",
        ]
        if restart is not None:
            ways.append(f"{restart} to start it again")
        raise InputError(
            f"{run} holds a run with other settings: {'; '.join(differing.values())}. "
            f"{', '.join(ways[:-1])}, or {ways[-1]}."
        )
    if said:
        say(f"From here on: {'; '.join(said)}.")


def _flatten(arguments):
    """Replaces each dict in a dict by its items, such as `values.first.sigma`."""
    flat = {}
    for name, value in arguments.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": each for key, each in _flatten(value).items()}
        else:
            flat[name] = value
    return flat


def _name_argument(name):
    if name == "data_set" or "." in name:
        return "the data set" if name == "data_set" else name
    return f"--{name}"
