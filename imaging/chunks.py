"""Chunks of a PNG beside its pixels, which travel as they are to a PNG."""

import io
import struct
import zlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from imaging.mending import PNG_SIGNATURE, make_chunk

TEXTS = b"tEXt", b"zTXt", b"iTXt"
# Longest text that is unpacked, in bytes.
_MOST_TEXT = 1 << 20
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


def read_text(chunk: Chunk) -> tuple[str, str] | None:
    """Decodes a chunk of `TEXTS`: its key and its text; None if it is damaged."""
    kind, data = chunk
    key, _, text = data.partition(b"\0")
    is_packed = kind == b"zTXt"
    if kind == b"iTXt":
        is_packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    elif is_packed:
        text = text[1:]
    try:
        text = zlib.decompressobj().decompress(text, _MOST_TEXT) if is_packed else text
    except zlib.error:
        return None
    code = "utf-8" if kind == b"iTXt" else "latin-1"
    return key.decode("latin-1"), text.decode(code, "replace")


def make_text(key: str, text: str) -> Chunk:
    """Encodes a key and a text."""
    return b"iTXt", key.encode("latin-1") + bytes(5) + text.encode()
