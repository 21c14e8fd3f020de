"""Checkpoints: `model.ckpt-<step>`, written and read by `tf.train.Checkpoint`.

Keras' own attribute tracking misses layers in lists and names weights by private
attributes, so variables are tracked here by their Keras paths. A checkpoint then
holds `generator/shared/block0/first/kernel`, which does not depend on the version of
Keras.
"""

import glob
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from console import quiet
from console.errors import InputError, first_line, name_some
from console.file_types import tell_misfit
from console.files import identify as identify_files
from training.index_files import check_claims, reading

PREFIX = "model.ckpt"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def to_tree(
    variables: Iterable[keras.Variable], is_half: bool = False
) -> tf.train.Checkpoint:
    """Arranges Keras variables as an item of a checkpoint, by their paths.

    These begin with the same name, of a layer or an optimizer. With `is_half`, the
    item has copies of the kernels in float16 in place of the kernels themselves.
    """
    nested: dict[str, Any] = {}
    for variable in variables:
        *folders, leaf = variable.path.split("/")[1:]
        inner = nested
        for folder in folders:
            inner = inner.setdefault(folder, {})
        value = variable.value
        if is_half and len(value.shape) > 1:
            with quiet.descriptor_caught():  # oneDNN calls float16 slow.
                value = tf.Variable(np.float16(value))
        inner[leaf] = value
    return _to_trackable(nested)


def _to_trackable(nested):
    if not isinstance(nested, dict):
        return nested
    parts = {name: _to_trackable(inner) for name, inner in nested.items()}
    return tf.train.Checkpoint(**parts)


def find(path: Path | str, flag: str = "--restore_path") -> str:
    """Finds the prefix of a checkpoint: the path of its files without endings.

    Args:
        path: `.../model.ckpt-1000`, one of its files, or a folder for its newest.
        flag: Flag that gave the path, for the message.

    Raises:
        InputError: There is no checkpoint.
    """
    path = Path(path)
    if path.is_dir():
        newest = list_checkpoints(path)
        if not newest:
            raise InputError(
                f"{flag}={path}: {tell_misfit(path, 'no checkpoint in this folder')}; "
                f"expected files like {PREFIX}-1000.index, written by train.py."
            )
        return str(newest[-1])
    prefix = path.with_suffix("") if ".index" in path.suffix else path
    if ".data-" in path.name:
        prefix = path.with_name(path.name.partition(".data-")[0])
    if not prefix.with_name(prefix.name + ".index").exists():
        found = "is not a checkpoint" if path.exists() else "not found"
        raise InputError(
            f"{flag}={path}: {tell_misfit(path, found)}. Expected a folder, or a name "
            f"like {PREFIX}-1000 with its .index file. {_name_existing(prefix.parent)}"
        )
    return str(prefix)


def _name_existing(folder):
    """Lists the checkpoints of a folder, for a message."""
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = [prefix.name for prefix in list_checkpoints(folder)]
    return f"Checkpoints there: {name_some(names[::-1]) or 'none'}."


def list_checkpoints(folder: Path | str) -> list[Path]:
    """Lists the prefixes of a folder's checkpoints, oldest step first."""
    found = []
    for index in Path(folder).glob(f"{PREFIX}-*.index"):
        step = index.name[len(PREFIX) + 1 : -len(".index")]
        if step.isdigit():
            found.append((int(step), index.with_suffix("")))
    return [prefix for _, prefix in sorted(found)]


def identify(prefix: Path | str) -> str:
    """Names a checkpoint by its name and a digest of its files."""
    path = Path(prefix)
    files = sorted(path.parent.glob(f"{glob.escape(path.name)}.data-*"))
    return identify_files(path.name, [f"{path}.index", *files])


def step_of(prefix: Path | str) -> int:
    """Returns the step in a checkpoint's name; -1 if there is none."""
    step = Path(prefix).name.rpartition("-")[2]
    return int(step) if step.isdigit() else -1


def open_reader(prefix: Path | str) -> Any:
    """Opens the `tf.train.CheckpointReader` of a checkpoint.

    Raises:
        InputError: The files are damaged or are no checkpoint.
    """
    with reading(prefix):
        check_claims(prefix)
        return tf.train.load_checkpoint(prefix)


