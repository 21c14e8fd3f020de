"""Saves functions as frozen GraphDefs and loads frozen GraphDefs as functions."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from console import quiet
from console.errors import InputError, first_line, name_some
from console.file_types import GRAPH, tell_misfit
from console.files import written_whole
from frozen.safety import check_constants, check_operations


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Converts errors from tracing a network into one line."""
    try:
        yield
    # TensorFlow's error for a tensor that is used as a number is a TypeError.
    except (TypeError, ValueError) as error:
        raise InputError(
            "the network cannot be built for pictures of unknown height and width "
            f"({first_line(error)}). Its parts must not use them as Python numbers: "
            "x.shape[1] is None, and keras.ops.image.resize needs numbers."
        ) from error


def to_graph_def(
    function: Callable[..., object],
    signature: Sequence[tf.TensorSpec],
    outputs: Sequence[str],
) -> tf.compat.v1.GraphDef:
    """Converts a function and the weights it uses to one graph, without functions.

    Attributes that equal their defaults are left out: TF 1.15 refuses attributes
    that it does not know, and newer attributes nearly always have their defaults.

    Args:
        function: A function of tensors; it names its outputs with `tf.identity`.
        signature: A named `tf.TensorSpec` for each argument.
        outputs: Names of the outputs.
    """
    compiled = tf.function(function, input_signature=signature, autograph=False)
    with tracing():
        concrete = compiled.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    with frozen.graph.as_default():
        graph_def = tf.compat.v1.train.export_meta_graph(
            strip_default_attrs=True
        ).graph_def
    return keep_needed(graph_def, outputs)


def keep_needed(
    graph_def: tf.compat.v1.GraphDef, outputs: Sequence[str]
) -> tf.compat.v1.GraphDef:
    """Copies the nodes that outputs need, without devices and private attributes."""
    nodes = {node.name: node for node in graph_def.node}
    needed, waiting = set(), list(outputs)
    while waiting:
        # An input is `name`, `name:1` or, for a control dependency, `^name`.
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name not in needed:
            needed.add(name)
            waiting.extend(nodes[name].input)
    kept = tf.compat.v1.GraphDef(versions=graph_def.versions)
    for node in graph_def.node:
        if node.name in needed:
            node.device = ""
            for name in [name for name in node.attr if name.startswith("_")]:
                del node.attr[name]
            kept.node.append(node)
    return kept


def add_constant(
    graph_def: tf.compat.v1.GraphDef, name: str, values: int | Sequence[int]
) -> None:
    """Adds a node that holds one integer or several."""
    node = graph_def.node.add(op="Const", name=name)
    node.attr["dtype"].type = tf.int32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, tf.int32))


def read_constant(
    graph_def: tf.compat.v1.GraphDef, name: str, source: str, most: int | None = None
) -> Any:
    """Reads a node that `add_constant` wrote; None if there is no such node.

    Args:
        graph_def: A graph.
        name: Name of the node.
        source: Origin of the graph, for the message.
        most: The largest number of integers in a list; None for a single integer.

    Raises:
        InputError: The node holds something else.
    """
    for node in graph_def.node:
        if node.name == name and node.op == "Const":
            tensor = node.attr["value"].tensor
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            fits = not sizes
            if most is not None:
                fits = len(sizes) == 1 and 0 < sizes[0] <= most
            if fits and tensor.dtype == tf.int32.as_datatype_enum:
                with contextlib.suppress(TypeError, ValueError):
                    values = tf.make_ndarray(tensor)
                    if values.min() >= 0:
                        return values.tolist()
            raise InputError(
                f"{source}: expected up to {most or 1} whole numbers in its {name}, "
                "found something else; it is damaged."
            )
    return None


def save(graph_def: tf.compat.v1.GraphDef, path: Path | str) -> None:
    """Writes a graph to a file, completely or not at all."""
    with written_whole(path) as aside:
        aside.write_bytes(graph_def.SerializeToString(deterministic=True))


def check_file(path: Path | str, flag: str, writer: str = "freeze.py") -> None:
    """Refuses a path that is not a file; see `read`."""
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise InputError(
            f"{flag}={path}: {tell_misfit(path, found)}. Expected a .pb file written "
            f"by {writer}."
        )


def read(
    path: Path | str, flag: str, writer: str = "freeze.py"
) -> tf.compat.v1.GraphDef:
    """Reads a graph from a `.pb` file; `flag` and `writer` are for the message.

    Raises:
        InputError: There is no such file, it is not a frozen graph, or the graph has
            operations that do more than compute.
    """
    check_file(path, flag, writer)
    path = Path(path)
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
    except DecodeError:
        graph_def.Clear()
    if not graph_def.node:
        found = tell_misfit(path, "is not a frozen graph, or is damaged", GRAPH)
        raise InputError(
            f"{flag}={path}: {found}. Expected a .pb file written by {writer}."
        )
    check_operations(graph_def, f"{flag}={path}")
    check_constants(graph_def, path.stat().st_size, f"{flag}={path}")
    return graph_def


def has(graph_def: tf.compat.v1.GraphDef, name: str) -> bool:
    """Whether a graph has a node of this name."""
    return any(node.name == name for node in graph_def.node)


@contextlib.contextmanager
def running(source: str) -> Iterator[None]:
    """Converts TensorFlow's errors from running a damaged graph to one line.

    Raises:
        InputError: The graph of this source cannot be run.
        MemoryError: There is too little memory.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(first_line(error)) from None
    except (ValueError, tf.errors.OpError) as error:
        quiet.silence_end()
        raise InputError(
            f"{source}: cannot be run ({first_line(error)}). It is damaged, or it was "
            "frozen from something else."
        ) from None


def to_function(
    graph_def: tf.compat.v1.GraphDef,
    inputs: Sequence[str],
    outputs: Sequence[str],
    source: str,
) -> tf.types.experimental.ConcreteFunction:
    """Makes a function, from tensors to a list of tensors, from a part of a graph.

    The inputs may be any nodes, not only placeholders.

    Raises:
        InputError: A node is missing, or this TensorFlow cannot run the graph.
    """
    missing = [name for name in (*inputs, *outputs) if not has(graph_def, name)]
    if missing:
        ends = [node.name for node in graph_def.node if node.op == "Placeholder"]
        raise InputError(
            f"{source}: has no {' and no '.join(missing)}; its inputs are "
            f"{name_some(ends) or 'none'}. It was frozen from something else."
        )
    try:
        # TensorFlow prints a line for each attribute that it does not know.
        with quiet.descriptor_caught():
            wrapped = tf.compat.v1.wrap_function(
                lambda: tf.compat.v1.import_graph_def(graph_def, name=""), []
            )
        return wrapped.prune(
            [wrapped.graph.get_tensor_by_name(f"{name}:0") for name in inputs],
            [wrapped.graph.get_tensor_by_name(f"{name}:0") for name in outputs],
        )
    except (ValueError, tf.errors.OpError) as error:
        raise InputError(f"{source}: cannot be loaded ({first_line(error)}).") from None
