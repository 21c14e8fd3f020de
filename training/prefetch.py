"""Prepares the batches of the next steps during the current step."""

import collections
import concurrent.futures
import time
from collections.abc import Callable
from typing import Any, Self


class Prefetch:
    """Calls a function of the step for the next steps, in background threads.

    The function must depend on the step only, so that the order in which threads
    finish does not matter.

    Attributes:
        waited: Total seconds that `get` has waited.
    """

    def __init__(
        self,
        make: Callable[[int], Any],
        first: int,
        end: int,
        workers: int = 2,
        depth: int = 6,
    ) -> None:
        """Starts with step `first`.

        Args:
            make: Function of the step.
            first: First step that `get` returns.
            end: Step after the last.
            workers: Number of threads.
            depth: Number of steps prepared or in preparation.
        """
        self.make, self.coming, self.end = make, first, end
        self.pool = concurrent.futures.ThreadPoolExecutor(workers, "prefetch")
        self.queue: collections.deque[concurrent.futures.Future] = collections.deque()
        self.waited = 0.0
        for _ in range(depth):
            self._submit()

    def _submit(self):
        if self.coming < self.end:
            self.queue.append(self.pool.submit(self.make, self.coming))
            self.coming += 1

    def get(self) -> Any:
        """Returns the result for the next step, or raises the error of `make`."""
        start = time.perf_counter()
        result = self.queue.popleft().result()
        self.waited += time.perf_counter() - start
        self._submit()
        return result

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancels pending calls and waits for running calls."""
        self.pool.shutdown(wait=True, cancel_futures=True)
