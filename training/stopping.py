"""Stops a run on SIGINT and SIGTERM."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

from console.progress import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds within which two signals are one request: timeout(1) signals the process and
# then its group, and a supervisor may signal a group whose leader passes it on, too.
TOGETHER = 0.5


@contextlib.contextmanager
def joining() -> Iterator[None]:
    """Handles signals while TensorFlow joins a cluster.

    It does so in C++ with Python's lock held, and may wait there for a lost worker, so
    Python's handlers cannot run: the default handler of Ctrl-C is restored meanwhile.
    TensorFlow also installs a handler of SIGTERM, for preemption, which is replaced
    afterwards.
    """
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    if previous[signal.SIGINT] is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class StopRequest:
    """While entered, stores the first signal; a second signal ends the process.

    The main thread is mostly in TensorFlow, where Python's handlers cannot run. So the
    interpreter writes the number of each signal to a socket, and a thread reads it.

    Attributes:
        signal: The first `signal.Signals`; None before.
    """

    def __init__(self) -> None:
        """Starts without a signal."""
        self.signal: signal.Signals | None = None
        self.previous: dict = {}

    def __enter__(self) -> Self:
        """Installs the handlers and returns itself."""
        self.previous = {s: signal.signal(s, self._remember) for s in SIGNALS}
        self.reader, self.writer = socket.socketpair()
        self.writer.setblocking(False)
        self.previous_descriptor = signal.set_wakeup_fd(self.writer.fileno())
        threading.Thread(target=self._watch, daemon=True, name="signals").start()
        return self

    def __exit__(self, *_: object) -> None:
        """Restores the previous handlers."""
        signal.set_wakeup_fd(self.previous_descriptor)
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        # The thread ends at the end of the stream.
        self.writer.close()

    def tell(self, steps: str) -> int:
        """Tells after which steps the run was stopped, and returns the exit status."""
        # Of several workers, another may have received the signal.
        asked = self.signal or signal.SIGTERM
        say(
            f"Stopped by {asked.name} after step {steps}; the same command "
            "resumes from there."
        )
        return 128 + asked

    def _remember(self, number, _):
        self.signal = self.signal or signal.Signals(number)

    def _watch(self):
        """Waits for signals, and ends the process at the second request."""
        first = None
        with self.reader:
            while received := self.reader.recv(1):
                if received[0] not in SIGNALS:
                    continue
                first = first or time.monotonic()
                if time.monotonic() - first > TOGETHER:
                    name = signal.Signals(received[0]).name
                    os.write(2, f"Stopped immediately by a second {name}.\n".encode())
                    os._exit(128 + received[0])
