"""Engines that run a network's parts: TensorFlow, or OpenVINO in its place."""

import dataclasses
import functools
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)
from tensorflow.python.grappler import tf_optimizer

from console import quiet
from console.errors import InputError, first_line
from console.progress import say
from console.settings import Settings, is_given, option
from frozen import graphs
from upscaling.tiles import Stage

TENSORFLOW, OPENVINO = "tensorflow", "openvino"
# From a --precision to OpenVINO's name.
HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
# Lets OpenVINO choose a device.
AUTO = "AUTO"
# Removes the branches of other scales.
OPTIMIZERS = ("constfold", "loop", "dependency") * 2


@dataclasses.dataclass(frozen=True)
class EngineSettings(Settings):
    """The engine that runs the network."""

    engine: str = option(
        TENSORFLOW,
        "What runs the network. openvino (requirements-openvino.txt) gives the same "
        "pictures, also of .pb files; with it, --precision is the precision of all "
        "layers. Which is faster depends on the processor.",
        choices=(TENSORFLOW, OPENVINO),
    )
    device: str = option(
        "CPU", "Device of --engine=openvino; GPU and NPU are passed on, but not tried."
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.engine == OPENVINO and importlib.util.find_spec(OPENVINO) is None:
            raise InputError(
                "--engine=openvino needs openvino: run pip install "
                "-r requirements-openvino.txt."
            )
        if self.engine == OPENVINO and is_given("use_gpu"):
            raise InputError(
                "--use_gpu is for TensorFlow; with --engine=openvino give --device=GPU."
            )
        if self.engine != OPENVINO and is_given("device"):
            raise InputError(
                f"--device={self.device} is for --engine=openvino; leave it out."
            )

    def make(self, precision: str) -> "OpenVino | None":
        """Makes the engine, and names it; None for TensorFlow."""
        if self.engine == TENSORFLOW:
            return None
        engine = OpenVino(self.device, precision)
        say(f"OpenVINO {engine.version} runs the network, {self.device}, {precision}.")
        return engine


class OpenVino:
    """OpenVINO on one device, in one precision."""

    def __init__(self, device: str = "CPU", precision: str = "float32") -> None:
        """Starts OpenVINO; refuses a device that does not exist."""
        import openvino

        self.core, self.device = openvino.Core(), device
        found = self.core.available_devices
        if not device.startswith((AUTO, *found)):
            raise InputError(
                f"--device={device}: OpenVINO finds {', '.join((AUTO, *found))} here."
            )
        self.version = openvino.__version__.partition("-")[0]
        self.options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
        # Set by Ray in a process that has a part of the cores.
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if device == "CPU" and threads.isdigit():
            self.options["INFERENCE_NUM_THREADS"] = int(threads)

    def run_parts_of(self, model: Any) -> None:
        """Makes this the engine of a model, before its first `stages`."""
        if not hasattr(model, "engine"):
            raise InputError(
                f"--engine=openvino: --model={model.name} has no network. Leave it out."
            )
        model.engine = self

    def convert(
        self, function: tf.types.experimental.ConcreteFunction, scale: int | None = None
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Converts a function of TensorFlow without variables to one of arrays.

        Args:
            function: From float32 (N, H, W, C), and the scale if the function takes
                one, to one tensor.
            scale: Upscaling factor.

        Raises:
            InputError: OpenVINO does not run the network on this device.
        """
        graph_def = _fix_scale(function, scale)
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "part.pb"
                path.write_bytes(graph_def.SerializeToString())
                model = self.core.read_model(path)
            compiled = self.core.compile_model(model, self.device, self.options)
        except RuntimeError as error:
            raise InputError(
                "--engine=openvino cannot run this network on "
                f"--device={self.device} ({first_line(error)})."
            ) from None

        def run(x: Any) -> np.ndarray:
            try:
                return compiled(np.asarray(x), share_inputs=True)[0]
            except RuntimeError as error:
                if "alloc" not in str(error):
                    raise
                raise MemoryError(first_line(error)) from error

        return run


def _fix_scale(function, scale):
    """The graph of a function, with one scale and without branches of the others."""
    output = function.outputs[0].op.name
    graph_def = function.graph.as_graph_def()
    for node in graph_def.node:
        if [node.name] == [tensor.op.name for tensor in function.inputs[1:]]:
            node.Clear()
            node.op, node.name = "Const", function.inputs[1].op.name
            node.attr["dtype"].type = tf.float32.as_datatype_enum
            value = tf.make_tensor_proto(scale, tf.float32)
            node.attr["value"].tensor.CopyFrom(value)
    meta = tf.compat.v1.MetaGraphDef(graph_def=graphs.keep_needed(graph_def, [output]))
    meta.collection_def["train_op"].node_list.value.append(output)
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.optimizers.extend(OPTIMIZERS)
    rewriting.min_graph_nodes = -1
    with quiet.descriptor_caught():
        return tf_optimizer.OptimizeGraph(config, meta)


def compile_part(part: Stage, engine: OpenVino | None = None) -> Stage:
    """Compiles a part at its first use, once for all sizes.

    Its `run` raises `MemoryError` when TensorFlow runs out of memory. An `engine`
    runs it in TensorFlow's place.
    """

    @functools.cache
    def compile_for(channels):
        signature = [tf.TensorSpec((None, None, None, channels))]
        compiled = tf.function(part.run, input_signature=signature, autograph=False)
        with graphs.tracing():
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
