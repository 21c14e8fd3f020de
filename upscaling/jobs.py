"""Finds the pictures to enlarge, and names their results."""

import collections
import contextlib
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import ImageColor

from console.errors import InputError, name_some
from console.files import check_target
from console.progress import say
from console.settings import PathName, Settings, option
from imaging.files import read_size
from imaging.kinds import RESULT_ENDINGS
from imaging.listing import list_pictures
from imaging.plugins import use
from imaging.saving import FORMATS, JPEG_QUALITY, find_format

SAME = "same"
# For sources of an unknown ending.
DEFAULT_ENDING = ".png"
COMPARISON = ".compare.png"


@dataclasses.dataclass(frozen=True)
class Output(Settings):
    """The folder and the format of results; subfolders match those of the pictures."""

    path: PathName | Path = option(
        "SR",
        "Folder to write to; for one picture also a file, for example large.png.",
        flag="output_path",
    )
    output_format: str = option(
        SAME,
        "Format of the results; same keeps each picture's own.",
        choices=(SAME, *FORMATS),
    )
    jpeg_quality: int = option(
        JPEG_QUALITY,
        "Quality of JPEG results, and of WebP results unless the picture is lossless, "
        "1 to 100.",
        most=100,
    )
    background: str | None = option(
        None,
        "Colour behind transparent pictures in formats without transparency (JPEG), "
        "for example white or #ffcc00; otherwise such pictures are left out.",
    )
    suffix: str = option(
        "", "Suffix of the results' names, for example _x4: photo_x4.jpg."
    )
    keep_times: bool = option(
        False, "Give each new result the time of its picture's last change."
    )
    overwrite: bool = option(
        False, "Replace existing results; otherwise they are kept."
    )
    strip_metadata: bool = option(
        False,
        "Leave out EXIF with its place, XMP, IPTC and texts; colour profiles stay.",
    )
    mark: bool = option(
        False, "Add the program, the model and the scale to the software in the EXIF."
    )
    compare: bool = option(
        False,
        "Write FILE.compare.png beside each new result: crops of the input, bicubic "
        "and the result, where the last two differ most.",
    )

    @property
    def file(self) -> Path | None:
        """The file of the only result; None if the path is that of a folder."""
        path = Path(self.path)
        is_folder = str(self.path).endswith(("/", os.sep)) or path.is_dir()
        return path if path.suffix.lower()[1:] in FORMATS and not is_folder else None

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        return Path(self.path) if self.file is None else self.file.parent

    def check(self) -> None:
        """See `Settings.check`."""
        check_target(self.path, "--output_path", is_folder=self.file is None)
        if self.file is not None:
            self._check_file(self.file)
        self.find_background()
        if self.file is not None:
            use(find_format(self.file).name, f"--output_path={self.path}")
        elif self.output_format != SAME:
            name = FORMATS[self.output_format].name
            use(name, f"--output_format={self.output_format}")
        if Path(f"a{self.suffix}").name != f"a{self.suffix}":
            raise InputError(f"--suffix={self.suffix}: expected a part of a file name.")

    def find_background(self) -> tuple[int, int, int] | None:
        """Returns RGB of the background, 0 to 255; None for none.

        Raises:
            InputError: It is not a colour.
        """
        if self.background is None:
            return None
        with contextlib.suppress(ValueError):
            colour = ImageColor.getrgb(self.background)
            if len(colour) == 3:
                return colour
        raise InputError(
            f"--background={self.background}: expected a colour, for example white or "
            "#ffcc00."
        )

    def _check_file(self, file):
        """Refuses flags that have no effect on a named file."""
        is_other = self.output_format != SAME and (
            FORMATS[self.output_format] is not find_format(file)
        )
        for flag, is_given in (("output_format", is_other), ("suffix", self.suffix)):
            if is_given:
                raise InputError(
                    f"--output_path={file} names a file; leave --{flag} out, or give "
                    "a folder."
                )

    def name(self, relative: Path) -> Path:
        """Returns a result's file, given the picture's path below its folder."""
        if self.file is not None:
            return self.file
        ending = relative.suffix
        if self.output_format != SAME:
            ending = f".{self.output_format}"
        elif ending.lower()[1:] not in FORMATS:
            ending = RESULT_ENDINGS.get(ending.lower(), DEFAULT_ENDING)
        name = f"{relative.stem}{self.suffix}{ending}"
        return Path(self.path, relative.with_name(name))


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture and its result.

    Attributes:
        source: The picture's file.
        target: The result's file.
    """

    source: Path
    target: Path

    @property
    def comparison(self) -> Path:
        """The file that shows crops of the picture and its result."""
        return self.target.with_name(f"{self.target.name}{COMPARISON}")

    @property
    def fallback(self) -> Path:
        """The file of a result that is too large for the target's format."""
        return self.target.with_name(f"{self.target.name}{DEFAULT_ENDING}")