def describe(prefix: Path | str) -> dict[str, Any] | None:
    """Reads a checkpoint's arguments: model, architecture and run; None without.

    Raises:
        InputError: They are damaged.
    """
    reader = open_reader(prefix)
    name = "state/arguments/.ATTRIBUTES/py_state"
    if not reader.has_tensor(name):
        return None
    with reading(prefix):
        text = reader.get_tensor(name)
        if not isinstance(text, bytes):
            raise ValueError("its arguments are not text")
        arguments = json.loads(text)
        is_whole = isinstance(arguments, dict) and isinstance(
            arguments.get("architecture"), dict
        )
        if not is_whole or not isinstance(arguments.get("model"), str):
            raise ValueError("it does not name its model")
        return arguments


def read_step(prefix: Path | str) -> int:
    """Reads the number of training steps of a checkpoint; 0 if unknown."""
    reader = open_reader(prefix)
    if reader.has_tensor(f"state/step{_VALUE}"):
        with reading(prefix):
            return int(reader.get_tensor(f"state/step{_VALUE}"))
    return max(step_of(prefix), 0)


def list_items(prefix: Path | str) -> set[str]:
    """Returns the names of the items that a checkpoint holds."""
    names = open_reader(prefix).get_variable_to_shape_map()
    return {name.partition("/")[0] for name in names if name.endswith(_VALUE)}


def restore(prefix: Path | str, items: dict[str, Any]) -> None:
    """Reads some stored items into their trees; converts weights of 16 bits.

    Raises:
        InputError: A variable is missing, has another shape, or is damaged.
    """
    have = sorted(list_items(prefix))
    for item in items:
        if item not in have:
            raise InputError(
                f"{prefix}: holds no {item}; it holds {name_some(have) or 'nothing'}. "
                "It was written by another program or for another model."
            )
    _check_names(prefix, items)
    reader = open_reader(prefix)
    with reading(prefix):
        if tf.float16 in reader.get_variable_to_dtype_map().values():
            # `tf.train.Checkpoint` reads no other dtype than a variable has.
            for item, tree in items.items():
                for name, variable in _list_variables(tree, item):
                    value = reader.get_tensor(f"{name}{_VALUE}")
                    variable.assign(value.astype(variable.dtype.as_numpy_dtype))
            return
        try:
            status = tf.train.Checkpoint(**items).read(prefix).expect_partial()
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError) as error:
            raise InputError(
                f"{prefix}: does not fit this model ({first_line(error)}), which has "
                "other sizes."
            ) from None


def _check_names(prefix, items):
    """Refuses a checkpoint in which a variable is missing or has another shape."""
    stored = open_reader(prefix).get_variable_to_shape_map()
    misfits = []
    for item, tree in items.items():
        for name, variable in _list_variables(tree, item):
            found, expected = stored.get(f"{name}{_VALUE}"), list(variable.shape)
            if found is None or list(found) != expected:
                has = "none" if found is None else f"shape {list(found)}"
                misfits.append(f"{name} ({has}, not {expected})")
    if misfits:
        raise InputError(
            f"{prefix}: does not fit this model, which differs in "
            f"{name_some(misfits, 2)}. It was written by another program, or for a "
            "model of other sizes."
        )
    if "_CHECKPOINTABLE_OBJECT_GRAPH" not in stored:
        raise InputError(
            f"{prefix}: lacks TensorFlow's object graph, so it was not written by "
            "train.py. Use another checkpoint."
        )


def _list_variables(tree, path):
    """Yields (name, variable) for the variables of an item."""
    if isinstance(tree, tf.Variable):
        yield path, tree
        return
    for name, inner in tree._trackable_children().items():
        yield from _list_variables(inner, f"{path}/{name}")


def list_values(items: dict[str, Any]) -> dict[str, np.ndarray]:
    """Returns the values of the trees of items by their names in checkpoints."""
    return {
        f"{name}{_VALUE}": variable.numpy()
        for item, tree in items.items()
        for name, variable in _list_variables(tree, item)
    }


def check_same(prefix: Path | str, values: dict[str, np.ndarray]) -> None:
    """Raises a RuntimeError if a checkpoint differs from `values` in a bit."""
    reader = open_reader(prefix)
    for name, value in values.items():
        if reader.get_tensor(name).tobytes() != value.tobytes():
            raise RuntimeError(f"{name} of {prefix} differs from what was written.")


class _Partial(logging.Filter):
    """Drops TensorFlow's lines about unused values of a checkpoint.

    It prints hundreds of them when its objects are collected, after a failed restore
    and after Ctrl-C.
    """

    def filter(self, record):
        """Whether to keep a line."""
        text = str(record.msg)
        return "Value in checkpoint could not be found" not in text and not (
            text.startswith("Detecting that an object or model or tf.train.Checkpoint")
        )


tf.get_logger().addFilter(_Partial())
