"""How fast a training goes, from which the log tells the time left."""

from console.progress import to_clock


class Pace:
    """Seconds a step, and how much of them was spent waiting for data.

    The first step of each graph is left out of the mean: it traces the graph.

    Attributes:
        last: Seconds of the last step, whichever.
        last_waited: Seconds of them that it waited for data.
    """

    def __init__(self):
        """Nothing measured yet."""
        self.total = self.waited = self.steps = 0
        self.last = self.last_waited = 0.0

    def add(self, seconds, waited, is_first=False):
        """Takes the time of one step and of the wait within it.

        Args:
            seconds: Of both.
            waited: Of the wait.
            is_first: Whether the step was the first of its graph.
        """
        self.last, self.last_waited = seconds, waited
        if not is_first:
            self.total, self.waited = self.total + seconds, self.waited + waited
            self.steps += 1

    @property
    def mean(self):
        """Seconds a step so far."""
        return self.total / self.steps if self.steps else self.last

    @property
    def waiting_share(self):
        """Share of the time spent waiting for data, in [0, 1]."""
        return self.waited / self.total if self.total else 0.0

    def left(self, steps):
        """Time that so many more steps will take, as people write it."""
        return to_clock(self.mean * steps)
