"""Keeps track of results: which exist, how they were made, and which are to be made."""

import os
from pathlib import Path

from console import made
from console.errors import InputError
from console.progress import say, warn
from imaging.pictures import Picture
from imaging.saving import find_format, find_obstacle
from upscaling.jobs import Job, Output


class Results:
    """Keeps track of existing results and how they were made.

    Attributes:
        kept: Jobs whose existing result was made in another way.
    """

    def __init__(self, output: Output, way: str):
        """Reads the records of earlier runs.

        Args:
            output: The output settings.
            way: How results are made now: the weights and the flags.
        """
        self.output, self.way = output, way
        self.made = made.Made(output.folder)
        self.kept: list[Job] = []
        self._taken: set[Path] = set()
        self._own_fallbacks: set[Path] = set()

    def find_waiting(self, jobs: list[Job]) -> list[Job]:
        """Finds the jobs to be done, and reports the others.

        Args:
            jobs: All jobs.

        Returns:
            The jobs without a result, or all jobs if results are overwritten. Empty if
            some results were made in another way, so that a folder does not mix both.
        """
        self._taken = {path for job in jobs for path in (job.source, job.target)}
        by_state: dict[str, list[Job]] = {}
        for job in jobs:
            state = self._look(job)
            lacks_comparison = self.output.compare and not job.comparison.is_file()
            if state == made.FINISHED and lacks_comparison:
                state = made.MISSING
            by_state.setdefault(state, []).append(job)
        if self.output.overwrite:
            return jobs
        finished = by_state.pop(made.FINISHED, [])
        waiting = by_state.pop(made.MISSING, [])
        if finished:
            say(
                f"Kept {len(finished)} of {len(jobs)} results of an earlier run; "
                "--overwrite replaces them."
            )
        is_mixed = made.OTHERWISE in by_state
        self.kept = [job for some in by_state.values() for job in some]
        if self.kept:
            left = len(self.kept) + is_mixed * len(waiting)
            reasons = (self._tell(state, *some) for state, some in by_state.items())
            warn(
                f"not made: {left} of {len(jobs)} results. Already there: "
                f"{'; and '.join(reasons)}. --overwrite replaces them, another "
                "--output_path or --suffix keeps both."
            )
        return [] if is_mixed else waiting

    def choose_target(self, job: Job, picture: Picture, size: tuple[int, int]) -> Path:
        """Chooses the file of a result: the job's target, or its fallback.

        Args:
            job: The job.
            picture: The picture before enlarging.
            size: (height, width) of the result.

        Raises:
            InputError: A file is in the way.
        """
        target = job.target
        if obstacle := find_obstacle(target, picture, size):
            target = job.fallback
            self._check_free(target)
            warn(f"{job.source}: {obstacle}; the result becomes {target}.")
        if target.is_dir():
            raise InputError(f"{target}: is a folder; move it away.")
        return target

    def add(self, job: Job, target: Path, is_flat: bool, written: Path) -> None:
        """Finishes a result: sets its time, and records how it was made.

        Args:
            job: The job.
            target: The result's file.
            is_flat: Whether the picture's transparency was replaced by the background.
            written: See `console.made.Made.add`.
        """
        if self.output.keep_times:
            # Before the record, which holds the time.
            stat = job.source.stat()
            os.utime(written, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.made.add(target, self._tell_maker(target, is_flat), written)

    def _check_free(self, fallback):
        """Refuses a fallback that would overwrite another file."""
        if fallback in self._taken:
            raise InputError(
                f"{fallback}: is that of another picture; rename one of them."
            )
        is_mine = self.output.overwrite or fallback in self._own_fallbacks
        if fallback.exists() and not is_mine:
            raise InputError(f"{fallback}: exists; --overwrite replaces it.")

    def _look(self, job):
        """Returns the state of a job's result; see `console.made.Made.look`."""
        target = job.target
        # Too large a result of an earlier run; only then is there such a file.
        if find_format(target).most is not None and not target.exists():
            maker = self._tell_maker(job.fallback)
            state = self.made.look(job.source, job.fallback, maker)
            if state == made.FINISHED:
                self._own_fallbacks.add(job.fallback)
                return state
        state = self.made.look(job.source, target, self._tell_maker(target))
        if state == made.OTHERWISE and self.output.background is not None:
            # Whether a picture was transparent is known only from the record.
            flat = self._tell_maker(target, is_flat=True)
            state = self.made.look(job.source, target, flat)
        return state

    def _tell_maker(self, target, is_flat=False):
        quality = f" --jpeg_quality={self.output.jpeg_quality}"
        background = f" --background={self.output.background}"
        has_quality = find_format(target).has_quality
        flags = " --strip_metadata" * self.output.strip_metadata
        flags += " --mark" * self.output.mark
        return f"{self.way}{quality * has_quality}{background * is_flat}{flags}"

    def _is_flat(self, job):
        """Whether a background is given, and an earlier run used one."""
        before = self.made.tell_maker(job.target) or ""
        return self.output.background is not None and " --background=" in before

    def _tell(self, state, job, *others):
        """Explains why results in one state do not count as done."""
        more = f" (and {len(others)} more)" * bool(others)
        return {
            made.UNKNOWN: f"{job.target}{more}, made by an unknown program",
            made.OTHERWISE: (
                f"{job.target}{more}, made by {self.made.tell_maker(job.target)} "
                f"instead of {self._tell_maker(job.target, self._is_flat(job))}"
            ),
            made.CHANGED: f"{job.target}{more}, made before {job.source} changed",
        }[state]
