"""Which pictures are to be enlarged, and where the results go."""

import dataclasses
import os
from pathlib import Path

from absl import flags

from console.errors import InputError, name_some
from console.flags import define_count
from imaging.listing import list_pictures
from imaging.saving import FORMATS, JPEG_QUALITY

SAME = "same"
# Where the ending of a source says no format that could be written.
DEFAULT_ENDING = ".png"
COMPARISON = "{}.compare.png"


def define_flags():
    """Declares how results are named and written."""
    flags.DEFINE_enum(
        "output_format",
        SAME,
        [SAME, *FORMATS],
        "Format of the results; same keeps each picture's own.",
    )
    define_count(
        "jpeg_quality",
        JPEG_QUALITY,
        "Of JPEG and WebP files, 1 to 100.",
        most=100,
    )
    flags.DEFINE_string(
        "suffix", "", "What comes behind each name, for example _x4: photo_x4.jpg."
    )
    flags.DEFINE_bool(
        "overwrite", False, "Make results anew that are there; otherwise they are kept."
    )
    flags.DEFINE_bool(
        "compare",
        False,
        "Write beside each result that is made, as NAME.compare.png, crops of the "
        "input, bicubic and the result, where the last two differ most.",
    )


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture and its result.

    Attributes:
        source: The picture's file.
        target: The file of its result.
    """

    source: Path
    target: Path

    def is_done(self):
        """Whether its result is there, from an earlier run."""
        return self.target.exists()

    @property
    def comparison(self):
        """The file that shows crops of both."""
        return self.target.with_name(COMPARISON.format(self.target.stem))


def from_flags(inputs, output):
    """The jobs as the flags of `define_flags` want them; see `find_jobs`.

    Raises:
        InputError: The suffix leads to another folder.
    """
    suffix = flags.FLAGS.suffix
    if Path(f"a{suffix}").name != f"a{suffix}":
        raise InputError(f"--suffix={suffix}: expected part of a name, not of a path.")
    return find_jobs(inputs, output, suffix, flags.FLAGS.output_format)


def find_jobs(inputs, output, suffix="", output_format=SAME):
    """Finds the pictures and names their results.

    Args:
        inputs: Files and folders; folders are looked through to the bottom.
        output: Folder of the results, in which subfolders are kept.
        suffix: What comes behind the name of each, before its ending.
        output_format: `SAME`, or one of `imaging.saving.FORMATS`.

    Returns:
        list of Job: Results of an earlier run, which may lie in the same folder, are
        not among the pictures.

    Raises:
        InputError: There is nothing to do, or two results or a result and a source
            would be one file.
    """
    output, jobs = Path(output), {}
    for path in map(Path, inputs):
        base = path.parent if path.is_file() else path
        for source in list_pictures(path, "--input_path", deep=True):
            name = _name_target(source.relative_to(base), suffix, output_format)
            job = Job(source, output / name)
            if not _is_within(source, output, base):
                jobs.setdefault(os.path.abspath(source), job)
    jobs = _leave_results_out(jobs, named=set(map(os.path.abspath, inputs)))
    if not jobs:
        raise InputError(
            f"--input_path={name_some(inputs)}: holds nothing but what lies in "
            f"--output_path={output}; give another folder for the results."
        )
    _check_targets(jobs, output)
    return jobs


def _name_target(relative, suffix, output_format):
    ending = relative.suffix
    if output_format != SAME:
        ending = f".{output_format}"
    elif ending.lower()[1:] not in FORMATS:
        ending = DEFAULT_ENDING
    return relative.with_name(f"{relative.stem}{suffix}{ending}")


def _is_within(source, output, base):
    """Whether a picture is a result: its folder of results lies among the pictures."""
    output, base = output.resolve(), base.resolve()
    is_inside = output != base and output.is_relative_to(base)
    return is_inside and source.resolve().is_relative_to(output)


def _leave_results_out(jobs, named):
    """Leaves out what another job writes, unless it was named itself."""
    written = {
        os.path.abspath(path)
        for job in jobs.values()
        for path in (job.target, job.comparison)
        if path != job.source
    }
    return [job for path, job in jobs.items() if path in named or path not in written]


def _check_targets(jobs, output):
    """Refuses results that would be written over each other or over a source."""
    targets, sources = {}, {job.source.resolve() for job in jobs}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise InputError(
                f"--output_path={output}: would overwrite {job.target}, which is to be "
                "upscaled; give another folder, or a --suffix."
            )
        targets.setdefault(target, []).append(job)
    twice = [some[0].target.name for some in targets.values() if len(some) > 1]
    if twice:
        raise InputError(
            f"--output_path={output}: several pictures would be written to "
            f"{name_some(sorted(twice))}; rename or separate them."
        )
