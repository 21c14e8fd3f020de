"""Checkpoints that are written for others: whole, or not at all."""

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

from console.errors import InputError
from console.files import check_target
from console.settings import PathName, option
from models import opening
from training import checkpoints, devices
from training.checkpoint_writer import writing

# A checkpoint's files, in the order in which they take their places: without an index
# there is no checkpoint.
PARTS = (".data-00000-of-00001", ".index")


@dataclasses.dataclass(frozen=True)
class ExportSettings(opening.CheckpointSettings):
    """Which checkpoint to read and where to write."""

    restore_path: PathName = option(
        None, "The checkpoint; a folder means its newest.", is_required=True
    )
    output_path: PathName = option(
        None,
        "What its files' names begin with: pretrained/eusr/model.ckpt-1000.",
        is_required=True,
    )

    def begin(self):
        """Looks at the paths before anything is read or written.

        Returns:
            ExportSettings: With the very checkpoint.

        Raises:
            InputError: One would not do.
        """
        devices.choose("-1")
        found = self.find(None)
        check_target_prefix(self.output_path, found.restore_path)
        return found


def check_target_prefix(path, source=None):
    """Refuses what the files of a checkpoint cannot be named by.

    Args:
        path: The value of --output_path.
        source: The checkpoint that is read; None if none is.

    Raises:
        InputError: They cannot be written there, or are those that are read.
    """
    path, flag = Path(path), "--output_path"
    if path.is_dir() or path.name in ("", ".."):
        raise InputError(
            f"{flag}={path} is a folder; name the checkpoint in it, for example "
            f"{path / checkpoints.PREFIX}-1000."
        )
    if source is not None and path.resolve() == Path(source).resolve():
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

    Raises:
        OSError: The disk is full or read-only; what was there stays.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export") as folder:
        aside = Path(folder) / target.name
        with writing(target):
            yield aside
        Path(f"{target}{PARTS[-1]}").unlink(missing_ok=True)
        for part in PARTS:
            os.replace(f"{aside}{part}", f"{target}{part}")
