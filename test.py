r"""Upscales pictures.

    python test.py --model_name=model.pb --input_path=LR --output_path=SR --scale=4
    python test.py --restore_path=train --output_path=large --scale=2.5 holiday/*.jpg

Takes pictures and folders of pictures, of any kind and size, and writes the same kind.
"""

import contextlib
import errno
import functools

from absl import flags

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target
from console.flags import define_path, define_paths
from console.progress import Progress, say, warn
from imaging import limits
from imaging.comparing import draw_comparison
from imaging.files import read_size, save_image, to_rgb
from imaging.pictures import load_picture
from imaging.saving import check_fits, save_picture
from models import MODELS
from upscaling import jobs
from upscaling.pipeline import overlapped

with quiet.imports():
    from frozen.upscaler import Upscaler
    from models import opening
    from training import devices
    from training.options import StepOptions, define_precision
    from upscaling import choosing

FLAGS = flags.FLAGS
MODEL = Choice(
    "model",
    MODELS,
    None,
    "A model to take in place of a .pb file, with --restore_path.",
)
# Of what the system may refuse, what another picture need not meet.
ITS_OWN_FAULTS = (errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL)


def define_flags():
    """Declares the flags."""
    define_path("model_name", "model.pb", "The .pb file that freeze.py wrote.")
    opening.define_flags()
    define_precision()
    define_paths(
        "input_path",
        ["LR"],
        "A picture, or a folder that is looked through to the bottom; may be given "
        "again. What is no flag is taken for such a path, too.",
    )
    define_path("output_path", "SR", "Folder to write to.")
    jobs.define_flags()
    choosing.define_flags()
    limits.define_flag()
    flags.DEFINE_bool("use_gpu", False, "Whether to run on the GPU.")


def main():
    """Upscales every picture."""
    devices.choose("0" if FLAGS.use_gpu else "-1")
    limits.take_flag()
    check_target(FLAGS.output_path, "--output_path", is_folder=True)
    output = jobs.Output.from_flags(FLAGS.output_path)
    found = jobs.find_jobs(FLAGS.input_path, output)
    waiting = [job for job in found if output.overwrite or not job.is_done()]
    if len(waiting) < len(found):
        kept = f"{len(found) - len(waiting)} of {len(found)} results"
        say(f"Kept {kept}, which are there; --overwrite makes them anew.")
    if not waiting:
        return None
    enlarger = choosing.enlarger_from_flags(_open_from_flags())
    run = Run(waiting, output, enlarger, choosing.Tiler.from_flags())
    run.take()
    return run.tell()


class Run:
    """All pictures on their way to their results."""

    def __init__(self, waiting, output, enlarger, tiler):
        """Takes what is to be done and with what.

        Args:
            waiting: list of `upscaling.jobs.Job`.
            output: `upscaling.jobs.Output`.
            enlarger: `upscaling.enlarging.Enlarger`.
            tiler: `upscaling.choosing.Tiler`.
        """
        self.waiting, self.output = waiting, output
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
            if self.output.compare:
                # Before the result, with which this picture counts as done.
                lr, sr = to_rgb(picture.pixels), to_rgb(result.pixels)
                save_image(job.comparison, draw_comparison(lr, sr, self.enlarger.scale))
            save_picture(job.target, result, self.output.jpeg_quality)
            height, width = picture.size
            say(f"{job.source} ({width}x{height}) -> {job.target}")

    @contextlib.contextmanager
    def _or_left_out(self, job):
        """Goes on without a picture if the fault is its own."""
        try:
            yield
        except (InputError, MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in ITS_OWN_FAULTS:
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


def _open_from_flags():
    """The frozen file, or the model where one is asked for."""
    if FLAGS.model is None and FLAGS.restore_path is None:
        if FLAGS["precision"].present:
            raise InputError(
                "--precision is for a checkpoint, with --restore_path; a .pb file "
                "computes as it was frozen. Leave it out."
            )
        return Upscaler(FLAGS.model_name)
    if FLAGS["model_name"].present:
        raise InputError(
            "--model_name is a .pb file; give it, or --restore_path and --model, not "
            "both."
        )
    options = StepOptions(precision=FLAGS.precision)
    devices.warn_if_slow(options.precision)
    model, _ = opening.open_from_flags(FLAGS.model, options)
    return model


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,), paths_flag="input_path")
