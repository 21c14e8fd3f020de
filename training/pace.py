"""The speed of a training, for the log."""

from console.progress import to_clock


class Pace:
    """Measures the time of steps, and the share spent waiting for data.

    The mean leaves out the first step of each graph, which traces the graph. All
    times are in seconds.
    """

    def __init__(self) -> None:
        """Starts without measurements."""
        self.steps = 0
        self.total = self.waited = self.last = self.last_waited = 0.0

    def add(self, seconds: float, waited: float, is_first: bool = False) -> None:
        """Adds the time of a step, waiting included."""
        self.last, self.last_waited = seconds, waited
        if not is_first:
            self.total, self.waited = self.total + seconds, self.waited + waited
            self.steps += 1

    @property
    def mean(self) -> float:
        """Mean seconds of a step."""
        return self.total / self.steps if self.steps else self.last

    @property
    def waiting_share(self) -> float:
        """Share of the time spent waiting for data, in [0, 1]."""
        return self.waited / self.total if self.total else 0.0

    def left(self, steps: int) -> str:
        """Returns the estimated time of further steps, such as `4m10s`."""
        return to_clock(self.mean * steps)
