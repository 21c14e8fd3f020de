"""What TensorBoard shows of a run: one run for each scale."""

import contextlib
import os
import time
from pathlib import Path

import tensorflow as tf
from tensorflow.core.util import event_pb2

from console import quiet
from console.errors import first_line
from console.progress import warn

PICTURES = 3


class Summaries:
    """Writes scalars and pictures to `<folder>/x2`, `<folder>/x4`, ..."""

    def __init__(self, folder, step=0):
        """Opens no file yet: that happens with the first thing written.

        Args:
            folder: The run's folder, what `tensorboard --logdir` is given.
            step: Steps done before; what an earlier start wrote of later ones is no
                longer shown.
        """
        self.folder, self.step, self.writers = Path(folder), step, {}

    def write(self, step, scale, scalars, pictures):
        """Writes one step of one scale.

        Args:
            step: Steps done.
            scale: Upscaling factor.
            scalars: From a tag to a number.
            pictures: From a tag to uint8 or float32 (N, H, W, 3), RGB in [0, 255],
                rounded and clipped here; the first few of each are written.
        """
        pictures = {
            tag: tf.saturate_cast(tf.round(several[:PICTURES]), tf.uint8)
            for tag, several in pictures.items()
        }
        self._write(step, scale, scalars, pictures)

    def write_validation(self, step, scale, measured):
        """Writes what a validation found at one scale.

        Args:
            step: Steps done.
            scale: Upscaling factor.
            measured: Has `values` and `baseline`, from a metric to a number, and
                `pictures`, from a tag to a list of uint8 (H, W, 3).
        """
        scalars = {f"validation/{tag}": x for tag, x in measured.values.items()}
        for tag, value in measured.baseline.items():
            scalars[f"validation/{tag}_bicubic"] = value
        pictures = {
            f"validation/{tag}/{index}": picture[None]
            for tag, several in measured.pictures.items()
            for index, picture in enumerate(several)
        }
        self._write(step, scale, scalars, pictures)

    def _write(self, step, scale, scalars, pictures):
        if scale not in self.writers:
            self.writers[scale] = Writer(self.folder / f"x{scale}", self.step)
        self.writers[scale].write(step, scalars, pictures)

    def close(self):
        """Closes the files."""
        for writer in self.writers.values():
            writer.close()


class Writer:
    """Writes what TensorBoard shows as one run."""

    def __init__(self, folder, step=0):
        """Opens no file yet.

        Args:
            folder: Of the files.
            step: See `Summaries`.
        """
        self.folder, self.step = Path(folder), step
        self.writer, self.is_failing = None, False

    def write(self, step, scalars, pictures=None):
        """Writes, or says once that it cannot: a run is worth more than its curves.

        Args:
            step: Steps or epochs done.
            scalars: From a tag to a number.
            pictures: From a tag to uint8 (N, H, W, 3).
        """
        try:
            # TensorFlow's own lines about a full disk would stand before ours.
            with quiet.descriptor_caught():
                self._try_to_write(step, scalars, pictures or {})
            self.is_failing = False
        except tf.errors.OpError as error:
            # What it holds is lost; the next entry opens a new file.
            self.writer = None
            if not self.is_failing:
                warn(
                    f"{self.folder}: TensorBoard's files cannot be written "
                    f"({first_line(error)}); training goes on without them."
                )
            self.is_failing = True

    def _try_to_write(self, step, scalars, pictures):
        if self.writer is None:
            self._forget_later()
            self.writer = tf.summary.create_file_writer(str(self.folder))
        with self.writer.as_default(step=step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)
            for tag, several in pictures.items():
                tf.summary.image(tag, several, max_outputs=len(several))
        self.writer.flush()

    def _forget_later(self):
        """Makes TensorBoard drop what an earlier start wrote of later steps.

        That is what it does at the start of each session but the first; TensorFlow 2
        has no function that writes one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        event = event_pb2.Event(
            wall_time=time.time(), step=self.step + 1, session_log=start
        )
        name = f"events.out.tfevents.{int(time.time())}.{os.getpid()}.start.v2"
        with tf.io.TFRecordWriter(str(self.folder / name)) as file:
            version = event_pb2.Event(
                wall_time=time.time(), file_version="brain.Event:2"
            )
            file.write(version.SerializeToString())
            file.write(event.SerializeToString())

    def close(self):
        """Closes the file."""
        if self.writer is not None:
            with contextlib.suppress(tf.errors.OpError):
                self.writer.close()
