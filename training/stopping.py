"""Lets SIGINT and SIGTERM end a run after the step that is under way."""

import signal


class StopRequest:
    """While entered, the first signal is remembered; a second one acts at once.

    Attributes:
        signal: The `signal.Signals` that came; None so far.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        """No signal has come yet."""
        self.signal = None
        self.previous = {}

    def __enter__(self):
        """Takes over the two signals and returns itself."""
        self.previous = {s: signal.signal(s, self._remember) for s in self.SIGNALS}
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

    @property
    def exit_status(self):
        """What a shell expects of a process that ended by this signal: 130, 143."""
        return None if self.signal is None else 128 + self.signal
