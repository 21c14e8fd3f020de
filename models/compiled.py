"""Compiles the parts of a network to what pictures of any size are taken through."""

import dataclasses

import tensorflow as tf

from console.errors import first_line


def compile_part(part, channels):
    """Compiles one part, once for all sizes.

    Args:
        part: `upscaling.tiles.Stage` whose `run` is a function of tensors.
        channels: Of its input.

    Returns:
        Stage: Its `run` raises `MemoryError` where TensorFlow has no memory left.
    """
    compiled = tf.function(
        part.run,
        input_signature=[tf.TensorSpec((None, None, None, channels))],
        autograph=False,
    )

    def run(x):
        try:
            return compiled(x)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(first_line(error)) from error

    return dataclasses.replace(part, run=run)
