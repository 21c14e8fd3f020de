"""Prepares the batches of coming steps while the present one is being trained."""

import collections
import concurrent.futures
import time


class Prefetch:
    """Calls a function of the step for the steps to come, in background threads.

    The function must depend on the step alone, so that the order in which threads
    finish does not matter.

    Attributes:
        waited: Seconds that `get` has waited so far.
    """

    def __init__(self, make, first, end, workers=2, depth=6):
        """Starts with step `first`.

        Args:
            make: From a step to whatever is to be prepared.
            first: The first step that `get` will be asked for.
            end: One past the last.
            workers: How many threads prepare.
            depth: How many steps are prepared or in preparation.
        """
        self.make, self.coming, self.end = make, first, end
        self.pool = concurrent.futures.ThreadPoolExecutor(workers, "prefetch")
        self.queue = collections.deque()
        self.waited = 0.0
        for _ in range(depth):
            self._submit()

    def _submit(self):
        if self.coming < self.end:
            self.queue.append(self.pool.submit(self.make, self.coming))
            self.coming += 1

    def get(self):
        """Returns what was prepared for the next step; raises what `make` raised."""
        start = time.perf_counter()
        result = self.queue.popleft().result()
        self.waited += time.perf_counter() - start
        self._submit()
        return result

    def __enter__(self):
        """Returns itself."""
        return self

    def __exit__(self, *_):
        """Drops what is not prepared yet and waits for what is."""
        self.pool.shutdown(wait=True, cancel_futures=True)
