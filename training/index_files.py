"""Reads a checkpoint's index without TensorFlow, whose reader trusts it.

The file is a table of LevelDB (see its document on the table format): blocks of sorted
entries, whose names are shortened by what they share with the one before. TensorFlow
ends the process over a shape that cannot be, so shapes are looked at here beforehand.
"""

from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import tensor_bundle_pb2

FOOTER = 48
MAGIC = bytes.fromhex("57fb808b247547db")


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
        if data[-len(MAGIC) :] != MAGIC:
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
