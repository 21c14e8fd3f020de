"""Lets threads use a device one after another, in the order in which they came."""

import contextlib
import threading
from collections.abc import Callable, Iterator

# Seconds between looks at whether a thread still wants its turn.
_PATIENCE = 0.25


class Turns:
    """A lock that is fair, unlike `threading.Lock`, and tells how many come first."""

    def __init__(self) -> None:
        """Starts without anyone who waits."""
        self._changed = threading.Condition()
        self._waiting: list[object] = []

    @contextlib.contextmanager
    def taken(self, tell: Callable[[int], None]) -> Iterator[None]:
        """Waits for this thread's turn, which ends with the block.

        Args:
            tell: Called several times a second with the number of turns that come
                first; an exception of it gives the turn up.
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            while ahead := self._count_ahead(ticket):
                tell(ahead)
                with self._changed:
                    self._changed.wait(_PATIENCE)
            yield
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _count_ahead(self, ticket):
        with self._changed:
            return self._waiting.index(ticket)
