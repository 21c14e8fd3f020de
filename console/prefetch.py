"""Makes the next results in threads during the use of the current result."""

import collections
import concurrent.futures
import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any, Self


class Prefetch:
    """Calls a function for each item ahead of its turn, in background threads.

    Results come in the order of the items. The function must depend on the item only,
    so that the order in which threads finish does not matter.

    Attributes:
        waited: Total seconds waited for results.
    """

    def __init__(
        self,
        make: Callable[[Any], Any],
        items: Iterable,
        workers: int = 2,
        depth: int = 6,
        is_light: Callable[[Any], bool] = lambda _: True,
    ) -> None:
        """Starts with the first items.

        Args:
            make: Function of an item.
            items: Items, such as steps.
            workers: Number of threads.
            depth: Number of results prepared or in preparation.
            is_light: Whether the result of an item may be in memory beside another; if
                not, it is made in its turn.
        """
        self.make, self.items, self.is_light = make, iter(items), is_light
        self.pool = concurrent.futures.ThreadPoolExecutor(workers, "prefetch")
        self.queue: collections.deque[tuple] = collections.deque()
        self.waited = 0.0
        try:
            self._begin(depth)
        except BaseException:
            self.__exit__()
            raise

    def _begin(self, count):
        """Queues the next items, each with its future, or None if it is not light."""
        for item in itertools.islice(self.items, count):
            light = self.is_light(item)
            future = self.pool.submit(self.make, item) if light else None
            self.queue.append((item, future))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, Callable[[], Any]]:
        """Returns an item, and a function that returns its result or raises."""
        if not self.queue:
            raise StopIteration
        start = time.perf_counter()
        item, future = self.queue.popleft()
        future = future or self.pool.submit(self.make, item)
        concurrent.futures.wait([future])
        self.waited += time.perf_counter() - start
        self._begin(1)
        return item, future.result

    def get(self) -> Any:
        """Returns the next result, or raises the error of `make`."""
        if not self.queue:
            raise IndexError("no items are left.")
        _, result = next(self)
        return result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
