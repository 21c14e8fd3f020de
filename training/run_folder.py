"""A run's folder: what it was started with, and whether it may go on."""

from console.errors import InputError
from training import checkpoints


def check_same_run(folder, arguments, may_change):
    """Refuses to go on with a run under other arguments than it was started with.

    Args:
        folder: The run's folder.
        arguments: From a flag's name to its value, as of this start.
        may_change: Names of flags that say how long or how often, not what is
            trained; and those of this start alone.

    Raises:
        InputError: An argument differs; all that differ are named.
    """
    before = checkpoints.read_arguments(folder)
    if before is None:
        return
    differing = [
        f"--{name} was {before[name]} and is {arguments[name]}"
        for name in sorted(set(before) & set(arguments) - set(may_change))
        if before[name] != arguments[name]
    ]
    if differing:
        raise InputError(
            f"{folder} holds a run that was started differently: "
            f"{'; '.join(differing)}. Start with the same flags to go on with it, or "
            "give another --train_path."
        )
