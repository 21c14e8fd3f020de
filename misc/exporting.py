"""Checkpoints that are written for others: whole, or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from console.errors import InputError
from console.files import check_target
from training import checkpoints

# A checkpoint's files, in the order in which they take their places: without an index
# there is no checkpoint.
PARTS = (".data-00000-of-00001", ".index")


def check_prefix(path, flag, source):
    """Refuses what the files of a checkpoint cannot be named by.

    Args:
        path: What their names are to begin with.
        flag: What gave it, for the message.
        source: The checkpoint that is read.

    Raises:
        InputError: They cannot be written there, or are those that are read.
    """
    path = Path(path)
    if path.is_dir() or path.name in ("", ".."):
        raise InputError(
            f"{flag}={path} is a folder; name the checkpoint in it, for example "
            f"{path / checkpoints.PREFIX}-1000."
        )
    if path.resolve() == Path(source).resolve():
        raise InputError(
            f"{flag}={path} is the checkpoint that is read, and would lose what is not "
            "written; give another."
        )
    for part in PARTS:
        check_target(f"{path}{part}", flag)


@contextlib.contextmanager
def written_checkpoint(path):
    """Yields a prefix to write a checkpoint to, and moves it once all is written.

    Args:
        path: The prefix to be; its folder is made when missing.

    Yields:
        Path: Of the same name, in a folder that is removed in the end.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export") as folder:
        aside = Path(folder) / target.name
        yield aside
        Path(f"{target}{PARTS[-1]}").unlink(missing_ok=True)
        for part in PARTS:
            os.replace(f"{aside}{part}", f"{target}{part}")
