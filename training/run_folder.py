"""A run's folder: its arguments, its checkpoints, and how it is resumed."""

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console import locks
from console.errors import InputError
from console.progress import warn
from training import checkpoints
from training.arguments import ARGUMENTS, read_arguments, take_network
from training.protocols import Trainable


def read_before(folder: Path | str, path: Path | str | None = None) -> dict[str, Any]:
    """Reads the arguments of a run's last start; empty if there are none.

    They are those of the file, by default arguments.json in the folder, or of the
    newest checkpoint if the file is missing.
    """
    path = path or Path(folder) / ARGUMENTS
    before = read_arguments(path)
    for prefix in reversed(checkpoints.list_checkpoints(folder)):
        if before:
            break
        # A damaged checkpoint is reported when the run is restored.
        with contextlib.suppress(InputError):
            before = (checkpoints.describe(str(prefix)) or {}).get("run", {})
    return before


# Subfolder of a run for its best checkpoint.
BEST = "best"


def find_return(
    folder: Path | str, path: Path | str | None, before: dict[str, Any]
) -> str | None:
    """Finds the checkpoint of a run that --restore_path goes back to.

    Returns:
        None to resume from the newest: the path is not given, or is that of the
        first or the last start, in the arguments `before`.

    Raises:
        InputError: The path is not a checkpoint of the run.
    """
    starts = (before.get("restore_path"), before.get("first_restore_path"))
    known = {Path(start).absolute() for start in starts if start is not None}
    if path is None or Path(path).absolute() in known:
        return None
    prefix = checkpoints.find(path)
    # The run's folder, or its folder of the best checkpoint.
    if Path(folder).resolve() in Path(prefix).resolve().parents[:2]:
        return prefix
    raise InputError(
        f"--restore_path={path}: --train_path={folder} holds a run that did not start "
        "from it. Leave --restore_path out to resume the run, or give another "
        "--train_path to start a run from it."
    )


def restore_newest(
    model: Trainable,
    folder: Path | str,
    named: str | None = None,
    elsewhere: str | None = None,
    only: Path | str | None = None,
) -> str | None:
    """Restores the newest intact checkpoint of a run; None if there is none.

    Args:
        model: Model whose weights, optimizers and step are replaced.
        folder: Folder of the run.
        named: Flag of the run and its value, for messages; None for `--train_path`.
        elsewhere: Advice if the run is another program's; None for another
            `--train_path` that starts from its weights.
        only: The only checkpoint to try; None for the newest.

    Raises:
        InputError: No checkpoint can be read.
    """
    named = named or f"--train_path={folder}"
    saved = checkpoints.list_checkpoints(folder) if only is None else [Path(only)]
    for prefix in reversed(saved):
        try:
            what, target = _find_foreign(prefix)
            if what is None:
                model.restore(str(prefix), resume=True)
                return str(prefix)
        except InputError as error:
            if only is not None:
                raise
            warn(f"{error} Trying the previous checkpoint.")
            continue
        advice = elsewhere or (
            f"Give another --train_path, and --restore_path={prefix}{target} to start "
            "from it."
        )
        raise InputError(f"{named}: {prefix.name} {what}. {advice}")
    if saved:
        raise InputError(
            f"{named}: none of its {len(saved)} checkpoints can be read. "
            "--restart starts a new run and keeps them."
        )
    return None


def _find_foreign(prefix):
    """Finds why no run can be resumed from a checkpoint, and flags to start from it."""
    stored = checkpoints.list_items(prefix)
    if "state" not in stored:  # It may also hold Adam's moments.
        return "was written by another program, whose run cannot be resumed", ""
    if any(item.endswith("optimizer") for item in stored):
        return None, ""
    what = "holds only weights, and no state of a run to resume"
    return what, " --restore_target=generator"


def take_architecture(model_class: Any, prefixes: Sequence[Path | str]) -> None:
    """Sets flags of the network that were not given to a checkpoint's values.

    The newest of the checkpoints, at the end, that can be read has them.
    """
    for prefix in reversed(prefixes):
        # `restore_newest` reports damaged checkpoints, and tries them in this order.
        with contextlib.suppress(InputError):
            take_network(prefix, model_class.read_architecture(str(prefix)))
            return


def set_aside(folder: Path | str) -> Path | None:
    """Renames a run's folder for a new run, and returns its new path; None if empty.

    Raises:
        InputError: The current folder is in it.
    """
    # Of a link, the target is renamed, and the link stays.
    folder = Path(folder).resolve()
    if not folder.exists() or not set(os.listdir(folder)) - {locks.NAME}:
        return None
    if folder == Path.cwd() or folder in Path.cwd().parents:
        raise InputError(
            f"--train_path={folder} cannot be renamed: it contains the current folder. "
            "Give another folder."
        )
    names = (folder.with_name(f"{folder.name}.old{n}") for n in itertools.count(1))
    aside = next(path for path in names if not path.exists())
    folder.rename(aside)
    folder.mkdir()
    return aside


def set_later_aside(
    folder: Path | str, step: int, kept: Path | str = ""
) -> Path | None:
    """Moves checkpoints that a run would overwrite, or resume from by mistake.

    These are the checkpoints of `step` or later, but the one to be `kept`. Returns the
    subfolder with them, if there are any.
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
    # The newest first: after a kill, the rest is a run that can be resumed.
    for prefix in sorted(later, key=checkpoints.step_of, reverse=True):
        target = aside / prefix.parent.relative_to(folder)
        target.mkdir(parents=True, exist_ok=True)
        for part in sorted(prefix.parent.glob(f"{prefix.name}.*"), reverse=True):
            part.rename(target / part.name)
    return aside
