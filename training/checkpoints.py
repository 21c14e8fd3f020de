"""Checkpoints: `model.ckpt-<step>`, written and read by `tf.train.Checkpoint`.

Keras' own attribute tracking misses layers in lists and names weights by private
attributes, so variables are tracked here by their Keras paths. A checkpoint then
holds `generator/shared/block0/first/kernel` whatever Keras does inside, and any
TensorFlow 2 reads it by that name.
"""

import contextlib
import glob
import json
import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from console.errors import InputError, first_line, name_some
from console.files import identify as identify_files
from console.kinds import tell_misfit
from training.index_files import check_claims

PREFIX = "model.ckpt"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def to_tree(variables):
    """Arranges Keras variables as a root of a checkpoint, by their paths.

    Args:
        variables: Keras variables whose paths share their first part, the name of
            the layer or the optimizer that they belong to.

    Returns:
        tf.train.Checkpoint: Nested, one level for each part of a path.
    """
    nested = {}
    for variable in variables:
        *folders, leaf = variable.path.split("/")[1:]
        inner = nested
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[leaf] = variable.value
    return _to_trackable(nested)


def _to_trackable(nested):
    if not isinstance(nested, dict):
        return nested
    parts = {name: _to_trackable(inner) for name, inner in nested.items()}
    return tf.train.Checkpoint(**parts)


def find(path, flag="--restore_path"):
    """Finds the checkpoint that a path means.

    Args:
        path: `.../model.ckpt-1000`, one of its files, or a folder: its newest.
        flag: What gave the path, for the message.

    Returns:
        str: The checkpoint's common prefix, as TensorFlow wants it.

    Raises:
        InputError: There is no checkpoint there.
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
    """Says which checkpoints a folder holds, for an error."""
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = [prefix.name for prefix in list_checkpoints(folder)]
    return f"Checkpoints there: {name_some(names[::-1]) or 'none'}."


def list_checkpoints(folder):
    """Lists the prefixes of a folder's checkpoints, oldest step first."""
    found = []
    for index in Path(folder).glob(f"{PREFIX}-*.index"):
        step = index.name[len(PREFIX) + 1 : -len(".index")]
        if step.isdigit():
            found.append((int(step), index.with_suffix("")))
    return [prefix for _, prefix in sorted(found)]


def identify(prefix):
    """Names a checkpoint by its files' name and a digest of what they hold."""
    path = Path(prefix)
    files = sorted(path.parent.glob(f"{glob.escape(path.name)}.data-*"))
    return identify_files(path.name, [f"{path}.index", *files])


def step_of(prefix):
    """The step in a checkpoint's name; -1 where there is none."""
    step = Path(prefix).name.rpartition("-")[2]
    return int(step) if step.isdigit() else -1


@contextlib.contextmanager
def reading(prefix):
    """Turns what TensorFlow raises about damaged files into one line.

    Raises:
        InputError: In place of whatever the block raised for that reason.
    """
    try:
        yield
    except InputError:
        raise
    # TensorFlow's reader raises IndexError where the data file is too short.
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise InputError(
            f"{prefix}: cannot be read as a checkpoint ({first_line(error)}). "
            "Use another one, or copy its .index and .data files again."
        ) from None


def open_reader(prefix):
    """Opens a checkpoint to look at its names.

    Raises:
        InputError: The files are damaged or are no checkpoint.
    """
    with reading(prefix):
        check_claims(prefix)
        return tf.train.load_checkpoint(prefix)


def describe(prefix):
    """Reads what the model of a checkpoint was made from.

    Returns:
        dict: The arguments; None where the checkpoint holds none.

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
            raise ValueError("its arguments are no text")
        arguments = json.loads(text)
        is_whole = isinstance(arguments, dict) and isinstance(
            arguments.get("architecture"), dict
        )
        if not is_whole or not isinstance(arguments.get("model"), str):
            raise ValueError("it does not say which model it holds")
        return arguments


def read_step(prefix):
    """Reads how many steps a checkpoint was trained; 0 where nothing says it."""
    reader = open_reader(prefix)
    if reader.has_tensor(f"state/step{_VALUE}"):
        with reading(prefix):
            return int(reader.get_tensor(f"state/step{_VALUE}"))
    return max(step_of(prefix), 0)


def list_roots(prefix):
    """The names of the roots that a checkpoint holds, a set.

    Raises:
        InputError: The files are damaged or are no checkpoint.
    """
    names = open_reader(prefix).get_variable_to_shape_map()
    return {name.partition("/")[0] for name in names if name.endswith(_VALUE)}


def restore(prefix, roots):
    """Reads some roots of a checkpoint into variables.

    Args:
        prefix: As `find` returns it.
        roots: From a root's name to its tree; all of each must be there.

    Raises:
        InputError: Something is missing, of another shape, or damaged.
    """
    have = sorted(list_roots(prefix))
    for root in roots:
        if root not in have:
            raise InputError(
                f"{prefix}: holds no {root}; it holds {name_some(have) or 'nothing'}. "
                "It was written by another program or another model."
            )
    _check_names(prefix, roots)
    with reading(prefix):
        try:
            status = tf.train.Checkpoint(**roots).read(prefix).expect_partial()
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError) as error:
            raise InputError(
                f"{prefix}: does not fit this model ({first_line(error)}). It was made "
                "with other sizes."
            ) from None


def _check_names(prefix, roots):
    """Refuses a checkpoint that lacks a variable, or holds one of another shape.

    Raises:
        InputError: With the first of them.
    """
    stored = open_reader(prefix).get_variable_to_shape_map()
    misfits = []
    for root, tree in roots.items():
        for name, variable in _list_variables(tree, root):
            found, expected = stored.get(f"{name}{_VALUE}"), list(variable.shape)
            if found is None or list(found) != expected:
                has = "none" if found is None else f"shape {list(found)}"
                misfits.append(f"{name} ({has}, not {expected})")
    if misfits:
        raise InputError(
            f"{prefix}: does not fit this model, which differs in "
            f"{name_some(misfits, 2)}. It was made with other sizes, or by another "
            "program."
        )
    if "_CHECKPOINTABLE_OBJECT_GRAPH" not in stored:
        raise InputError(
            f"{prefix}: lacks TensorFlow's own list of what it holds; it was not "
            "written by train.py. Use another one."
        )


def _list_variables(tree, path):
    """The variables of a root, (name, variable)."""
    if isinstance(tree, tf.Variable):
        yield path, tree
        return
    for name, inner in tree._trackable_children().items():
        yield from _list_variables(inner, f"{path}/{name}")


def check_same(prefix, roots):
    """Compares the variables of a checkpoint with those that it was written from.

    Args:
        prefix: The checkpoint.
        roots: From a root's name to its tree.

    Raises:
        RuntimeError: One differs.
    """
    reader = open_reader(prefix)
    for root, tree in roots.items():
        for name, variable in _list_variables(tree, root):
            if not np.array_equal(reader.get_tensor(f"{name}{_VALUE}"), variable):
                raise RuntimeError(f"{name} of {prefix} is not what was written.")


class _Partial(logging.Filter):
    """Drops TensorFlow's lines about what a checkpoint holds and nobody asked for.

    It writes them, hundreds, whenever its objects are collected: after a restore that
    failed, and after Ctrl-C.
    """

    def filter(self, record):
        """Whether a line is kept."""
        text = str(record.msg)
        return "Value in checkpoint could not be found" not in text and not (
            text.startswith("Detecting that an object or model or tf.train.Checkpoint")
        )


tf.get_logger().addFilter(_Partial())
