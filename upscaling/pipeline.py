"""Reads the next picture and writes the last while the network runs."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from console.prefetch import Prefetch


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
) -> Iterator[tuple[Prefetch, Writer]]:
    """Yields a reader and a writer, whose threads end with the block.

    Args:
        load: Loads a source.
        sources: Sources, in order.
        is_light: Whether a loaded source may be in memory beside another.

    Yields:
        `Prefetch` of the sources, and `Writer`.
    """
    with (
        contextlib.closing(Writer()) as writer,
        Prefetch(load, sources, workers=1, depth=1, is_light=is_light) as reader,
    ):
        yield reader, writer
        writer.wait()
