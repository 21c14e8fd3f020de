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


def to_size(count):
    """Writes a number of bytes as people say it: `9 bytes`, `4.10 kB`, `57.6 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            decimals = (count < 10 * size) + (count < 100 * size)
            return f"{count / size:.{decimals}f} {unit}"
    return f"{count} bytes"


def say(text):
    """Prints a line, above the progress bar if there is one."""
    tqdm.write(_to_printable(text, sys.stdout), file=sys.stdout)
    sys.stdout.flush()


def warn(text):
    """Prints a warning to the standard error, above the progress bar if any."""
    tqdm.write(_to_printable(f"Warning: {text}", sys.stderr), file=sys.stderr)


def _to_printable(text, stream):
    """Escapes what a stream cannot show: names of files may be any bytes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Progress:
    """A bar on a terminal, elsewhere a line now and then; both with the time left."""

    def __init__(self, total, what, unit="image", in_millions=False):
        """Starts the clock.

        Args:
            total: How many there will be.
            what: What is being done, for example `"Downscaling"`.
            unit: What one thing is called.
            in_millions: Whether they are too many to be written out.
        """
        self.total, self.what, self.unit = total, what, unit
        self.in_millions = in_millions
        self.done = 0
        self.start = self.last = time.monotonic()
        self.bar = tqdm(
            desc=what,
            total=total,
            unit=unit,
            unit_scale=in_millions,
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def advance(self, count=1):
        """Counts some more as done."""
        self.done += count
        self.bar.update(count)
        now = time.monotonic()
        is_due = now - self.last >= SECONDS_BETWEEN_LINES and self.done < self.total
        if self.bar.disable and is_due and self.done:
            self.last = now
            left = (now - self.start) / self.done * (self.total - self.done)
            counted = f"{self.done}/{self.total} {self.unit}s"
            if self.in_millions:
                millions = f"{self.done / 1e6:.1f}/{self.total / 1e6:.1f}"
                counted = f"{millions} million {self.unit}s"
            say(f"{self.what}: {counted}, {to_clock(left)} left")

    def __enter__(self):
        """Returns itself."""
        return self

    def __exit__(self, *_):
        """Takes the bar away."""
        self.bar.close()


def track(things, total, what, unit="image"):
    """Passes things on and shows how many have passed; see `Progress`.

    Args:
        things: Any iterable.
        total: How many there will be.
        what: What is being done.
        unit: What one thing is called.

    Yields:
        The things, one by one.
    """
    with Progress(total, what, unit) as progress:
        for thing in things:
            yield thing
            progress.advance()
