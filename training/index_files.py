"""Reads a checkpoint's index without TensorFlow, whose reader trusts it.

The file is a table of LevelDB (see its document on the table format): blocks of sorted
entries, whose names are shortened by what they share with the one before. TensorFlow
ends the process over a shape that cannot be, so shapes are looked at here beforehand.
"""

import glob
import math
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import tensor_bundle_pb2

from console.errors import InputError
from console.kinds import TABLE_END

FOOTER = 48


def read_entries(path):
    """Reads what an index says of each array.

    Args:
        path: The `.index` file.

    Returns:
        dict: From a name to a BundleEntryProto.

    Raises:
        ValueError: It is damaged, or no index.
    """
    data = Path(path).read_bytes()
    try:
        if not data.endswith(TABLE_END):
            raise ValueError("not an index")
        start = len(data) - FOOTER
        for _ in range(2):  # The second handle is that of the list of blocks.
            offset, start = _read_number(data, start)
            size, start = _read_number(data, start)
        found = {}
        for _, handle in _read_block(data, offset, size):
            offset, after = _read_number(handle, 0)
            size, _ = _read_number(handle, after)
            for name, value in _read_block(data, offset, size):
                if name:  # The nameless one is the header.
                    entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
                    found[name.decode()] = entry
        return found
    except (DecodeError, IndexError, ValueError):
        raise ValueError("its index is damaged") from None


def check_claims(prefix):
    """Refuses an index whose arrays cannot be, or not in the files that hold them.

    TensorFlow takes the memory for an array before it looks for its values.

    Raises:
        InputError: It claims more than there is.
        ValueError: Its arrays cannot be.
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
        # A text takes at least the byte that says how long it is.
        claimed += math.prod(sizes) * (dtype.size or 1)
    check_fits(prefix, claimed)


def check_fits(prefix, claimed):
    """Refuses what cannot lie in a checkpoint's files.

    Args:
        prefix: The checkpoint.
        claimed: How many bytes it should hold.

    Raises:
        InputError: Its files are smaller.
    """
    prefix = Path(prefix)
    parts = prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")
    there = sum(part.stat().st_size for part in parts)
    if claimed > there:
        raise InputError(
            f"{prefix}: claims to hold {claimed:,} bytes and has {there:,}; its files "
            "are damaged. Use another one, or copy its .index and .data files again."
        )


def _read_block(data, offset, size):
    """Yields the entries of a block, (name, value), both bytes."""
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
    """A number of seven bits a byte, lowest first; and where the next one starts."""
    number = shift = 0
    while True:
        byte = data[start]
        number |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return number, start
