"""A network as a TensorFlow Lite file, for LiteRT: phones, and whatever has no Python.

Number, height and width of the pictures are free: the interpreter's
`resize_tensor_input` sets them. Its signature `serving_default` has inputs and outputs
under the names of the `.pb` file.
"""

import os

import tensorflow as tf

from console import quiet
from frozen.formats import Format


class TFLiteFile(Format):
    """A `.tflite` file."""

    ending = ".tflite"
    needs = ("ai_edge_litert",)

    @staticmethod
    def write(network, path):
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
    def load(network, path):
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
