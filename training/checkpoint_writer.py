"""Writes a run's checkpoints and keeps the last few of them."""

import contextlib
import os
import shutil
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format

from console import quiet
from console.errors import as_os_error
from console.files import written_whole
from training import checkpoints


@contextlib.contextmanager
def writing(path):
    """Turns what TensorFlow raises about a full disk into what Python would.

    TensorFlow's own lines about it, which would stand before ours, are dropped.

    Args:
        path: What is written, for the message.

    Raises:
        OSError: The disk is full or read-only.
    """
    try:
        with quiet.descriptor_caught():
            yield
    except tf.errors.OpError as error:
        raise as_os_error(error, path) from None


class CheckpointWriter:
    """Writes a run's checkpoints and keeps the last few of them."""

    def __init__(self, roots, folder, max_to_keep):
        """Makes the folder.

        Args:
            roots: From a root's name to its tree.
            folder: Where to write.
            max_to_keep: How many checkpoints are kept.
        """
        self.folder = Path(folder)
        self._remove_leftovers()
        self._mend_list(self.folder)
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**roots),
            str(self.folder),
            max_to_keep=max_to_keep,
            checkpoint_name=checkpoints.PREFIX,
        )

    def save(self, step):
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
        """Makes TensorFlow's list of checkpoints hold those that are there."""
        there = [str(prefix) for prefix in checkpoints.list_checkpoints(folder)]
        try:
            state = tf.train.get_checkpoint_state(str(folder))
            listed = list(state.all_model_checkpoint_paths) if state else []
        except (tf.errors.OpError, UnicodeDecodeError):
            listed = None
        if there and there != listed:
            # A copied folder lists another folder's; a damaged list, nothing.
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
            # Another program's: TensorFlow would remove what it lists, wherever.
            os.replace(folder / "checkpoint", folder / "checkpoint.old")

    def _remove_leftovers(self):
        """Removes what a kill or a full disk left half-written."""
        for folder in self.folder.glob(f"{checkpoints.PREFIX}-*_temp"):
            shutil.rmtree(folder, ignore_errors=True)
