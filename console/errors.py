"""The exception for mistakes that the user can fix, and text for messages."""

import errno
from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """A mistake in a flag, a file or a folder.

    The message says what was found, where, what was expected and what to do. Scripts
    print it without a traceback; any other exception is a bug and keeps its traceback.
    """


def name_some(names: Iterable[object], most: int = 5) -> str:
    """Joins names for a message: `"a.png, b.png and 7 more"`.

    Args:
        names: Names, in order.
        most: Number of names to write out.
    """
    texts = [str(name) for name in names]
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most} more"


def first_line(error: BaseException) -> str:
    """Returns the first line of an error; TensorFlow's messages have many."""
    text = getattr(error, "message", None) or str(error)
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "unknown"


def as_os_error(error: BaseException, path: Path | str) -> OSError:
    """Converts TensorFlow's error about a failed write: ENOSPC for a full disk."""
    code, reason = errno.EIO, first_line(error)
    if "No space left" in reason:
        code, reason = errno.ENOSPC, "No space left on device"
    return OSError(code, reason, str(path))
