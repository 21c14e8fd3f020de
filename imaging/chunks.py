"""Chunks of a PNG: all, and those beside its pixels, which travel to another PNG."""

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = b"tEXt", b"zTXt", b"iTXt"
# Longest text that is unpacked, in bytes.
_MOST_TEXT = 1 << 20
_BLOCK = 1 << 20
# A kind and its content.
Chunk = tuple[bytes, bytes]
# Length of the signature and the header, behind which chunks of all kinds may stand.
_START = 33


def make_chunk(kind: bytes, data: bytes) -> bytes:
    """Encodes a chunk of a PNG."""
    return len(data).to_bytes(4) + kind + data + _sum(kind, data)


def _sum(kind, data):
    return zlib.crc32(data, zlib.crc32(kind)).to_bytes(4)


def split_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yields header, data and checksum of a PNG's chunks; shorter where it is cut off.

    The file is read from behind the signature on, to the end of the picture.
    """
    header = b""
    while header[4:] != b"IEND" and len(header := file.read(8)) == 8:
        blocks, left = [], int.from_bytes(header[:4])
        # A length that is not true must not take memory.
        while left and (block := file.read(min(left, _BLOCK))):
            blocks.append(block)
            left -= len(block)
        yield header, b"".join(blocks), file.read(4)


def is_right(header: bytes, data: bytes, checksum: bytes) -> bool | None:
    """Whether a chunk's checksum is right; None for a chunk that is cut off."""
    return checksum == _sum(header[4:], data) if len(checksum) == 4 else None


def read_chunks(path: Path | str, kinds: Collection[bytes]) -> list[Chunk]:
    """Reads a PNG's chunks of some kinds, without those of a wrong checksum."""
    with open(path, "rb") as file:
        there = split_chunks(file) if file.read(8) == PNG_SIGNATURE else ()
        return [
            (chunk[0][4:], chunk[1])
            for chunk in there
            if chunk[0][4:] in kinds and is_right(*chunk)
        ]


class Inserting:
    """A file that inserts chunks into the PNG that a library writes to it."""

    def __init__(self, file: BinaryIO, chunks: Iterable[Chunk]) -> None:
        """Inserts the chunks behind the header."""
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
