"""A run's folder: what it was started with, and whether it may go on."""

import contextlib
import itertools
import os
from pathlib import Path

from console import locks
from console.errors import InputError
from console.progress import say, warn
from console.settings import take_missing
from training import checkpoints
from training.arguments import ARGUMENTS, read_arguments


def read_before(folder, path=None):
    """Reads what a run was last started with.

    Args:
        folder: Of the run's checkpoints.
        path: Its file of arguments; None for arguments.json in the folder.

    Returns:
        dict: From the file of arguments, or where that is missing from the newest
        checkpoint; empty where neither says it.

    Raises:
        InputError: The file of arguments is damaged.
    """
    path = path or Path(folder) / ARGUMENTS
    before = read_arguments(path)
    for prefix in reversed(checkpoints.list_checkpoints(folder)):
        if before:
            break
        # A damaged checkpoint is told when the run is restored.
        with contextlib.suppress(InputError):
            before = (checkpoints.describe(str(prefix)) or {}).get("run", {})
    return before


# Folder, within a run's, of its best checkpoint.
BEST = "best"


class ForeignError(InputError):
    """A checkpoint that is whole, but not of a run of this program."""


def find_return(folder, path, before):
    """Finds the checkpoint that a run is to go back to.

    Args:
        folder: Of the run's checkpoints.
        path: The value of --restore_path.
        before: The run's arguments at its last start.

    Returns:
        str: One of the run's own; None where it goes on from its newest, for the path
        is not given, or is that of its first or its last start.

    Raises:
        InputError: The path means something else, or nothing.
    """
    starts = (before.get("restore_path"), before.get("first_restore_path"))
    known = {Path(start).absolute() for start in starts if start is not None}
    if path is None or Path(path).absolute() in known:
        return None
    prefix = checkpoints.find(path)
    # Where the run keeps its best, too.
    if Path(folder).resolve() in Path(prefix).resolve().parents[:2]:
        return prefix
    raise InputError(
        f"--restore_path={path}: --train_path={folder} holds a run that did not start "
        "from it. Leave --restore_path out to go on with the run, or give another "
        "--train_path to start one from there."
    )


def restore_newest(model, folder, named=None, elsewhere=None, only=None):
    """Goes on with the newest checkpoint of a run that is whole.

    Args:
        model: A `models.base.Model`; its weights, optimizers and step are replaced.
        folder: The run's folder.
        named: The flag that named the run and its value, for messages; None for
            `--train_path`.
        elsewhere: What to do where the run is another program's; None for another
            `--train_path` that starts from its weights.
        only: The checkpoint to take, whatever the newest is; None for the newest.

    Returns:
        str: The checkpoint that was taken; None if the folder holds none.

    Raises:
        InputError: There are checkpoints, but none of them can be read.
    """
    named = named or f"--train_path={folder}"
    saved = checkpoints.list_checkpoints(folder) if only is None else [Path(only)]
    for prefix in reversed(saved):
        try:
            stored = checkpoints.list_roots(prefix)
            target = " --restore_target=generator"
            if "state" not in stored:
                what = "was written by another program, whose run cannot go on here"
                target = ""  # Of what it holds, Adam's memory may be a part.
            elif not any(root.endswith("optimizer") for root in stored):
                what = "holds weights alone, and nothing of a run to go on with"
            else:
                what = None
            if what is not None:
                advice = elsewhere or (
                    f"Give another --train_path, and --restore_path={prefix}{target} "
                    "to start from it."
                )
                raise ForeignError(f"{named}: {prefix.name} {what}. {advice}")
            model.restore(str(prefix), resume=True)
            return str(prefix)
        except ForeignError:
            raise
        except InputError as error:
            if only is not None:
                raise
            warn(f"{error} Trying the one before.")
    if saved:
        raise InputError(
            f"{named}: none of its {len(saved)} checkpoints can be read. "
            "--restart begins anew and keeps them aside."
        )
    return None


def take_architecture(model_class, prefixes):
    """Gives flags of the network that were not given the values of a checkpoint.

    Args:
        model_class: A `models.base.Model`.
        prefixes: Checkpoints, the newest last: the newest that can be read is taken.
    """
    for prefix in reversed(prefixes):
        # Others are told of where the weights are read, which goes back like this.
        with contextlib.suppress(InputError):
            taken = take_missing(model_class.read_architecture(str(prefix)))
            if taken:
                say(f"The network is that of {prefix}: {' '.join(taken)}.")
            return


def set_aside(folder):
    """Renames a run's folder, so that a new run can begin; nothing is deleted.

    Args:
        folder: The run's folder; need not exist.

    Returns:
        Path: Where it is now; None if there was nothing.
    """
    # Where it is a link, what it leads to is renamed, and the link stays.
    folder = Path(folder).resolve()
    if not folder.exists() or not set(os.listdir(folder)) - {locks.NAME}:
        return None
    if folder == Path.cwd() or folder in Path.cwd().parents:
        raise InputError(
            f"--train_path={folder} cannot be kept aside: it is where you are. Give a "
            "folder of its own."
        )
    names = (folder.with_name(f"{folder.name}.old{n}") for n in itertools.count(1))
    aside = next(path for path in names if not path.exists())
    folder.rename(aside)
    folder.mkdir()
    return aside


def set_later_aside(folder, step, kept=""):
    """Moves checkpoints away that a run would write over or go on from.

    Args:
        folder: The run's folder.
        step: Where the run is; checkpoints of this step and of later ones are moved.
        kept: The one that stays, if it is that of the step.

    Returns:
        Path: The folder, within the run's, where they are now; None if there were
        none.
    """
    folder = Path(folder)
    later = [
        prefix
        for place in (folder, folder / BEST)
        for prefix in checkpoints.list_checkpoints(place)
        if checkpoints.step_of(prefix) >= step
        and prefix.resolve() != Path(kept).resolve()
    ]
    if not later:
        return None
    names = (folder / f"later.old{number}" for number in itertools.count(1))
    aside = next(path for path in names if not path.exists())
    # From the newest on: whatever is left after a kill is a run that can go on.
    for prefix in sorted(later, key=checkpoints.step_of, reverse=True):
        target = aside / prefix.parent.relative_to(folder)
        target.mkdir(parents=True, exist_ok=True)
        for part in sorted(prefix.parent.glob(f"{prefix.name}.*"), reverse=True):
            part.rename(target / part.name)
    return aside
