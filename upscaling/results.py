"""Keeps track of results: which exist, how they were made, and which are to be made."""

import collections
import os
from collections.abc import Callable, Collection
from pathlib import Path

from console import made
from console.errors import InputError
from console.progress import say, warn
from console.spread import choose
from imaging.pictures import Picture
from imaging.saving import find_format, find_obstacle
from upscaling.naming import Job
from upscaling.output import Output


class Results:
    """Keeps track of existing results and how they were made.

    Attributes:
        is_kept: Whether existing results were made in another way, and stay.
        refusals: Results of `refuse_fallback` that another process found out.
    """

    def __init__(
        self,
        output: Output,
        way: str,
        is_taken: Callable[[Path], bool],
        writer: str | None = None,
        reads: bool = True,
    ):
        """Reads the records of earlier runs; see `console.made.Made`.

        `way` is how results are made now: the weights and the flags. `is_taken` is
        whether a file is a picture of this run, or the result of one.
        """
        self.output, self.way = output, way
        self.made = made.Made(output.folder, writer, reads)
        self.is_taken, self.is_kept = is_taken, False
        self.refusals: dict[Job, str | None] = {}
        self._stamps: dict[Job, list] = {}

    def find_waiting(self, jobs: Collection[Job]) -> Collection[Job]:
        """Finds the jobs to be done, and reports the others.

        Returns the jobs without a result, or all jobs if results are overwritten; none
        if some results were made in another way, so that no folder mixes both.
        """
        if self.output.overwrite:
            return jobs
        counts: collections.Counter[str] = collections.Counter()
        first: dict[str, Job] = {}
        for job in jobs:
            state = self.look(job)
            counts[state] += 1
            first.setdefault(state, job)
        if finished := counts.pop(made.FINISHED, 0):
            say(
                f"Kept {finished} of {len(jobs)} results of an earlier run; "
                "--overwrite replaces them."
            )
        waiting = counts.pop(made.MISSING, 0)
        is_mixed, self.is_kept = made.OTHERWISE in counts, bool(counts)
        if self.is_kept:
            left = counts.total() + is_mixed * waiting
            reasons = (
                self._tell(state, first[state], more - 1)
                for state, more in counts.items()
            )
            warn(
                f"not made: {left} of {len(jobs)} results. Already there: "
                f"{'; and '.join(reasons)}. --overwrite replaces them, another "
                "--output_path or --suffix keeps both."
            )
        if is_mixed:
            return []
        return choose(jobs, lambda job: self.look(job) == made.MISSING, waiting)

    def note(self, job: Job) -> None:
        """Notes the state of a picture that is about to be read."""
        self._stamps[job] = made.stamp_source(job.source)

    def choose_target(self, job: Job, picture: Picture, size: tuple[int, int]) -> Path:
        """Chooses the file of a result: the job's target, or its fallback.

        `picture` is the one before enlarging, `size` that of the result.

        Raises:
            InputError: A file is in the way.
        """
        target = job.target
        if obstacle := find_obstacle(target, picture, size):
            target = job.fallback
            if refusal := self.refuse_fallback(job):
                raise InputError(f"{target}: {refusal}")
            warn(f"{job.source}: {obstacle}; the result becomes {target}.")
        if target.is_dir():
            raise InputError(f"{target}: is a folder; move it away.")
        return target

    def add(self, job: Job, target: Path, is_flat: bool, written: Path) -> None:
        """Finishes a result: sets its time, and records how it was made.

        `is_flat` is whether its transparency was replaced by the background, `written`
        the file until it is renamed to the target.
        """
        if self.output.keep_times:
            # Before the record, which holds the time.
            stat = job.source.stat()
            os.utime(written, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        maker, source = self._tell_maker(target, is_flat), self._stamps.pop(job)
        self.made.add(target, maker, source, written)

    def refuse_fallback(self, job: Job) -> str | None:
        """Says why a job's fallback would overwrite another file; None if not."""
        if job in self.refusals:
            return self.refusals[job]
        if self.is_taken(job.fallback):
            return "is that of another picture; rename one of them."
        if self.output.overwrite or not job.fallback.exists():
            return None
        return None if self._is_in_fallback(job) else "exists; --overwrite replaces it."

    def look(self, job: Job) -> str:
        """Returns the state of a job's result; see `console.made.Made.look`."""
        state = self._look(job)
        lacks_crops = self.output.compare and not job.comparison.is_file()
        return made.MISSING if state == made.FINISHED and lacks_crops else state

    def _look(self, job):
        target = job.target
        # Too large a result of an earlier run; only then is there such a file.
        is_limited = find_format(target).most is not None
        if is_limited and not target.exists() and self._is_in_fallback(job):
            return made.FINISHED
        state = self.made.look(job.source, target, self._tell_maker(target))
        if state == made.OTHERWISE and self.output.background is not None:
            # Whether a picture was transparent is known only from the record.
            flat = self._tell_maker(target, is_flat=True)
            state = self.made.look(job.source, target, flat)
        return state

    def _is_in_fallback(self, job):
        maker = self._tell_maker(job.fallback)
        return self.made.look(job.source, job.fallback, maker) == made.FINISHED

    def _tell_maker(self, target, is_flat=False):
        quality = f" --jpeg_quality={self.output.jpeg_quality}"
        background = f" --background={self.output.background}"
        has_quality = find_format(target).has_quality
        flags = " --strip_metadata" * self.output.strip_metadata
        flags += " --mark" * self.output.mark
        return f"{self.way}{quality * has_quality}{background * is_flat}{flags}"

    def _tell(self, state, job, others):
        """Explains why results in one state do not count as done."""
        named = f"{job.target}{f' (and {others} more)' * bool(others)}, made"
        if state == made.UNKNOWN:
            return f"{named} by an unknown program"
        if state == made.CHANGED:
            return f"{named} before {job.source} changed"
        before = self.made.tell_maker(job.target) or "an unknown program"
        was_flat = " --background=" in before and self.output.background is not None
        return (
            f"{named} by {before} instead of {self._tell_maker(job.target, was_flat)}"
        )
