"""Reads, enlarges and writes many pictures, and reports the results."""

import concurrent.futures
import contextlib
import errno
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from console.cluster_messages import Unseen
from console.errors import InputError
from console.prefetch import Prefetch
from console.progress import Progress, say, to_line, warn
from imaging import faults
from imaging.animations import ANIMATED, count_frames
from imaging.decoding import read_size
from imaging.files import save_image, to_rgb
from imaging.pictures import load_picture
from imaging.saving import check_alpha, find_format, fit_frames, save_picture
from reports.comparing import draw_comparison
from upscaling.budget import Tiler
from upscaling.choosing import Enlargers
from upscaling.naming import Job
from upscaling.results import Results

MakesProgress = Callable[..., contextlib.AbstractContextManager[Progress]]
# Errors of the system that concern one picture only.
_ITS_OWN_FAULTS = (
    *(errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL),
    *(errno.EEXIST, errno.ENOTDIR, errno.ELOOP),
)


class Writer:
    """Writes one result at a time, in a thread that ends with the `with` block."""

    def __init__(self) -> None:
        """Starts the thread."""
        self.pool = concurrent.futures.ThreadPoolExecutor(1, "writer")
        self.future: concurrent.futures.Future | None = None

    def put(self, write: Callable[[], None], is_light: bool) -> None:
        """Waits for the previous result, then starts to write this result.

        A result that is not light may not be in memory while other work goes on, so
        this waits until it is written. An exception of `write` is raised by the wait.
        """
        self._wait()
        self.future = self.pool.submit(write)
        if not is_light:
            self._wait()

    def _wait(self):
        future, self.future = self.future, None
        if future is not None:
            future.result()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Waits for the last result, and raises what its `write` raised."""
        with self.pool:
            if kind is None:
                self._wait()


class Run:
    """A run over all pictures."""

    def __init__(
        self,
        waiting: Sequence[Job],
        results: Results,
        enlargers: Enlargers,
        tiler: Tiler,
        looks_for_faults: bool = False,
    ):
        """Takes the jobs and the objects that do them.

        `looks_for_faults` is whether to name pictures that look degraded.
        """
        self.looks_for_faults = looks_for_faults
        self.degraded: dict[Path, list[str]] = {}
        self.waiting, self.results = waiting, results
        self.enlargers, self.tiler = enlargers, tiler
        # Of the network's output.
        self.pixels = {job: count_pixels(job, self._count_output) for job in waiting}
        # The file of each result, and why pictures were left out.
        self.written: dict[Job, Path] = {}
        self.left_out: dict[Job, str] = {}

    def take(self, make_progress: MakesProgress = Progress) -> None:
        """Reads, enlarges and writes all pictures; leaves out those that fail.

        An exception of the progress's `advance` ends the run within a tile.
        """
        total = sum(self.pixels.values())
        with make_progress(total, "Upscaling", "pixel", in_millions=True) as progress:
            self.take_all(progress)

    def take_all(self, progress: Progress | Unseen) -> None:
        """Works like `take` with a progress of the caller's."""
        reader = Prefetch(self._load, self.waiting, 1, 1, self._is_light)
        with Writer() as writer, reader:
            for job, wait in reader:
                end = progress.done + self.pixels[job]
                with self._or_left_out(job):
                    self._take_one(job, wait, writer, progress)
                progress.advance(end - progress.done)
                del wait  # It holds the picture.

    def tell(self) -> int | None:
        """Reports the results, and returns the exit status; None for success."""
        left_out = [job for job in self.waiting if job in self.left_out]
        way = self.enlargers.describe()
        return tell(left_out, len(self.waiting), way, self.degraded)

    def _load(self, job):
        self.results.note(job)
        return load_picture(job.source, job.page)

    def _take_one(self, job, wait, writer, progress):
        picture = wait()
        if self.looks_for_faults and (
            found := faults.find_faults(job.source, picture.pixels)
        ):
            self.degraded[job.source] = found
        output = self.results.output
        enlarger = self.enlargers.choose(picture.size)
        size = enlarger.find_size(picture.size)
        target = self.results.choose_target(job, picture, size)
        picture = fit_frames(target, picture, job.source)
        if output.background is None:
            check_alpha(target, picture, job.source)
        tiling = self.tiler.tile(enlarger, picture, job.source)
        result = enlarger.enlarge(picture, tiling, progress.advance)

        def save():
            with self._or_left_out(job):
                if output.compare:
                    # Before the result: once it exists, the picture counts as done.
                    lr, sr = to_rgb(picture.pixels), to_rgb(result.pixels)
                    drawn = draw_comparison(lr, sr, enlarger.scale)
                    save_image(job.comparison, drawn)
                final = output.finish(result, target, self.results.way)
                is_flat = result.has_transparency() and final.alpha is None
                finish = functools.partial(self.results.add, job, target, is_flat)
                save_picture(target, final, output.jpeg_quality, finish)
                self.written[job] = target
                height, width = picture.size
                say(to_line(f"{job.source} ({width}x{height}) -> {target}"))

        # The later frames of an animation are enlarged while it is written.
        writer.put(save, picture.animation is None and self._is_light(job))

    @contextlib.contextmanager
    def _or_left_out(self, job):
        """Leaves a picture out if an error concerns it alone."""
        try:
            yield
        except (InputError, MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _ITS_OWN_FAULTS:
                raise
            self.left_out[job] = _describe(error, job)
            warn(f"left out: {self.left_out[job]}")

    def _count_output(self, size):
        return self.enlargers.choose(size).count_pixels(size)

    def _is_light(self, job):
        """Whether a picture and its result may be in memory beside another's."""
        # 8 bytes per pixel: RGBA of 16 bits, or of 8 bits with a copy.
        return self.tiler.is_light(8 * self.pixels[job])


def count_pixels(job: Job, count: Callable[..., int] = math.prod) -> int:
    """Counts the pixels of all frames of a picture by its header; 0 if it is bad.

    `count` returns those of a frame of (height, width).
    """
    try:
        is_animated = find_format(job.target).name in ANIMATED
        frames = count_frames(job.source) if is_animated else 1
        return frames * count(read_size(job.source, job.page))
    except InputError:
        return 0


def tell(
    left_out: Sequence[Job], count: int, way: str, degraded: dict[Path, list[str]]
) -> int | None:
    """Reports the results of a run, and returns the exit status; None for success.

    `left_out` are the jobs that failed of `count`, `way` is `Enlargers.describe`, and
    `degraded` has the faults of pictures that look degraded.
    """
    say(f"Upscaled {count - len(left_out)} of {count} pictures {way}.")
    faults.tell(degraded)
    if not left_out:
        return None
    say("Left out, for the reasons above:")
    for job in left_out:
        say(to_line(f"  {job.source}"))
    return 1


def _describe(error, job):
    """Describes the error of a picture, beginning with its path."""
    if isinstance(error, MemoryError):
        return (
            f"{job.source}: out of memory with the smallest tiles; close other "
            "programs, or cut the picture into pieces."
        )
    if isinstance(error, OSError):
        return f"{job.source}: {error.filename}: {error.strerror}."
    path = str(job.source), str(job.target)
    return str(error) if str(error).startswith(path) else f"{job.source}: {error}"
