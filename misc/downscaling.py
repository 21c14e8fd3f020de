"""What the downscaling helpers share: pairing files, checks, several processes."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import signal
from pathlib import Path

from absl import flags

from console import app
from console.errors import InputError, name_some
from console.flags import define_count, define_path
from console.progress import say, track
from imaging.files import list_images, load_image, read_size, save_image


def define_path_flags():
    """Declares `--input_path` and `--output_path`."""
    define_path("input_path", None, "Folder of the HR images.")
    define_path("output_path", None, "Folder to write the LR images to.")


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


def downscale_all(jobs, downscale, num_processes=None, size_of=None):
    """Downscales files that are missing or older than their source.

    Args:
        jobs: list of (source, target, scale).
        downscale: From uint8 (H, W, 3) and a scale to the smaller image; a function
            of a module, so that other processes find it.
        num_processes: How many; all processors if None.
        size_of: From the HR size (height, width) and a scale to the size that a file
            which is there must have; None for any.

    Raises:
        InputError: An image is damaged or too small, or a file that is there was made
            otherwise; what is finished stays.
    """
    waiting = [job for job in jobs if not _is_finished(*job, size_of)]
    work = functools.partial(_downscale_file, downscale)
    count = min(num_processes or os.cpu_count(), max(len(waiting), 1))
    broken = []
    with _mapping(count) as map_all:
        for error in track(map_all(work, waiting), len(waiting), "Downscaling"):
            if error:
                broken.append(error)
    written, kept = len(waiting) - len(broken), len(jobs) - len(waiting)
    folders = dict.fromkeys(target.parent for _, target, _ in jobs)
    say(f"Wrote {written}, kept {kept} that were there: {name_some(folders)}")
    if broken:
        more = f" ({len(broken)} could not be downscaled)" if broken[1:] else ""
        raise InputError(f"{min(broken)}{more}")


def _is_finished(source, target, scale, size_of):
    """Whether a file is there and newer than its source.

    Raises:
        InputError: It is of a size that downscaling would not give it now.
    """
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        return False
    if size_of is not None:
        expected, found = size_of(read_size(source), scale), read_size(target)
        if found != expected:
            raise InputError(
                f"{target} is {found[1]}x{found[0]}, but {source} gives "
                f"{expected[1]}x{expected[0]} now: it was made from another image or "
                "with another --rounding. Remove it or give another --output_path."
            )
    return True


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


@contextlib.contextmanager
def _mapping(count):
    """Yields a `map` that runs in some processes, or in this one for a single one.

    Raises:
        InputError: A process was ended from outside.
    """
    if count == 1:
        yield map
        return
    # Not forked: a forked child of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(count, context)

    def map_in_processes(function, things):
        # A child inherits that Ctrl-C is ignored, and leaves it to the parent.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        jobs = [pool.submit(function, thing) for thing in things]
        signal.signal(signal.SIGINT, previous)
        for job in concurrent.futures.as_completed(jobs):
            yield job.result()

    try:
        yield map_in_processes
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            "one of the processes was ended from outside, perhaps for want of memory. "
            "What is finished stays; run it again, or with --num_processes=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