def find_jobs(inputs: Sequence[Path | str], output: Output) -> list[Job]:
    """Finds the pictures and names their results.

    Args:
        inputs: Files and folders; folders are searched at all depths.
        output: The output settings.

    Returns:
        The jobs. Results of an earlier run in the same folder are not used as pictures.

    Raises:
        InputError: There is no picture, or a result would overwrite another result or
            a source.
    """
    jobs: dict[str, Job] = {}
    for path in map(Path, inputs):
        base = path.parent if path.is_file() else path
        for source in list_pictures(path, "--input_path", recursive=True):
            is_result = output.file is None and _is_within(source, output.folder, base)
            if not is_result:
                job = Job(source, output.name(source.relative_to(base)))
                jobs.setdefault(os.path.abspath(source), job)
    if output.suffix:
        jobs = _leave_results_out(jobs, named=set(map(os.path.abspath, inputs)))
    if not jobs:
        raise InputError(
            f"--input_path={name_some(inputs)}: all pictures lie in "
            f"--output_path={output.path}; give another folder for the results."
        )
    if output.file is not None and len(jobs) > 1:
        raise InputError(
            f"--output_path={output.path} names a file, but there are {len(jobs)} "
            "pictures; give a folder."
        )
    found = list(jobs.values())
    if output.output_format == SAME:
        found = _set_apart(found, output.suffix)
    _check_targets(found, output)
    return found


def skip_large(jobs: list[Job], most: int | None) -> list[Job]:
    """Leaves out pictures with a longer side than `most` pixels, and says how many.

    Args:
        jobs: The jobs. Those of pictures that cannot be read stay, to be reported.
        most: Pixels; None for any number.
    """

    def is_large(job):
        with contextlib.suppress(InputError):
            return max(read_size(job.source)) > most
        return False

    if most is None:
        return jobs
    kept = [job for job in jobs if not is_large(job)]
    if len(kept) < len(jobs):
        say(
            f"Skipped {len(jobs) - len(kept)} of {len(jobs)} pictures, with a side of "
            f"more than {most} pixels."
        )
    return kept


def _is_within(source, output, base):
    """Whether a picture lies in the folder of results inside the input folder."""
    output, base, source = map(_find_real, (output, base, source))
    is_inside = output != base and output.is_relative_to(base)
    return is_inside and source.is_relative_to(output)


def _find_real(path):
    """Resolves links; unlike `Path.resolve`, accepts a link to itself."""
    return Path(os.path.realpath(path))


def _leave_results_out(jobs, named):
    """Leaves out pictures named like results, except those given as inputs."""

    def strip(path):
        """Removes the ending: a result may have another format."""
        return os.path.splitext(os.path.abspath(path))[0]

    results = {strip(job.target) for job in jobs.values()}
    results |= {strip(job.comparison) for job in jobs.values()}
    return {
        path: job
        for path, job in jobs.items()
        if path in named or strip(job.source) not in results
    }


def _set_apart(jobs, suffix):
    """Renames results whose new ending makes them share a name: `photo.gif.png`."""
    counts = collections.Counter(_find_real(job.target) for job in jobs)

    def rename(job):
        old, new = job.source, job.target
        if counts[_find_real(new)] == 1 or old.suffix == new.suffix:
            return job
        name = f"{old.name}{suffix}{new.suffix}"
        return dataclasses.replace(job, target=new.with_name(name))

    return list(map(rename, jobs))


def _check_targets(jobs, output):
    """Checks that no result would overwrite another result or a source."""
    files, sources = {}, {_find_real(job.source) for job in jobs}
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
