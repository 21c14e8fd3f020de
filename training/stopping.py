"""What SIGINT and SIGTERM do to a run."""

import contextlib
import os
import signal
import socket
import threading
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Within so many seconds two signals are one request: timeout(1) signals the process
# and then its group, and a supervisor may signal a process group whose leader does too.
TOGETHER = 0.5


@contextlib.contextmanager
def joining():
    """To be entered while TensorFlow joins a cluster, in C++ and with Python's lock.

    It waits there for a worker that was lost since all were there. Python's handlers
    get no turn then, so Ctrl-C is given back to the system. And TensorFlow takes
    SIGTERM for a notice of preemption, behind Python's back.
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
    """While entered, the first signal is remembered; a second one ends the process.

    The main thread spends its time in TensorFlow, where Python's handlers get no turn.
    So the interpreter is asked to write each signal's number to a socket, as it
    arrives, and a thread reads there.

    Attributes:
        signal: The `signal.Signals` that came; None so far.
    """

    def __init__(self):
        """No signal has come yet."""
        self.signal = None
        self.previous = {}

    def __enter__(self):
        """Takes over the two signals and returns itself."""
        self.previous = {s: signal.signal(s, self._remember) for s in SIGNALS}
        self.reader, self.writer = socket.socketpair()
        self.writer.setblocking(False)
        self.previous_descriptor = signal.set_wakeup_fd(self.writer.fileno())
        threading.Thread(target=self._watch, daemon=True, name="signals").start()
        return self

    def __exit__(self, *_):
        """Gives the signals back."""
        signal.set_wakeup_fd(self.previous_descriptor)
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        # The thread reads the end of the stream, and ends.
        self.writer.close()

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
                    os.write(2, f"Stopped at once by a second {name}.\n".encode())
                    os._exit(128 + received[0])
