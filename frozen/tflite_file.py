"""TensorFlow Lite files of networks, for LiteRT on phones and without Python.

The number, height and width of the pictures are free: the interpreter's
`resize_tensor_input` sets them. Inputs and outputs of the signature `serving_default`
have the names of the `.pb` file.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from console import quiet
from frozen.formats import Format, Network


class TFLiteFile(Format):
    """A `.tflite` file."""

    ending = ".tflite"
    needs = ("ai_edge_litert",)

    @staticmethod
    def write(network: Network, path: Path) -> None:
        """See `Format.write`."""
        run = network.to_function(str(path))

        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, None, 3), tf.float32, name=network.input)
            ],
            autograph=False,
        )
        def function(array):
            return dict(zip(network.outputs, run(array), strict=True))

        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], tf.Module()
        )
        with quiet.descriptor_caught():
            path.write_bytes(converter.convert())

    @staticmethod
    def load(network: Network, path: Path) -> Callable[[np.ndarray], Sequence[Any]]:
        """See `Format.load`."""
        from ai_edge_litert.interpreter import Interpreter

        with quiet.descriptor_caught():
            interpreter = Interpreter(str(path), num_threads=os.cpu_count())
            runner = interpreter.get_signature_runner()

        def run(array):
            with quiet.descriptor_caught():
                outputs = runner(**{network.input: array})
            return [outputs[name] for name in network.outputs]

        return run
