"""How many pixels a picture may claim to have.

A file of a few bytes can unpack to all of the memory, so the size that it claims is
looked at before its pixels are.
"""

import dataclasses

from console.errors import InputError
from console.settings import Settings, option

# Satellite pictures and scans are legitimate.
MOST_PIXELS = 1_000_000_000
CUT = "cut it into pieces"
# What to do about larger ones; a script that has the flag names it.
_limit = {"pixels": MOST_PIXELS, "advice": CUT}


@dataclasses.dataclass(frozen=True)
class LimitSettings(Settings):
    """How large a picture may be; `take` makes it count."""

    max_pixels: int = option(
        MOST_PIXELS,
        "Pixels that a picture may claim to have; others are refused unread.",
    )

    def take(self):
        """Sets the limit of this process."""
        advice = "--max_pixels lets larger ones in"
        _limit.update(pixels=self.max_pixels, advice=advice)


def check_size(path, width, height):
    """Refuses a picture that claims to be too large.

    Raises:
        InputError: With what it claims.
    """
    if width * height > _limit["pixels"]:
        raise InputError(
            f"{path}: claims to be of {width}x{height} pixels, more than "
            f"{_limit['pixels']:,}; {_limit['advice']}."
        )
