"""Slight damage that loses no pixel, which browsers pass over without a word.

A JPEG or a PNG without its end, and a part of a PNG beside the pixels with a wrong
checksum. Pictures that lack pixels are refused unless `DamageSettings` allows them.
"""

import dataclasses
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from console.errors import InputError
from console.progress import warn
from console.settings import Settings, option
from imaging.chunks import PNG_SIGNATURE, is_right, make_chunk, split_chunks

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
# Bytes that code other pixels than the zeros which a decoder assumes after the end.
_FILLER = bytes(181 * i % 255 for i in range(1, 255)) * 64
_CHOKING = b"tEXt", b"zTXt", b"iTXt", b"cHRM", b"gAMA", b"sRGB", b"cICP"

_allowed = {"damaged": False}


@dataclasses.dataclass(frozen=True)
class DamageSettings(Settings):
    """Whether to take damaged pictures; `take` applies it."""

    allow_damaged: bool = option(
        False,
        "Take truncated and damaged pictures as far as they can be read, with a "
        "warning; otherwise they are left out.",
    )

    def take(self) -> None:
        """Sets it for this process."""
        _allowed["damaged"] = self.allow_damaged


def mend_png(path: Path | str) -> bytes | None:
    """Makes a PNG without harmless chunks of a wrong checksum, and with its end.

    Text and numbers of colours are left out, too: Pillow refuses pictures for them.
    Returns the content of the mended file; None if the file is not a PNG.
    """
    with open(path, "rb") as file:
        if file.read(8) != PNG_SIGNATURE:
            return None
        mended = [PNG_SIGNATURE]
        for chunk in split_chunks(file):
            kind = chunk[0][4:]
            is_kept = kind not in _CHOKING and is_right(*chunk)
            if kind != b"IEND" and (is_kept or _is_critical(kind)):
                mended.append(make_chunk(kind, chunk[1]))
    return b"".join([*mended, make_chunk(b"IEND", b"")])


def find_slight_damage(path: Path | str) -> list[str]:
    """Checks a PNG's checksums, which decoding ignores; adds 1.5% to its time.

    Returns:
        What is wrong beside the pixels, for messages; empty for other formats.

    Raises:
        ValueError: The checksum of a chunk that is needed for the pixels is wrong.
        InputError: The file is of Apple's own kind.
    """
    kind = b""
    found: list[str] = []
    with open(path, "rb") as file:
        if file.read(8) != PNG_SIGNATURE:
            return found
        for chunk in split_chunks(file):
            kind = chunk[0][4:]
            if kind == b"CgBI":
                raise InputError(
                    f"{path}: is a PNG that only Apple's programs read (CgBI); convert "
                    "it with pngcrush -revert-iphone-optimizations."
                )
            if is_right(*chunk) is False:
                if _is_critical(kind) and not _allowed["damaged"]:
                    raise ValueError(f"wrong checksum of {kind!r}")
                name = kind.decode("latin-1")
                found.append(f"its part {name} has a wrong checksum")
    if kind != b"IEND":
        found.append("the end of the file is missing")
    return found


def _is_critical(kind):
    """Whether a chunk is needed for the pixels: it begins with a capital letter."""
    return not kind[0] & 32


def load_damaged(path: Path | str) -> Image.Image:
    """Loads a picture that Pillow calls truncated, and warns of it.

    Raises:
        OSError: Pixels are missing, which `DamageSettings` may allow, or the file
            cannot be read at all.
    """
    data = mend_png(path) or Path(path).read_bytes()
    if data.startswith(_JPEG_START):
        # Half of the marker of the end would hide what follows.
        data = data.rstrip(b"\xff")
        image, other = _load(data + _JPEG_END), _load(data + _FILLER + _JPEG_END)
        # Pixels that do not depend on bytes behind the last are complete.
        if np.array_equal(np.asarray(image), np.asarray(other)):
            warn(f"{path}: the end of the file is missing.")
            return image
    if not _allowed["damaged"]:
        raise OSError(f"{path} lacks pixels")
    # Pillow's only switch, for all threads; no file is refused here anyway.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = _load(data)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    warn(f"{path}: is truncated or damaged; a part of the picture is missing.")
    return image


def _load(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
