"""Reads a checkpoint's index without TensorFlow's reader, which does not check it.

The file is a table of LevelDB (see its document on the table format): blocks of sorted
entries, whose names omit the prefix that they share with the entry before. TensorFlow
aborts the process on an impossible shape, so shapes are checked here first.
"""

import contextlib
import glob
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import tensor_bundle_pb2

from console.errors import InputError, first_line
from console.file_types import TABLE_END

FOOTER = 48


@contextlib.contextmanager
def reading(prefix: Path | str) -> Iterator[None]:
    """Converts TensorFlow's errors about damaged files to `InputError`."""
    try:
        yield
    except InputError:
        raise
    # TensorFlow's reader raises IndexError where the data file is too short.
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise InputError(
            f"{prefix}: cannot be read as a checkpoint ({first_line(error)}). "
            "Use another checkpoint, or copy its .index and .data files again."
        ) from None


def read_entries(path: Path | str) -> dict[str, Any]:
    """Reads the entries of an index: from a name to a BundleEntryProto.

    Raises:
        ValueError: The file is damaged, or is not an index.
    """
    data = Path(path).read_bytes()
    try:
        if not data.endswith(TABLE_END):
            raise ValueError("not an index")
        start = len(data) - FOOTER
        for _ in range(2):  # The second handle locates the list of blocks.
            offset, start = _read_number(data, start)
            size, start = _read_number(data, start)
        found = {}
        for _, handle in _read_block(data, offset, size):
            offset, after = _read_number(handle, 0)
            size, _ = _read_number(handle, after)
            for name, value in _read_block(data, offset, size):
                if name:  # The entry without a name is the header.
                    entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
                    found[name.decode()] = entry
        return found
    except (DecodeError, IndexError, ValueError):
        raise ValueError("its index is damaged") from None


def check_claims(prefix: Path | str) -> None:
    """Refuses an index with impossible arrays, or with more than the data files hold.

    TensorFlow allocates the memory of an array before it looks for its values.

    Raises:
        InputError: The arrays are larger than the data files.
        ValueError: A shape or dtype is impossible.
    """
    claimed = 0
    for name, entry in read_entries(f"{prefix}.index").items():
        sizes = [dim.size for dim in entry.shape.dim]
        if entry.shape.unknown_rank or min(sizes, default=0) < 0:
            raise ValueError(f"{name} has the shape {sizes}")
        try:
            dtype = tf.as_dtype(entry.dtype)
        except TypeError:
            raise ValueError(f"{name} has the dtype {entry.dtype}") from None
        # A string takes at least the byte of its length.
        claimed += math.prod(sizes) * (dtype.size or 1)
    check_fits(prefix, claimed)


def check_fits(prefix: Path | str, claimed: int) -> None:
    """Refuses a checkpoint whose files hold fewer bytes than are claimed."""
    prefix = Path(prefix)
    parts = prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")
    there = sum(part.stat().st_size for part in parts)
    if claimed > there:
        raise InputError(
            f"{prefix}: claims to hold {claimed:,} bytes but has {there:,}; its files "
            "are damaged. Use another checkpoint, or copy its files again."
        )


def _read_block(data, offset, size):
    """Yields the entries of a block: (name, value), both bytes."""
    block, kind = data[offset : offset + size], data[offset + size]
    if kind or len(block) != size:
        raise ValueError("compressed, or cut off")
    count = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (count + 1)
    name, start = b"", 0
    while start < end:
        shared, start = _read_number(block, start)
        own, start = _read_number(block, start)
        length, start = _read_number(block, start)
        name = name[:shared] + block[start : start + own]
        start += own
        yield name, block[start : start + length]
        start += length


def _read_number(data, start):
    """Reads a varint; returns it and the position after it."""
    number = shift = 0
    while True:
        byte = data[start]
        number |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return number, start
