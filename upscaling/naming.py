"""Names results so that none takes the place of a picture or of another result."""

import collections
import dataclasses
import os
from pathlib import Path
from typing import Any

from console import made
from console.errors import InputError, name_some
from console.progress import say
from imaging.tiff_pages import find_pages

# For sources of an unknown ending.
DEFAULT_ENDING = ".png"
COMPARISON = ".compare.png"


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture and its result.

    Attributes:
        source: The picture's file.
        target: The result's file.
        page: Index of a TIFF's page; None for the first.
    """

    source: Path
    target: Path
    page: int | None = None

    @property
    def comparison(self) -> Path:
        """The file that shows crops of the picture and its result."""
        return self.target.with_name(f"{self.target.name}{COMPARISON}")

    @property
    def fallback(self) -> Path:
        """The file of a result that is too large for the target's format."""
        return self.target.with_name(f"{self.target.name}{DEFAULT_ENDING}")


# Jobs by the absolute path and the page of the picture.
Jobs = dict[tuple[str, int | None], Job]


def split_pages(job: Job) -> list[Job]:
    """Returns a job for each page of a TIFF; the job itself for other pictures."""
    pages = find_pages(job.source)
    digits, old = len(str(len(pages))), job.target
    names = (f"{old.stem}_p{i + 1:0{digits}}{old.suffix}" for i in range(len(pages)))
    return [
        Job(job.source, old.with_name(name), page)
        for name, page in zip(names, pages, strict=True)
    ] or [job]


def is_within(source: Path, output: Path, base: Path) -> bool:
    """Whether a picture lies in the folder of results inside the input folder."""
    output, base, source = map(_find_real, (output, base, source))
    is_inside = output != base and output.is_relative_to(base)
    return is_inside and source.is_relative_to(output)


def _find_real(path):
    """Resolves links; unlike `Path.resolve`, accepts a link to itself."""
    return Path(os.path.realpath(path))


def leave_results_out(jobs: Jobs, named: set[str], folder: Path) -> Jobs:
    """Leaves out results of this run and of earlier ones.

    Args:
        jobs: The jobs.
        named: Absolute paths of the inputs, which stay.
        folder: The folder of the results.
    """
    known, real_folder = made.Made(folder), _find_real(folder)

    def is_made(path):
        """Whether the records call a file a result, or crops beside a result."""
        real = _find_real(str(path).removesuffix(COMPARISON))
        if not real.is_relative_to(real_folder):
            return False
        return known.tell_maker(folder / real.relative_to(real_folder)) is not None

    def strip(path):
        """Removes the ending: a result may have another format."""
        return os.path.splitext(os.path.abspath(path))[0]

    results = {strip(job.target) for job in jobs.values()}
    results |= {strip(job.comparison) for job in jobs.values()}
    kept = {
        (path, page): job
        for (path, page), job in jobs.items()
        if path in named or not (strip(job.source) in results or is_made(job.source))
    }
    if len(kept) < len(jobs):
        count = len(jobs) - len(kept)
        say(f"Left out of the pictures: {count} results in {folder}.")
    return kept


def separate_folders(jobs: Jobs, folders: dict[str, Path], output: Path) -> Jobs:
    """Gives each input folder a folder of its own if files of two share a name.

    Args:
        jobs: The jobs.
        folders: The input folders, by the absolute paths of their pictures.
        output: The folder of the results.
    """
    owners: dict[Path, set[Path | None]] = {}
    for (path, _), job in jobs.items():
        owners.setdefault(_find_real(job.target), set()).add(folders.get(path))
    if all(len(some) == 1 for some in owners.values()):
        return jobs

    def separate(path, job):
        if path not in folders:
            return job
        own = output / folders[path].resolve().name
        target = own / job.target.relative_to(output)
        return dataclasses.replace(job, target=target)

    say(f"Files of several folders share a name; each folder has its own in {output}.")
    return {(path, page): separate(path, job) for (path, page), job in jobs.items()}


def set_apart(jobs: list[Job], suffix: str) -> list[Job]:
    """Renames results whose new ending makes them share a name: `photo.gif.png`."""
    counts = collections.Counter(_find_real(job.target) for job in jobs)

    def rename(job):
        old, new = job.source, job.target
        if counts[_find_real(new)] == 1 or old.suffix == new.suffix:
            return job
        name = f"{old.name}{suffix}{new.suffix}"
        return dataclasses.replace(job, target=new.with_name(name))

    return list(map(rename, jobs))


def check_targets(jobs: list[Job], output: Any) -> None:
    """Checks that no result would overwrite another result or a source.

    Args:
        jobs: The jobs.
        output: The `upscaling.jobs.Output`.
    """
    files: dict[Path, list[str]] = {}
    sources = {_find_real(job.source) for job in jobs}
    for job in jobs:
        for path in (job.target, job.comparison)[: 1 + output.compare]:
            real = _find_real(path)
            if real in sources:
                raise InputError(
                    f"--output_path={output.path}: would overwrite the input picture "
                    f"{path}; give another folder, or a --suffix."
                )
            files.setdefault(real, []).append(path.name)
        are_told_apart = output.suffix or output.file is not None
        if not are_told_apart and _find_real(job.target.parent) == _find_real(
            job.source.parent
        ):
            raise InputError(
                f"--output_path={output.path}: holds the input picture {job.source}; "
                "give another folder, or a --suffix that marks the results."
            )
    twice = [names[0] for names in files.values() if len(names) > 1]
    if twice:
        raise InputError(
            f"--output_path={output.path}: several pictures would be written to "
            f"{name_some(sorted(twice))}; rename or separate them."
        )
