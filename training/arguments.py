"""What a run was started with: kept beside it, and compared when it goes on."""

import json
from pathlib import Path

from console.errors import InputError
from console.files import written_whole
from console.progress import say

ARGUMENTS = "arguments.json"
# Of a checkpoint's arguments: the scales that its weights were ever trained at.
LEARNED = "learned_scales"


def add_learned(before, scales):
    """The scales that weights were ever trained at, with those of a run.

    Args:
        before: Those of what the run starts from: None where they are not known.
        scales: The run's.

    Returns:
        list of int; None where they are not known.
    """
    return None if before is None else sorted({*before, *scales})


def write_arguments(path, arguments):
    """Writes what a run was started with, for people and for a resume."""
    with written_whole(path) as aside:
        aside.write_text(json.dumps(arguments, indent=2, sort_keys=True) + "\n")


def read_arguments(path):
    """Reads what a run was last started with; empty where there is no file.

    Raises:
        InputError: It is there but damaged.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        arguments = json.loads(path.read_text())
        if isinstance(arguments, dict):
            return arguments
        error = "no JSON object"
    except ValueError as raised:
        error = raised
    raise InputError(f"{path}: damaged ({error}); restore or remove it.")


def check_same_run(run, before, arguments, changes, anew="--restart", more=""):
    """Refuses to go on with a run under other arguments than it was started with.

    Args:
        run: Where the run is, for the message.
        before: Its arguments at its last start; empty where they are not known.
        arguments: From a flag's name to its value, as of this start.
        changes: From a name to whether it may differ: as of
            `console.settings.list_changes`. One that is not there may not.
        anew: The flag that begins anew; None where there is none.
        more: Flags by which another run goes on from where this one is.

    Raises:
        InputError: Another argument differs; all that differ are named.
    """
    differing = {
        name: f"{_name_argument(name)} was {before[name]} and is {arguments[name]}"
        for name in sorted(set(before) & set(arguments))
        if before[name] != arguments[name] and changes.get(name) != "freely"
    }
    if "scales" in differing:  # The images are known by their sizes at each.
        differing.pop("data_set", None)
    said = [differing.pop(name) for name in [*differing] if changes.get(name) == "said"]
    if differing:
        ways = [
            "Start with the same flags to go on with it",
            f"give another --train_path{f' with {more}' * bool(more)} to start another",
        ]
        if anew is not None:
            ways.append(f"begin anew with {anew}")
        raise InputError(
            f"{run} holds a run that was started differently: "
            f"{'; '.join(differing.values())}. "
            f"{', '.join(ways[:-1])}, or {ways[-1]}."
        )
    if said:
        say(f"From here on: {'; '.join(said)}.")


def _name_argument(name):
    return "the data set" if name == "data_set" else f"--{name}"
