"""What TensorBoard shows of a run: one run for each scale."""

from pathlib import Path

import tensorflow as tf

PICTURES = 3


class Summaries:
    """Writes scalars and pictures to `<folder>/x2`, `<folder>/x4`, ..."""

    def __init__(self, folder, scales):
        """Opens no file yet: that happens with the first thing written.

        Args:
            folder: The run's folder, what `tensorboard --logdir` is given.
            scales: The scales that are trained.
        """
        self.writers = {
            scale: tf.summary.create_file_writer(str(Path(folder) / f"x{scale}"))
            for scale in scales
        }

    def write(self, step, scale, scalars, lr, sr, hr):
        """Writes one step of one scale.

        Args:
            step: Steps done.
            scale: Upscaling factor.
            scalars: From a tag to a number.
            lr: uint8 (N, P, P, 3); the first few become pictures, as of the others.
            sr: float32 (N, P * scale, P * scale, 3), rounded and clipped here.
            hr: uint8 of the same shape.
        """
        with self.writers[scale].as_default(step=step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)
            sr = tf.saturate_cast(tf.round(sr), tf.uint8)
            for tag, pictures in (("input", lr), ("output", sr), ("truth", hr)):
                tf.summary.image(tag, pictures[:PICTURES], max_outputs=PICTURES)
        self.writers[scale].flush()

    def close(self):
        """Closes the files."""
        for writer in self.writers.values():
            writer.close()
