"""Takes many pictures through a network: reads, enlarges, writes, and says so."""

import contextlib
import errno
import functools

from console.errors import InputError
from console.progress import Progress, say, warn
from imaging.files import read_size, save_image, to_rgb
from imaging.pictures import load_picture
from imaging.saving import check_fits, save_picture
from reports.comparing import draw_comparison
from upscaling.pipeline import overlapped

# Of what the system may refuse, what another picture need not meet.
_ITS_OWN_FAULTS = (
    *(errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL),
    *(errno.EEXIST, errno.ENOTDIR, errno.ELOOP),
)


class Run:
    """All pictures on their way to their results."""

    def __init__(self, waiting, results, enlarger, tiler):
        """Takes what is to be done and with what.

        Args:
            waiting: list of `upscaling.jobs.Job`.
            results: `upscaling.jobs.Results`.
            enlarger: `upscaling.enlarging.Enlarger`.
            tiler: `upscaling.choosing.Tiler`.
        """
        self.waiting, self.results = waiting, results
        self.enlarger, self.tiler = enlarger, tiler
        self.sizes = {job: _find_size(job) for job in waiting}
        self.left_out = set()

    def take(self):
        """Reads, enlarges and writes; leaves out what cannot be."""
        pixels = sum(map(self.enlarger.count_pixels, self.sizes.values()))
        with (
            Progress(pixels, "Upscaling", "pixel", in_millions=True) as progress,
            overlapped(
                lambda job: load_picture(job.source), self.waiting, self._is_light
            ) as (reader, writer),
        ):
            for job, wait in reader:
                end = progress.done + self.enlarger.count_pixels(self.sizes[job])
                with self._or_left_out(job):
                    self._take_one(job, wait, writer, progress)
                progress.advance(end - progress.done)
                del wait  # It holds the picture.

    def tell(self):
        """Says what was done; returns the exit status."""
        done = len(self.waiting) - len(self.left_out)
        of_all = f"{done} of {len(self.waiting)} pictures"
        say(f"Upscaled {of_all} by {self.enlarger.scale}.")
        if not self.left_out:
            return None
        say("Left out, for the reasons above:")
        for job in self.waiting:
            if job in self.left_out:
                say(f"  {job.source}")
        return 1

    def _take_one(self, job, wait, writer, progress):
        picture = wait()
        if job.target.is_dir():
            raise InputError(f"{job.target}: is a folder; move it away.")
        check_fits(
            job.target,
            self.enlarger.find_size(picture.size),
            picture.has_transparency(),
        )
        tiling = self.tiler.tile(self.enlarger, picture, job.source)
        result = self.enlarger.enlarge(picture, tiling, progress.advance)
        save = functools.partial(self._save, job, picture, result)
        writer.put(save, self._is_light(job))

    def _save(self, job, picture, result):
        """Writes a result and says so."""
        with self._or_left_out(job):
            output = self.results.output
            if output.compare:
                # Before the result, with which this picture counts as done.
                lr, sr = to_rgb(picture.pixels), to_rgb(result.pixels)
                save_image(job.comparison, draw_comparison(lr, sr, self.enlarger.scale))
            finish = functools.partial(self.results.add, job)
            save_picture(job.target, result, output.jpeg_quality, finish)
            height, width = picture.size
            say(f"{job.source} ({width}x{height}) -> {job.target}")

    @contextlib.contextmanager
    def _or_left_out(self, job):
        """Goes on without a picture if the fault is its own."""
        try:
            yield
        except (InputError, MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _ITS_OWN_FAULTS:
                raise
            warn(f"left out: {_describe(error, job)}")
            self.left_out.add(job)

    def _is_light(self, job):
        """Whether a picture and its result may be held beside another's."""
        # Of RGBA, 16 bits and a copy they may be.
        held = 8 * self.enlarger.count_pixels(self.sizes[job])
        return self.tiler.budget.is_light(held)


def _find_size(job):
    """(height, width) as the file says it; none of one that cannot be read."""
    try:
        return read_size(job.source)
    except InputError:
        return (0, 0)


def _describe(error, job):
    """What is wrong with a picture, its path first."""
    if isinstance(error, MemoryError):
        return (
            f"{job.source}: out of memory with the smallest tiles; close other "
            "programs or cut it into pieces."
        )
    if isinstance(error, OSError):
        return f"{job.source}: {error.filename}: {error.strerror}."
    path = str(job.source), str(job.target)
    return str(error) if str(error).startswith(path) else f"{job.source}: {error}"
