"""ONNX files of networks, written by tf2onnx, for onnxruntime and other programs.

The number, height and width of the pictures are free. Inputs and outputs have the names
and the layout, (N, H, W, 3), of the `.pb` file.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from console import quiet
from frozen.formats import Format, Network

# The oldest version with all operations of both networks.
OPSET = 13
FREE = ("batch", "height", "width")
FREE_OUTPUT = ("batch", "output_height", "output_width")


class OnnxFile(Format):
    """An `.onnx` file."""

    ending = ".onnx"
    needs = ("tf2onnx", "onnxruntime")

    @staticmethod
    def write(network: Network, path: Path) -> None:
        """See `Format.write`."""
        with quiet.imports():
            import tf2onnx
        with _converter_silent():
            model, _ = tf2onnx.convert.from_graph_def(
                network.graph_def,
                input_names=[f"{network.input}:0"],
                output_names=[f"{name}:0" for name in network.outputs],
                opset=OPSET,
            )
        _rename(model.graph, (network.input, *network.outputs))
        path.write_bytes(model.SerializeToString(deterministic=True))

    @staticmethod
    def load(network: Network, path: Path) -> Callable[[np.ndarray], Sequence[Any]]:
        """See `Format.load`."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            path.read_bytes(), providers=["CPUExecutionProvider"]
        )
        return lambda array: session.run(network.outputs, {network.input: array})


def _rename(graph, inputs_and_outputs):
    """Removes the `:0` from the names of inputs and outputs, and names free sizes."""
    new = {f"{name}:0": name for name in inputs_and_outputs}
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [new.get(name, name) for name in tensors]
    for sizes, values in ((FREE, graph.input), (FREE_OUTPUT, graph.output)):
        for value in values:
            value.name = new[value.name]
            for name, size in zip(
                sizes, value.type.tensor_type.shape.dim, strict=False
            ):
                if not size.dim_value:
                    size.dim_param = name


@contextlib.contextmanager
def _converter_silent():
    """Silences TensorFlow's warnings about deprecated functions that tf2onnx uses."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
