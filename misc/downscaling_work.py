"""Downscales images one by one, in one or several processes."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from console.cluster_messages import Share, Worker
from console.errors import InputError
from console.made import stamp_source
from console.progress import track
from console.ray_engine import working
from console.spread import SpreadSettings
from imaging.files import alpha_noted, load_image, save_image

# The most bytes of files and the most images of a batch for --cluster.
MOST = 20_000_000, 64

# See `misc.downscaling.downscale_folders`.
Downscale = Callable[[np.ndarray, int, str], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Job:
    """An HR image to downscale, and the LR image, a PNG file."""

    source: Path
    target: Path
    scale: int
    # Path of the image below its folder, without its ending.
    name: str


# From a function of a job and its LR image, jobs, and the name of the work to the
# results of `_work`, in any order.
Mapping = Callable[[Callable[[Job, np.ndarray], None], list[Job], str], Iterable[tuple]]


def _work(act, downscale, job):
    """Makes the LR image of one job and calls `act` with both.

    Returns:
        The target; the error message, None for success; the source if its
        transparency was dropped, otherwise None; and `stamp_source` of the source.
    """
    stamp = stamp_source(job.source)
    with alpha_noted() as noted:
        try:
            image = _make(downscale, job)
        except InputError as error:
            return job.target, str(error), None, stamp
    act(job, image)
    return job.target, None, next(iter(noted), None), stamp


def save(job: Job, image: np.ndarray) -> None:
    """Writes an LR image."""
    save_image(job.target, image)


def check_same(job: Job, image: np.ndarray) -> None:
    """Compares an existing file with the new image.

    Raises:
        InputError: They differ.
    """
    try:
        if np.array_equal(load_image(job.target), image):
            return
        found = "differs from"
    except InputError:
        found = "cannot be read as"
    raise InputError(
        f"{job.target} {found} the result of {job.source} at x{job.scale}: another "
        "program made it, or it was made from another image. It is kept; remove it or "
        "give another --output_path."
    )


def _make(downscale, job):
    """Makes the LR image of one file; an InputError if it is damaged or too small."""
    image = load_image(job.source)
    if min(image.shape[:2]) < job.scale:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise InputError(f"{job.source}: {size} is too small for x{job.scale}.")
    return downscale(image, job.scale, job.name)


class Downscaling:
    """Downscales batches of images; see `console.cluster_messages.Worker`."""

    note = ""

    def __init__(self, downscale: Downscale, maker: str) -> None:
        """Takes arguments of `downscale_folders`."""
        self.downscale, self.way = downscale, maker

    def take(self, batch: Sequence[tuple], done: Callable[[], None]) -> list[tuple]:
        """Works on pairs of a function and a job; returns results of `_work`."""
        rows = []
        for act, job in batch:
            done()
            rows.append(_work(act, self.downscale, job))
        return rows


def _weigh(item):
    """The bytes of an image's file; 0 if it is gone."""
    with contextlib.suppress(OSError):
        return item[1].source.stat().st_size
    return 0


@contextlib.contextmanager
def map_on_cluster(
    spread: SpreadSettings,
    make_worker: Callable[[Share], Worker],
    input_path: Path | str,
    output_path: Path | str,
    maker: str,
) -> Iterator[Mapping]:
    """Yields a function like that of `map_in_processes` that uses the cluster."""

    def map_all(act, jobs, what):
        crew.what = what
        for (_, job), row in crew.take(
            [(act, job) for job in jobs],
            len(jobs),
            _weigh,
            MOST,
            lambda item: item[1].source,
        ):
            died = f"{job.source}: its processes died."
            yield row or (job.target, died, None, None)

    start = working(
        *(spread, make_worker, [input_path], "Downscaling", maker), writes=output_path
    )
    with start as crew:
        yield map_all


@contextlib.contextmanager
def map_in_processes(count: int, downscale: Downscale) -> Iterator[Mapping]:
    """Yields a function that calls `_work` for jobs in `count` processes.

    Raises:
        InputError: A process was killed.
    """
    if count == 1:
        yield lambda act, jobs, what: track(
            map(functools.partial(_work, act, downscale), jobs), len(jobs), what
        )
        return
    # A forked child of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(count, context)

    def map_all(act, things, what):
        function = functools.partial(_work, act, downscale)
        # A child inherits that Ctrl-C is ignored, and leaves it to the parent.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        jobs = [pool.submit(function, thing) for thing in things]
        signal.signal(signal.SIGINT, previous)
        finished = concurrent.futures.as_completed(jobs)
        for job in track(finished, len(jobs), what):
            yield job.result()

    try:
        yield map_all
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            "a process was killed, perhaps because memory ran out. Finished images "
            "stay; run the command again, or with --num_processes=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
