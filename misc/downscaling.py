"""Shared parts of the downscaling scripts: jobs, checks and processes."""

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from console.cluster_messages import Share, Worker
from console.errors import InputError, name_some
from console.files import check_target
from console.made import CHANGED, FINISHED, MISSING, UNKNOWN, Made
from console.progress import say
from console.settings import PathName, Settings, option
from console.spread import SpreadSettings
from dataloaders.sources import scale_of_folder
from imaging.files import warn_of_alpha
from imaging.listing import find_images
from misc.downscaling_work import (
    Downscale,
    Job,
    check_same,
    map_in_processes,
    map_on_cluster,
    save,
)


@dataclasses.dataclass(frozen=True)
class DownscaleSettings(Settings):
    """The folders of the images."""

    input_path: PathName = option(None, "Folder of the HR images.", is_required=True)
    output_path: PathName = option(None, "Folder of the LR images.", is_required=True)


@dataclasses.dataclass(frozen=True)
class SingleScaleSettings(DownscaleSettings):
    """Settings of a script that makes one scale."""

    scale: int = option(2, "Downscaling factor.", least=2)


def downscale_folders(
    input_path: Path | str,
    folders: Mapping[int, Path | str],
    downscale: Downscale,
    maker: str,
    num_processes: int | None = None,
    spread: SpreadSettings | None = None,
    make_worker: Callable[[Share], Worker] | None = None,
) -> None:
    """Downscales images without a result, and images that have changed since.

    Existing files without a record of `console.made` are compared with the new result:
    equal images are kept, other images are errors.

    Args:
        input_path: Folder of the HR images, searched at all depths.
        folders: From a scale to the folder of its results.
        downscale: From uint8 (H, W, 3), a scale and the image's path below its folder,
            without its ending, to the LR image; a function of a module, so that other
            processes can import it.
        maker: Name of the script, with all options that change its results.
        num_processes: Number of processes; None for the number of processors.
        spread: How processes and machines share the work.
        make_worker: The script's function that makes a `Downscaling` for --cluster.

    Raises:
        InputError: An image is damaged or too small, two images would become the same
            file, or an existing file differs. Finished images stay.
    """
    spread = spread or SpreadSettings()
    jobs = _plan_jobs(input_path, folders)
    makers = {job.target.parent: f"{maker} at x{job.scale}" for job in jobs}
    made = {folder: Made(folder, spread.writer) for folder in makers}
    for folder, known in made.items():
        known.check_makers(makers[folder])
    jobs = spread.take_share(jobs, lambda job: job.source.relative_to(input_path))
    found: dict[str, list] = collections.defaultdict(list)
    for job in jobs:
        folder = job.target.parent
        found[made[folder].look(job.source, job.target, makers[folder])].append(job)
    unknown, to_make = found[UNKNOWN], found[MISSING] + found[CHANGED]
    for folder in dict.fromkeys(job.target.parent for job in unknown + to_make):
        check_target(folder, "--output_path", is_folder=True)

    def work(act, some, what):
        """Calls `act` with each job and its LR image; returns the error messages."""
        errors = []
        for target, error, alpha, source in map_all(act, some, what):
            if alpha:
                warn_of_alpha(alpha)
            if error:
                errors.append(error)
            else:
                made[target.parent].add(target, makers[target.parent], source)
        return errors

    count = min(num_processes or os.cpu_count() or 1, len(unknown + to_make) or 1)
    if spread.cluster is None or not unknown + to_make:
        mapping = map_in_processes(count, downscale)
    else:
        mapping = map_on_cluster(
            spread, make_worker, input_path, next(iter(folders.values())), maker
        )
    with mapping as map_all:
        # Compare first, so that results are not mixed with files of other programs.
        not_compared = work(check_same, unknown, "Comparing")
        not_made = work(save, to_make, "Downscaling")
    kept = len(unknown + found[FINISHED]) - len(not_compared)
    _tell(len(to_make) - len(not_made), kept, not_compared + not_made, makers)


def _plan_jobs(input_path, folders):
    """Finds the images of a folder and names their results, PNG files."""
    by_name: dict[Path, list[Path]] = {}
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
                f"--output_path={folder} is also the --input_path; give another folder."
            )
    return [
        Job(source, Path(folder) / name, scale, name.with_suffix("").as_posix())
        for scale, folder in folders.items()
        for name, (source,) in by_name.items()
    ]


def _find_images(input_path, results):
    """Finds the images of a folder at all depths; reports other files.

    Folders of results are skipped, like all folders of LR images.
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
    """Reports the results; an InputError if an image could not be downscaled."""
    if written or kept:
        names = name_some([folder for folder in folders if folder.is_dir()])
        say(f"Wrote {written}, kept {kept} existing images: {names}")
    if errors:
        more = f" ({len(errors)} could not be downscaled)" if errors[1:] else ""
        raise InputError(f"{min(errors)}{more}")
