"""Reads the next picture and writes the last one while a network is at work."""

import concurrent.futures
import contextlib


class Reader:
    """Reads ahead by one."""

    def __init__(self, load, sources, is_light):
        """Takes what is to be read, in order.

        Args:
            load: From a source to what it holds.
            sources: An iterable.
            is_light: Whether a source may be held in memory beside another.
        """
        self.load, self.sources, self.is_light = load, iter(sources), is_light
        self.pool = concurrent.futures.ThreadPoolExecutor(1, "reader")

    def __iter__(self):
        """Yields (source, a function that returns what it holds or raises)."""
        waiting = self._begin()
        while waiting is not None:
            source, future = waiting
            if future is None:  # Too large to be read beside another: read now.
                future = self.pool.submit(self.load, source)
            concurrent.futures.wait([future])
            waiting = self._begin()
            yield source, future.result

    def _begin(self):
        for source in self.sources:
            light = self.is_light(source)
            return source, self.pool.submit(self.load, source) if light else None
        return None

    def close(self):
        """Drops what was read ahead."""
        self.pool.shutdown(wait=True, cancel_futures=True)


class Writer:
    """Writes behind, one thing at a time."""

    def __init__(self):
        """Starts the thread."""
        self.pool = concurrent.futures.ThreadPoolExecutor(1, "writer")
        self.future = None

    def put(self, write, is_light):
        """Waits for what was put before, then writes this.

        Args:
            write: What writes it.
            is_light: Whether it may be held in memory while other work goes on.

        Raises:
            What an earlier `write` raised, or this one if it is not light.
        """
        self.wait()
        self.future = self.pool.submit(write)
        if not is_light:
            self.wait()

    def wait(self):
        """Returns when all is written; raises what `write` raised."""
        future, self.future = self.future, None
        if future is not None:
            future.result()

    def close(self):
        """Ends the thread, after what it is writing."""
        self.pool.shutdown(wait=True)


@contextlib.contextmanager
def overlapped(load, sources, is_light):
    """A `Reader` and a `Writer`, whose threads end with the block."""
    reader, writer = Reader(load, sources, is_light), Writer()
    try:
        yield reader, writer
        writer.wait()
    finally:
        reader.close()
        writer.close()
