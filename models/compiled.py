"""Compiles the parts of a network to what pictures of any size are taken through."""

import dataclasses
import functools

import tensorflow as tf

from console.errors import first_line


def compile_part(part):
    """Compiles one part, once for all sizes, when it is first used.

    Args:
        part: `upscaling.tiles.Stage` whose `run` is a function of tensors.

    Returns:
        Stage: Its `run` raises `MemoryError` where TensorFlow has no memory left.
    """

    @functools.cache
    def compile_for(channels):
        signature = [tf.TensorSpec((None, None, None, channels))]
        return tf.function(part.run, input_signature=signature, autograph=False)

    def run(x):
        try:
            return compile_for(x.shape[-1])(x)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(first_line(error)) from error

    return dataclasses.replace(part, run=run)
