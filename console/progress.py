"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0


def to_clock(seconds):
    """Writes a duration as people say it: `9s`, `4m10s`, `3h05m`, `2d07h`."""
    seconds = int(round(seconds))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds}s"
    if hours < 1:
        return f"{minutes}m{seconds % 60:02d}s"
    if days < 1:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{days}d{hours % 24:02d}h"


def say(text):
    """Prints a line, above the progress bar if there is one."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def warn(text):
    """Prints a warning to the standard error, above the progress bar if any."""
    tqdm.write(f"Warning: {text}", file=sys.stderr)


def track(things, total, what, unit="image", initial=0):
    """Passes things on and shows how many have passed and the time left.

    Args:
        things: Any iterable.
        total: How many there will be, those of `initial` included.
        what: What is being done, for example `"Downscaling"`.
        unit: What one thing is called.
        initial: How many were done before.

    Yields:
        The things, one by one.
    """
    if sys.stderr.isatty():
        yield from tqdm(
            things,
            desc=what,
            total=total,
            unit=unit,
            initial=initial,
            dynamic_ncols=True,
            leave=False,
        )
        return
    start = last = time.monotonic()
    for done, thing in enumerate(things, start=1):
        yield thing
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES and initial + done < total:
            last = now
            left = (now - start) / done * (total - initial - done)
            say(f"{what}: {initial + done}/{total} {unit}s, {to_clock(left)} left")
