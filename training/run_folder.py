"""A run's folder: what it was started with, and whether it may go on."""

import contextlib
import itertools
from pathlib import Path

from console.errors import InputError
from console.flags import take_missing
from console.progress import say, warn
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


class ForeignError(InputError):
    """A checkpoint that is whole, but not of a run of this program."""


def restore_newest(model, folder, named=None, elsewhere=None):
    """Goes on with the newest checkpoint of a run that is whole.

    Args:
        model: A `models.base.Model`; its weights, optimizers and step are replaced.
        folder: The run's folder.
        named: The flag that named the run and its value, for messages; None for
            `--train_path`.
        elsewhere: What to do where the run is another program's; None for another
            `--train_path` that starts from its weights.

    Returns:
        str: The checkpoint that was taken; None if the folder holds none.

    Raises:
        InputError: There are checkpoints, but none of them can be read.
    """
    named = named or f"--train_path={folder}"
    saved = checkpoints.list_checkpoints(folder)
    for prefix in reversed(saved):
        try:
            stored = checkpoints.list_roots(prefix)
            if "state" not in stored:
                what = "was written by another program, whose run cannot go on here"
            elif not any(root.endswith("optimizer") for root in stored):
                what = "holds weights alone, and nothing of a run to go on with"
            else:
                what = None
            if what is not None:
                advice = elsewhere or (
                    f"Give another --train_path, and --restore_path={prefix} "
                    "--restore_target=generator to start from its weights."
                )
                raise ForeignError(f"{named}: {prefix.name} {what}. {advice}")
            model.restore(str(prefix), resume=True)
            return str(prefix)
        except ForeignError:
            raise
        except InputError as error:
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
            known = model_class.read_architecture(str(prefix))
            taken = take_missing(model_class.architecture_flags, known)
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
    if not folder.exists():
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


def set_later_aside(folder, step):
    """Moves the checkpoints of later steps away, so that a run can go on before them.

    Args:
        folder: The run's folder.
        step: Checkpoints of higher steps are moved.

    Returns:
        Path: The folder, within the run's, where they are now; None if there were
        none.
    """
    folder = Path(folder)
    later = [
        prefix
        for prefix in checkpoints.list_checkpoints(folder)
        if checkpoints.step_of(prefix) > step
    ]
    if not later:
        return None
    names = (folder / f"later.old{number}" for number in itertools.count(1))
    aside = next(path for path in names if not path.exists())
    aside.mkdir()
    # From the newest on: whatever is left after a kill is a run that can go on.
    for prefix in reversed(later):
        for part in sorted(folder.glob(f"{prefix.name}.*"), reverse=True):
            part.rename(aside / part.name)
    return aside
