"""Compiles the parts of a network for pictures of any size."""

import dataclasses
import functools

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from console.errors import first_line
from frozen.engines import OpenVino
from frozen.graphs import tracing
from upscaling.tiles import Stage


def compile_part(part: Stage, engine: OpenVino | None = None) -> Stage:
    """Compiles a part at its first use, once for all sizes.

    Its `run` raises `MemoryError` when TensorFlow runs out of memory. An `engine`
    runs it in TensorFlow's place.
    """

    @functools.cache
    def compile_for(channels):
        signature = [tf.TensorSpec((None, None, None, channels))]
        compiled = tf.function(part.run, input_signature=signature, autograph=False)
        with tracing():
            function = compiled.get_concrete_function()
        if engine is None:
            return function
        return engine.convert(convert_variables_to_constants_v2(function))

    def run(x):
        try:
            return compile_for(x.shape[-1])(x)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(first_line(error)) from error

    return dataclasses.replace(part, run=run)
