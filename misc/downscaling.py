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


def downscale_folder(
    input_path, output_path, scale, downscale, maker, num_processes=None
):
    """Downscales all images of a folder by one scale.

    Args:
        input_path: Folder of the HR images.
        output_path: Folder of the LR images.
        scale: By how much.
        downscale: As of `downscale_all`.
        maker: As of `downscale_all`.
        num_processes: As of `downscale_all`.
    """
    jobs = plan_jobs(input_path, {scale: output_path})
    downscale_all(jobs, downscale, maker, num_processes)


def plan_jobs(input_path, folders):
    """Finds the images of a folder and names the PNG files that they become.

    Args:
        input_path: Folder of images, looked through to the bottom.
        folders: From a scale to the folder of its results, in which they lie as their
            images do in theirs.

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


def downscale_all(jobs, downscale, maker, num_processes=None):
    """Downscales what was not made yet, or was made from what has changed since.

    Files that are there without `console.made` knowing them are compared with what
    would be made: the same pixels are kept, and anything else is an error.

    Args:
        jobs: list of (source, target, scale); a folder holds targets of one scale.
        downscale: From uint8 (H, W, 3) and a scale to the smaller image; a function
            of a module, so that other processes find it.
        maker: The script, with whatever else its result depends on.
        num_processes: How many; all processors if None.

    Raises:
        InputError: An image is damaged or too small, or a file that is there was made
            otherwise; what is finished stays.
    """
    folders = {target.parent: scale for _, target, scale in jobs}
    makers = {folder: f"{maker} at x{scale}" for folder, scale in folders.items()}
    made = {folder: Made(folder) for folder in folders}
    for folder, known in made.items():
        known.check_makers(makers[folder])
    found = collections.defaultdict(list)
    for job in jobs:
        source, target, _ = job
        folder = target.parent
        found[made[folder].look(source, target, makers[folder])].append(job)
    to_make = found[MISSING] + found[CHANGED]
    todo = found[UNKNOWN] + to_make
    for folder in dict.fromkeys(target.parent for _, target, _ in todo):
        check_target(folder, "--output_path", is_folder=True)
    count = min(num_processes or os.cpu_count(), max(len(todo), 1))
    broken = []
    with _mapping(count) as map_all:
        # These first, so that nothing is mixed with what somebody else has made.
        for function, some, what in (
            (_compare, found[UNKNOWN], "Comparing"),
            (_downscale_file, to_make, "Downscaling"),
        ):
            outcomes = map_all(functools.partial(function, downscale), some)
            broken += _remember(track(outcomes, len(some), what), made, makers)
    _tell(len(to_make), len(found[UNKNOWN] + found[FINISHED]), broken, folders)


def _remember(outcomes, made, makers):
    """Remembers what went well.

    Args:
        outcomes: Iterable of Outcome.
        made: From a folder to its `Made`.
        makers: From a folder to what makes its files.

    Returns:
        list of Outcome: What did not go well.

    Raises:
        InputError: A file that is there holds something else.
    """
    broken = []
    for outcome in outcomes:
        if outcome.alpha:
            warn_of_alpha(outcome.alpha)
        if outcome.is_foreign:
            raise InputError(outcome.error)
        if outcome.error:
            broken.append(outcome)
        else:
            folder = outcome.target.parent
            made[folder].add(outcome.target, makers[folder])
    return broken


def _tell(made, kept, broken, folders):
    """Says what was done.

    Raises:
        InputError: Something was not.
    """
    written = made - sum(not outcome.was_there for outcome in broken)
    kept -= sum(outcome.was_there for outcome in broken)
    if written or kept:
        names = name_some([folder for folder in folders if folder.is_dir()])
        say(f"Wrote {written}, kept {kept} that were there: {names}")
    if broken:
        more = f" ({len(broken)} could not be downscaled)" if broken[1:] else ""
        raise InputError(f"{min(outcome.error for outcome in broken)}{more}")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        target: The file.
        error: Why it could not be made or compared; None if it could.
        alpha: The source, if its transparency was dropped.
        was_there: Whether the file was there and was only to be compared.
        is_foreign: Whether it was there and holds something else.
    """

    target: Path
    error: str | None = None
    alpha: str | None = None
    was_there: bool = False
    is_foreign: bool = False


def _downscale_file(downscale, job):
    """Downscales one file."""
    source, target, scale = job
    with alpha_noted() as noted:
        try:
            save_image(target, _make(downscale, source, scale))
        except InputError as error:
            return Outcome(target, error=str(error))
    return Outcome(target, alpha=next(iter(noted), None))


def _compare(downscale, job):
    """Compares a file that is there with what would be made."""
    source, target, scale = job
    with alpha_noted() as noted:
        try:
            expected = _make(downscale, source, scale)
        except InputError as error:
            return Outcome(target, error=str(error), was_there=True)
    alpha = next(iter(noted), None)
    try:
        if np.array_equal(load_image(target), expected):
            return Outcome(target, alpha=alpha, was_there=True)
        found = "holds another image than"
    except InputError:
        found = "cannot be read and is not"
    error = (
        f"{target} {found} {source} gives at x{scale}: something else made it, or it "
        "was made from another image. It is left as it is; remove it or give another "
        "--output_path."
    )
    return Outcome(target, error=error, was_there=True, is_foreign=True)


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
