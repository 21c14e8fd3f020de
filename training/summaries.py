"""Writes TensorBoard's files: one run for each scale."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.util import event_pb2

from console import quiet
from console.errors import first_line
from console.progress import warn
from imaging.files import save_image

PICTURES = 3


class Summaries:
    """Writes scalars and pictures to `<folder>/x2`, `<folder>/x4`, ..."""

    def __init__(self, folder: Path | str, step: int = 0) -> None:
        """Opens no file: the first write does.

        Entries of steps after `step`, of an earlier start, are no longer shown.
        """
        self.folder, self.step = Path(folder), step
        self.writers: dict[int, Writer] = {}

    def write(
        self,
        step: int,
        scale: int,
        scalars: dict[str, float],
        pictures: dict[str, tf.Tensor],
    ) -> None:
        """Writes one step of one scale.

        The pictures are uint8 or float32 (N, H, W, 3), RGB in [0, 255], rounded and
        clipped here; only the first are written.
        """
        pictures = {
            tag: tf.saturate_cast(tf.round(several[:PICTURES]), tf.uint8)
            for tag, several in pictures.items()
        }
        self._write(step, scale, scalars, pictures)

    def write_validation(self, step: int, scale: int, measured: Any) -> None:
        """Writes a `metrics.validation.Measured` of one scale, and `sheet-STEP.png`."""
        scalars = {f"validation/{tag}": x for tag, x in measured.values.items()}
        for tag, value in measured.baseline.items():
            scalars[f"validation/{tag}_bicubic"] = value
        self._write(step, scale, scalars, {"validation/sheet": measured.sheet[None]})
        path = self.folder / f"x{scale}" / f"sheet-{step}.png"
        try:
            save_image(path, measured.sheet)
        except OSError as error:
            warn(f"{path}: cannot be written ({error.strerror}).")

    def _write(self, step, scale, scalars, pictures):
        if scale not in self.writers:
            self.writers[scale] = Writer(self.folder / f"x{scale}", self.step)
        self.writers[scale].write(step, scalars, pictures)

    def close(self) -> None:
        """Closes the files."""
        for writer in self.writers.values():
            writer.close()


class Writer:
    """Writes one run of TensorBoard."""

    def __init__(self, folder: Path | str, step: int = 0) -> None:
        """Opens no file: the first write does; see `Summaries`."""
        self.folder, self.step = Path(folder), step
        self.writer, self.is_failing = None, False

    def write(
        self,
        step: int,
        scalars: dict[str, float],
        pictures: dict[str, tf.Tensor] | None = None,
    ) -> None:
        """Writes an entry; on failure warns once and lets the training continue.

        The pictures are uint8 (N, H, W, 3), by a tag.
        """
        try:
            # Drops TensorFlow's own lines about a full disk.
            with quiet.descriptor_caught():
                self._try_to_write(step, scalars, pictures or {})
            self.is_failing = False
        except tf.errors.OpError as error:
            # Its unwritten entries are lost; the next entry opens a new file.
            self.writer = None
            if not self.is_failing:
                warn(
                    f"{self.folder}: TensorBoard's files cannot be written "
                    f"({first_line(error)}); the training continues without them."
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
        """Makes TensorBoard drop entries of later steps from an earlier start.

        It does so at each event of a session's start except the first; TensorFlow 2
        has no function that writes this event.
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

    def close(self) -> None:
        """Closes the file."""
        if self.writer is not None:
            with contextlib.suppress(tf.errors.OpError):
                self.writer.close()
