"""How many pixels a picture may claim to have.

A file of a few bytes can unpack to all of the memory, so the size that it claims is
looked at before its pixels are.
"""

from absl import flags

from console.errors import InputError
from console.flags import define_count

# Satellite pictures and scans are legitimate.
MOST_PIXELS = 1_000_000_000
CUT = "cut it into pieces"
# What to do about larger ones; a script that has the flag names it.
_limit = {"pixels": MOST_PIXELS, "advice": CUT}


def define_flag():
    """Declares --max_pixels; `take_flag` makes it count."""
    define_count(
        "max_pixels",
        MOST_PIXELS,
        "Pixels that a picture may claim to have; others are refused unread.",
    )


def take_flag():
    """Sets the limit of this process to the flag's value."""
    pixels, advice = flags.FLAGS.max_pixels, "--max_pixels lets larger ones in"
    _limit.update(pixels=pixels, advice=advice)


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
