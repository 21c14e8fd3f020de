"""What SIGINT and SIGTERM do to a run."""

import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def joining():
    """To be entered while TensorFlow joins a cluster, which may wait long in C++.

    Python's handlers get no turn there, so Ctrl-C is given back to the system. And
    TensorFlow takes SIGTERM for a notice of preemption, behind Python's back.
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
    """While entered, the first signal is remembered; a second one acts at once.

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
        return self

    def __exit__(self, *_):
        """Gives the signals back."""
        self._give_back()

    def _remember(self, number, _):
        self.signal = signal.Signals(number)
        self._give_back()

    def _give_back(self):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
