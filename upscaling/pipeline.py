"""Reads the next picture and writes the last while the network runs."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class Reader:
    """Loads one source ahead, in a thread."""

    def __init__(
        self,
        load: Callable[[Any], Any],
        sources: Iterable,
        is_light: Callable[[Any], bool],
    ):
        """Takes the sources, in order.

        Args:
            load: Loads a source.
            sources: The sources.
            is_light: Whether a loaded source may be in memory beside another.
        """
        self.load, self.sources, self.is_light = load, iter(sources), is_light
        self.pool = concurrent.futures.ThreadPoolExecutor(1, "reader")

    def __iter__(self) -> Iterator[tuple[Any, Callable[[], Any]]]:
        """Yields each source and a function that returns `load`'s result or raises."""
        waiting = self._begin()
        while waiting is not None:
            source, future = waiting
            if future is None:  # Too large to be read ahead.
                future = self.pool.submit(self.load, source)
            concurrent.futures.wait([future])
            waiting = self._begin()
            yield source, future.result

    def _begin(self):
        for source in self.sources:
            light = self.is_light(source)
            return source, self.pool.submit(self.load, source) if light else None
        return None

    def close(self) -> None:
        """Ends the thread and drops the source that was loaded ahead."""
        self.pool.shutdown(wait=True, cancel_futures=True)


class Writer:
    """Writes one result at a time, in a thread."""

    def __init__(self) -> None:
        """Starts the thread."""
        self.pool = concurrent.futures.ThreadPoolExecutor(1, "writer")
        self.future: concurrent.futures.Future | None = None

    def put(self, write: Callable[[], None], is_light: bool) -> None:
        """Waits for the previous result, then starts to write this result.

        Args:
            write: Writes the result.
            is_light: Whether the result may be in memory while other work goes on; if
                not, this waits until it is written.

        Raises:
            Exception: The exception of an earlier `write`, or of this one if it is not
                light.
        """
        self.wait()
        self.future = self.pool.submit(write)
        if not is_light:
            self.wait()

    def wait(self) -> None:
        """Waits until all is written; raises an exception of `write`."""
        future, self.future = self.future, None
        if future is not None:
            future.result()

    def close(self) -> None:
        """Ends the thread when its result is written."""
        self.pool.shutdown(wait=True)


@contextlib.contextmanager
def overlapped(
    load: Callable[[Any], Any], sources: Iterable, is_light: Callable[[Any], bool]
) -> Iterator[tuple[Reader, Writer]]:
    """Yields a `Reader` and a `Writer`, whose threads end with the block."""
    reader, writer = Reader(load, sources, is_light), Writer()
    try:
        yield reader, writer
        writer.wait()
    finally:
        reader.close()
        writer.close()
