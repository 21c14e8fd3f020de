"""What the downscaling helpers share: pairing files, checks, several processes."""

import functools
import multiprocessing
import os
import signal
import sys
from pathlib import Path

from absl import flags

from console import app
from console.errors import InputError, name_some
from console.flags import define_count
from console.progress import say, track
from imaging.files import list_images, load_image, save_image


def define_path_flags():
    """Declares `--input_path` and `--output_path`."""
    flags.DEFINE_string("input_path", None, "Folder of the HR images.")
    flags.DEFINE_string("output_path", None, "Folder to write the LR images to.")


def define_single_scale_flags():
    """Declares the flags of a helper that makes one scale."""
    define_path_flags()
    define_count("scale", 2, "By how much to downscale.", least=2)


def downscale_folder(downscale, num_processes=None):
    """Downscales `--input_path` to `--output_path` by `--scale`.

    Args:
        downscale: As of `downscale_all`.
        num_processes: As of `downscale_all`.
    """
    app.require("input_path", "output_path")
    pairs = pair_paths(flags.FLAGS.input_path, flags.FLAGS.output_path)
    jobs = [(*pair, flags.FLAGS.scale) for pair in pairs]
    downscale_all(jobs, downscale, num_processes)


def pair_paths(input_path, output_path):
    """Pairs each image of a folder with the PNG file that it becomes.

    Args:
        input_path: Folder of images.
        output_path: Folder of the results.

    Returns:
        list of (Path, Path).

    Raises:
        InputError: Two images would become the same file, or one would replace itself.
    """
    pairs = [
        (path, Path(output_path) / f"{path.stem}.png")
        for path in list_images(input_path, "--input_path")
    ]
    by_target = {}
    for source, target in pairs:
        by_target.setdefault(target, []).append(source.name)
    twice = [names for names in by_target.values() if len(names) > 1]
    if twice:
        raise InputError(
            f"--input_path={input_path}: {' and '.join(twice[0])} would both become "
            f"{Path(twice[0][0]).stem}.png; rename or remove one."
        )
    if Path(output_path).resolve() == Path(input_path).resolve():
        raise InputError(
            f"--output_path={output_path} is the --input_path; give another folder."
        )
    return pairs


def downscale_all(jobs, downscale, num_processes=None):
    """Downscales files that are not there yet, in several processes.

    Args:
        jobs: list of (source, target, scale).
        downscale: From uint8 (H, W, 3) and a scale to the smaller image; a function
            of a module, so that other processes find it.
        num_processes: How many; all processors if None.

    Raises:
        InputError: An image is damaged or too small; what is finished stays.
    """
    waiting = [job for job in jobs if not job[1].exists()]
    work = functools.partial(_downscale_file, downscale)
    count = min(num_processes or os.cpu_count(), max(len(waiting), 1))
    broken = []
    with _Workers(count) as workers:
        results = workers.map(work, waiting)
        for error in track(results, len(waiting), "Downscaling"):
            if error:
                broken.append(error)
    written, kept = len(waiting) - len(broken), len(jobs) - len(waiting)
    folders = dict.fromkeys(target.parent for _, target, _ in jobs)
    say(f"Wrote {written}, kept {kept} that were there: {name_some(folders)}")
    if broken:
        raise InputError(name_some(sorted(set(broken)), 3))


def _downscale_file(downscale, job):
    """Downscales one file; returns the error's text, or None."""
    source, target, scale = job
    try:
        image = load_image(source)
        if min(image.shape[:2]) < scale:
            height, width = image.shape[:2]
            raise InputError(f"{source}: {width}x{height} is too small for x{scale}.")
        save_image(target, downscale(image, scale))
    except InputError as error:
        return str(error)
    return None


class _Workers:
    """Some processes, or none at all for a single one."""

    def __init__(self, count):
        self.pool = None
        if count > 1:
            # Not forked: a forked child of a process with threads may hang. A child
            # inherits that Ctrl-C is ignored, and leaves it to the parent.
            context = multiprocessing.get_context("spawn")
            previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.pool = context.Pool(count, _tidy_up_when_ended)
            signal.signal(signal.SIGINT, previous)

    def map(self, function, things):
        """Yields results as they come."""
        if self.pool is None:
            return map(function, things)
        return self.pool.imap_unordered(function, things)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if self.pool is not None:
            # Workers that are still starting would complain if they were ended.
            if error is None:
                self.pool.close()
            else:
                self.pool.terminate()
            self.pool.join()


def _tidy_up_when_ended():
    """Lets a worker that the parent ends remove what it was writing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
