"""Enlarges pictures by several processes, on one machine or on a cluster."""

import itertools
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from console.cluster_messages import Share, Unseen, Worker
from console.files import remove_leftovers
from console.ray_engine import working
from console.spread import SpreadSettings
from upscaling.budget import Tiler
from upscaling.choosing import Enlargers
from upscaling.naming import Job
from upscaling.results import Results
from upscaling.run import Run, count_pixels, tell

# The most pixels, before they are enlarged, and the most pictures of a batch: some
# seconds of work, which a process that dies loses.
MOST = 1_000_000, 64


class Errand(NamedTuple):
    """A job for another process, with the result of `Results.refuse_fallback`."""

    job: Job
    refusal: str | None


class Enlarging:
    """Enlarges batches of pictures; see `console.cluster_messages.Worker`."""

    def __init__(
        self,
        results: Results,
        enlargers: Enlargers,
        tiler: Tiler,
        looks_for_faults: bool = False,
    ) -> None:
        """Takes what `Run` takes."""
        self.results, self.looks_for_faults = results, looks_for_faults
        self.enlargers, self.tiler = enlargers, tiler
        self.way, self.note = results.way, enlargers.describe()

    def take(
        self, batch: Sequence[Errand], done: Callable[[], None]
    ) -> list[tuple[bool, list[str]]]:
        """Enlarges pictures; returns whether each was left out, and its faults."""
        self.results.refusals = {errand.job: errand.refusal for errand in batch}
        jobs = [errand.job for errand in batch]
        looks = self.looks_for_faults
        run = Run(jobs, self.results, self.enlargers, self.tiler, looks)
        run.take_all(Unseen(done))
        return [(job in run.left_out, run.degraded.get(job.source, [])) for job in jobs]


def enlarge(
    spread: SpreadSettings,
    make_worker: Callable[[Share], Worker],
    waiting: Collection[Job],
    results: Results,
    uses_gpu: bool,
) -> int | None:
    """Enlarges pictures on the cluster; returns the exit status.

    `make_worker` is the script's function that makes an `Enlarging`; `uses_gpu` is
    whether each process has a GPU.
    """
    folder = results.output.folder
    left_out: list[Job] = []
    degraded: dict[Path, list[str]] = {}
    errands = (Errand(job, results.refuse_fallback(job)) for job in waiting)
    # A machine that sees the first picture sees the others, too.
    seen = [job.source for job in itertools.islice(waiting, 1)]
    told = "Upscaling", results.way
    with working(spread, make_worker, seen, *told, uses_gpu, folder) as crew:
        outcomes = crew.take(
            errands,
            len(waiting),
            lambda errand: count_pixels(errand.job),
            MOST,
            lambda errand: errand.job.source,
        )
        for errand, row in outcomes:
            is_left_out, found = row or (True, [])
            if is_left_out:
                left_out.append(errand.job)
            if found:
                degraded[errand.job.source] = found
        for job, _ in crew.retried:
            # The processes that wrote them are dead.
            for path in (job.target, job.fallback, job.comparison):
                remove_leftovers(path, seconds=0)
    left_out.sort(key=lambda job: (job.source, job.page or 0))
    return tell(left_out, len(waiting), crew.note, dict(sorted(degraded.items())))
