"""Writes a run's checkpoints and keeps the last few of them."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format

from console import quiet
from console.errors import as_os_error
from console.files import written_whole
from training import checkpoints


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Converts TensorFlow's errors about a full disk to `OSError`, and drops its lines.

    Raises:
        OSError: The disk of this path is full or read-only.
    """
    try:
        with quiet.descriptor_caught():
            yield
    except tf.errors.OpError as error:
        raise as_os_error(error, path) from None


class CheckpointWriter:
    """Writes the checkpoints of a run and keeps the last of them."""

    def __init__(
        self, items: dict[str, Any], folder: Path | str, max_to_keep: int
    ) -> None:
        """Makes the folder; `items` are the trees of the checkpoints."""
        self.folder = Path(folder)
        self._remove_leftovers()
        self._mend_list(self.folder)
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**items),
            str(self.folder),
            max_to_keep=max_to_keep,
            checkpoint_name=checkpoints.PREFIX,
        )

    def save(self, step: int) -> str:
        """Writes `model.ckpt-<step>` and returns its prefix.

        Raises:
            OSError: The disk is full or read-only; older checkpoints stay.
        """
        try:
            with writing(self.folder):
                return self.manager.save(checkpoint_number=step)
        except OSError:
            self._remove_leftovers()
            for part in self.folder.glob(f"{checkpoints.PREFIX}-{step}.*"):
                part.unlink()
            raise

    @staticmethod
    def _mend_list(folder):
        """Makes TensorFlow's list of checkpoints match the files."""
        there = [str(prefix) for prefix in checkpoints.list_checkpoints(folder)]
        try:
            state = tf.train.get_checkpoint_state(str(folder))
            listed = list(state.all_model_checkpoint_paths) if state else []
        except (tf.errors.OpError, UnicodeDecodeError):
            listed = None
        if there and there != listed:
            # A copied folder lists the original's files; a damaged list is empty.
            state = tf.compat.v1.train.generate_checkpoint_state_proto(
                str(folder),
                there[-1],
                there,
                [Path(f"{prefix}.index").stat().st_mtime for prefix in there],
                0.0,
            )
            with written_whole(folder / "checkpoint") as aside:
                aside.write_text(text_format.MessageToString(state))
        elif listed is None:
            (folder / "checkpoint").unlink()
        elif listed and not there:
            # Another program's list: TensorFlow would remove the files in it.
            os.replace(folder / "checkpoint", folder / "checkpoint.old")

    def _remove_leftovers(self):
        """Removes partial files left by a kill or by a full disk."""
        for folder in self.folder.glob(f"{checkpoints.PREFIX}-*_temp"):
            shutil.rmtree(folder, ignore_errors=True)
