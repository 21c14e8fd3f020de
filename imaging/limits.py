"""The limit on the number of pixels of a picture.

A file of a few bytes can unpack to more than the memory, so the size in its header is
checked before its pixels are decoded.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from console.errors import InputError
from console.settings import Settings, option

# Satellite pictures and scans are legitimate.
MOST_PIXELS = 1_000_000_000
CUT = "cut it into pieces"
# The advice on larger pictures; scripts with the flag --max_pixels name the flag.
_limit: dict[str, Any] = {"pixels": MOST_PIXELS, "advice": CUT}
# Pillow refuses twice as many, also of frames and of pictures inside icons.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS


@dataclasses.dataclass(frozen=True)
class LimitSettings(Settings):
    """Limit on the size of pictures; `take` applies it."""

    max_pixels: int = option(
        MOST_PIXELS,
        "Most pixels of a picture; larger pictures are refused before decoding.",
    )

    def take(self) -> None:
        """Sets the limit of this process."""
        _limit.update(pixels=self.max_pixels, advice="--max_pixels raises the limit")
        Image.MAX_IMAGE_PIXELS = max(MOST_PIXELS, self.max_pixels)


@contextlib.contextmanager
def lifted() -> Iterator[None]:
    """Lifts the limit in the block, for pictures that this program has made."""
    pixels, pillows = _limit["pixels"], Image.MAX_IMAGE_PIXELS
    _limit["pixels"], Image.MAX_IMAGE_PIXELS = math.inf, None
    try:
        yield
    finally:
        _limit["pixels"], Image.MAX_IMAGE_PIXELS = pixels, pillows


def check_size(path: Path | str, width: int, height: int) -> None:
    """Raises `InputError` if a picture has more pixels than the limit."""
    if width * height > _limit["pixels"]:
        raise too_large(path, f"claims to have {width}x{height} pixels,")


def too_large(path: Path | str, what: str = "has too many pixels,") -> InputError:
    """Makes the error for a picture of too many pixels."""
    return InputError(
        f"{path}: {what} more than {_limit['pixels']:,}; {_limit['advice']}."
    )
