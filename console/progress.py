"""Progress of long work: a bar on a terminal, lines of text elsewhere."""

import contextlib
import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0

# Names of files may hold characters that control a terminal; each becomes its escape
# sequence in Python.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}
# Some messages of several lines are tables.
_LAYOUT = {ord("\n"): "\n", ord("\t"): "\t"}

# Lists that receive the texts of warnings; see `warnings_heard`.
_listeners: list[list[str]] = []

T = TypeVar("T")


def to_clock(seconds: float) -> str:
    """Formats a duration: `9s`, `4m10s`, `3h05m`, `2d07h`."""
    seconds = int(round(seconds))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds}s"
    if hours < 1:
        return f"{minutes}m{seconds % 60:02d}s"
    if days < 1:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{days}d{hours % 24:02d}h"


def to_size(count: float) -> str:
    """Formats a number of bytes: `9 bytes`, `4.10 kB`, `57.6 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            decimals = (count < 10 * size) + (count < 100 * size)
            return f"{count / size:.{decimals}f} {unit}"
    return f"{count} bytes"


# Where lines go in place of the terminal; see `lines_caught`.
_caught: list[tuple[bool, str]] | None = None


@contextlib.contextmanager
def lines_caught() -> Iterator[list[tuple[bool, str]]]:
    """Keeps the lines of `say` and `warn`, of all threads, instead of printing them.

    Yields:
        The list that receives them: whether it is a warning, and the text.
    """
    global _caught
    before, _caught = _caught, []
    try:
        yield _caught
    finally:
        _caught = before


def say(text: str) -> None:
    """Prints a line, above the progress bar if there is one."""
    if _caught is not None:
        _caught.append((False, text))
        return
    tqdm.write(_to_printable(text, sys.stdout), file=sys.stdout)
    sys.stdout.flush()


def warn(text: str) -> None:
    """Prints a warning to the standard error, above the progress bar if any."""
    for heard in _listeners:
        heard.append(text)
    if _caught is not None:
        _caught.append((True, text))
        return
    tqdm.write(_to_printable(to_line(f"Warning: {text}"), sys.stderr), file=sys.stderr)


@contextlib.contextmanager
def warnings_heard() -> Iterator[list[str]]:
    """Yields a list that receives the warnings of all threads in the block."""
    heard: list[str] = []
    _listeners.append(heard)
    try:
        yield heard
    finally:
        # By identity: lists of equal texts are equal.
        _listeners[:] = [each for each in _listeners if each is not heard]


def to_line(text: str) -> str:
    """Escapes control characters, line breaks too, as names of files may have."""
    return text.translate(_CONTROLS)


def _to_printable(text, stream):
    """Escapes control characters, and characters that a stream cannot encode."""
    text = text.translate(_CONTROLS | _LAYOUT)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Progress:
    """A bar on a terminal, occasional lines elsewhere; both with the time left."""

    def __init__(
        self, total: int, what: str, unit: str = "image", in_millions: bool = False
    ) -> None:
        """Starts the clock.

        Args:
            total: Number of items.
            what: Name of the work, for example `"Downscaling"`.
            unit: Name of an item.
            in_millions: Whether to show counts in millions.
        """
        self.total, self.what, self.unit = total, what, unit
        self.in_millions = in_millions
        self.done, self.helpers = 0, ""
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

    def advance(self, count: int = 1) -> None:
        """Counts further items as done."""
        self.done += count
        self.bar.update(count)
        now = time.monotonic()
        is_due = now - self.last >= SECONDS_BETWEEN_LINES and self.done < self.total
        if self.bar.disable and is_due and self.done:
            self.last = now
            counted = f"{self.done}/{self.total} {self.unit}s"
            if self.in_millions:
                millions = f"{self.done / 1e6:.1f}/{self.total / 1e6:.1f}"
                counted = f"{millions} million {self.unit}s"
            if self.helpers:
                rate = self.done / (now - self.start)
                counted += f", {rate:.3g} a second on {self.helpers}"
            say(f"{self.what}: {counted}, {to_clock(self.find_left())} left")

    def find_left(self) -> float:
        """Estimates the seconds left; nothing may be known before the first item."""
        spent = time.monotonic() - self.start
        return spent / self.done * (self.total - self.done) if self.done else math.inf

    def tell_helpers(self, text: str) -> None:
        """Shows who does the work, for example `"3 machines"`."""
        if text != self.helpers:
            self.helpers = text
            self.bar.set_postfix_str(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def make_step_bar(first: int, end: int, is_shown: bool = True) -> tqdm:
    """Makes the bar of a training from step `first` to `end`, on a terminal only."""
    return tqdm(
        initial=first,
        total=end,
        unit="step",
        dynamic_ncols=True,
        disable=not (is_shown and sys.stderr.isatty()),
    )


def track(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yields images, or what there is of each, and shows the progress."""
    with Progress(total, what) as progress:
        for thing in things:
            yield thing
            progress.advance()
