"""Chunks of a PNG beside its pixels, which travel as they are to a PNG."""

import io
import struct
import zlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from imaging.mending import PNG_SIGNATURE, make_chunk

# A kind and its content.
Chunk = tuple[bytes, bytes]
# Length of the signature and the header, behind which chunks of all kinds may stand.
_START = 33


def read_chunks(path: Path | str, kinds: Collection[bytes]) -> list[Chunk]:
    """Reads the chunks of some kinds, without those of a wrong checksum.

    Args:
        path: The file; one of another format has no chunks.
        kinds: The kinds of chunks.
    """
    found: list[Chunk] = []
    with open(path, "rb") as file:
        if file.read(8) != PNG_SIGNATURE:
            return found
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind not in kinds:
                file.seek(length + 4, io.SEEK_CUR)
                continue
            data = file.read(length)
            if file.read(4) == struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))):
                found.append((kind, data))
    return found


class Inserting:
    """A file that inserts chunks into the PNG that a library writes to it."""

    def __init__(self, file: BinaryIO, chunks: Iterable[Chunk]) -> None:
        """Takes the file and the chunks, which follow the header."""
        self._file, self._left = file, _START
        self._chunks = b"".join(make_chunk(*chunk) for chunk in chunks)
        self.flush: Callable = file.flush

    def write(self, data: bytes) -> None:
        """Writes some of the file; the header ends with the end of one of them."""
        self._file.write(data)
        self._left -= len(data)
        if self._left == 0:
            self._file.write(self._chunks)
