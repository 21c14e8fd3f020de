"""The one exception that means "the user can mend this"."""

import errno


class InputError(ValueError):
    """A mistake in a flag, a file or a folder, told in one line.

    The message says what was found, where, what was expected and what to do. A
    script prints it without a traceback; every other exception is a defect of ours
    and keeps its traceback.
    """


def name_some(names, most=5):
    """Joins names for a message, and counts those that it leaves out.

    Args:
        names: What to name, in order.
        most: How many are spelled out.

    Returns:
        For example `"a.png, b.png and 7 more"`.
    """
    names = [str(name) for name in names]
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def first_line(error):
    """The first line of an error of TensorFlow, whose messages run over many, a str."""
    text = getattr(error, "message", None) or str(error)
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "unknown"


def as_os_error(error, path):
    """What Python would have raised where TensorFlow could not write.

    Args:
        error: What TensorFlow raised.
        path: What was being written.

    Returns:
        OSError: It tells a full disk from anything else.
    """
    code, reason = errno.EIO, first_line(error)
    if "No space left" in reason:
        code, reason = errno.ENOSPC, "No space left on device"
    return OSError(code, reason, str(path))
