"""What the downscaling helpers share: pairing files, checks, several processes."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np

from console.errors import InputError, name_some
from console.files import check_target
from console.made import CHANGED, FINISHED, MISSING, UNKNOWN, Made
from console.progress import say, track
from console.settings import PathName, Settings, option
from dataloaders.sources import scale_of_folder
from imaging.files import alpha_noted, load_image, save_image, warn_of_alpha
from imaging.listing import find_images


@dataclasses.dataclass(frozen=True)
class DownscaleSettings(Settings):
    """What is downscaled, and where to."""

    input_path: PathName = option(None, "Folder of the HR images.", is_required=True)
    output_path: PathName = option(None, "Folder of the LR images.", is_required=True)


@dataclasses.dataclass(frozen=True)
class SingleScaleSettings(DownscaleSettings):
    """Of a helper that makes one scale."""

    scale: int = option(2, "By how much to downscale.", least=2)


def downscale_folders(input_path, folders, downscale, maker, num_processes=None):
    """Downscales what was not made yet, or was made from what has changed since.

    Files that are there without `console.made` knowing them are compared with what
    would be made: the same pixels are kept, and anything else is an error.

    Args:
        input_path: Folder of the HR images, looked through to the bottom.
        folders: From a scale to the folder of its results, in which they lie as their
            images do in theirs.
        downscale: From uint8 (H, W, 3) and a scale to the smaller image; a function
            of a module, so that other processes find it.
        maker: The script, with whatever else its result depends on.
        num_processes: How many; all processors if None.

    Raises:
        InputError: An image is damaged or too small, two would become the same file,
            or a file that is there was made otherwise; what is finished stays.
    """
    jobs = _plan_jobs(input_path, folders)
    makers = {target.parent: f"{maker} at x{scale}" for _, target, scale in jobs}
    made = {folder: Made(folder) for folder in makers}
    for folder, known in made.items():
        known.check_makers(makers[folder])
    found = collections.defaultdict(list)
    for job in jobs:
        source, target, _ = job
        state = made[target.parent].look(source, target, makers[target.parent])
        found[state].append(job)
    unknown, to_make = found[UNKNOWN], found[MISSING] + found[CHANGED]
    for folder in dict.fromkeys(target.parent for _, target, _ in unknown + to_make):
        check_target(folder, "--output_path", is_folder=True)

    def work(act, some, what):
        """Does something with each image; returns what went wrong, a list of str."""
        errors = []
        outcomes = map_all(functools.partial(_work, act, downscale), some)
        for target, error, alpha in track(outcomes, len(some), what):
            if alpha:
                warn_of_alpha(alpha)
            if error:
                errors.append(error)
            else:
                made[target.parent].add(target, makers[target.parent])
        return errors

    count = min(num_processes or os.cpu_count(), len(unknown + to_make) or 1)
    with _mapping(count) as map_all:
        # These first, so that nothing is mixed with what somebody else has made.
        not_compared = work(_check_same, unknown, "Comparing")
        not_made = work(_save, to_make, "Downscaling")
    kept = len(unknown + found[FINISHED]) - len(not_compared)
    _tell(len(to_make) - len(not_made), kept, not_compared + not_made, makers)


def _plan_jobs(input_path, folders):
    """Finds the images of a folder and names the PNG files that they become.

    Returns:
        list of (source, target, scale): Two Paths and an int.

    Raises:
        InputError: Two images would become the same file, or one would replace itself.
    """
    by_name = {}
    for source in _find_images(Path(input_path), list(map(Path, folders.values()))):
        name = source.relative_to(input_path).with_name(f"{source.stem}.png")
        by_name.setdefault(name, []).append(source)
    for name, sources in by_name.items():
        if len(sources) > 1:
            names = " and ".join(source.name for source in sources)
            raise InputError(
                f"--input_path={input_path}: {names} would both become {name}; rename "
                "or remove one."
            )
    for folder in folders.values():
        if Path(folder).resolve() == Path(input_path).resolve():
            raise InputError(
                f"--output_path={folder} is the --input_path; give another folder."
            )
    return [
        (source, Path(folder) / name, scale)
        for scale, folder in folders.items()
        for name, (source,) in by_name.items()
    ]


def _find_images(input_path, results):
    """Finds the images of a folder and below it; says what is not among them.

    Args:
        input_path: The folder.
        results: Folders of results, which are passed over, as is any of LR images.
    """
    above = [folder.parent for folder in results if scale_of_folder(folder.name)]
    passed = {folder.resolve() for folder in (*results, *above)}
    found = find_images(
        input_path,
        "--input_path",
        is_passed=lambda folder: (
            Path(folder).resolve() in passed
            or bool(scale_of_folder(os.path.basename(folder)))
        ),
    )
    if rest := found.describe_rest():
        say(f"Left out of {input_path}: {rest}.")
    return found.images


def _tell(written, kept, errors, folders):
    """Says what was done.

    Raises:
        InputError: Something was not.
    """
    if written or kept:
        names = name_some([folder for folder in folders if folder.is_dir()])
        say(f"Wrote {written}, kept {kept} that were there: {names}")
    if errors:
        more = f" ({len(errors)} could not be downscaled)" if errors[1:] else ""
        raise InputError(f"{min(errors)}{more}")


def _work(act, downscale, job):
    """Makes the LR image of one file and does something with it.

    Args:
        act: Called with the job and the image.
        downscale: As of `downscale_folders`.
        job: As of `_plan_jobs`.

    Returns:
        (Path, str, str): The target; why its image could not be made, None if it could;
        and the source, if its transparency was dropped.
    """
    source, target, scale = job
    with alpha_noted() as noted:
        try:
            image = _make(downscale, source, scale)
        except InputError as error:
            return target, str(error), None
    act(job, image)
    return target, None, next(iter(noted), None)


def _save(job, image):
    _, target, _ = job
    save_image(target, image)


def _check_same(job, image):
    """Compares a file that is there with what would be made.

    Raises:
        InputError: It holds something else.
    """
    source, target, scale = job
    try:
        if np.array_equal(load_image(target), image):
            return
        found = "holds another image than"
    except InputError:
        found = "cannot be read and is not"
    raise InputError(
        f"{target} {found} {source} gives at x{scale}: something else made it, or it "
        "was made from another image. It is left as it is; remove it or give another "
        "--output_path."
    )


def _make(downscale, source, scale):
    """The LR image of one file.

    Raises:
        InputError: The file is damaged, or too small for the scale.
    """
    image = load_image(source)
    if min(image.shape[:2]) < scale:
        height, width = image.shape[:2]
        raise InputError(f"{source}: {width}x{height} is too small for x{scale}.")
    return downscale(image, scale)


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
