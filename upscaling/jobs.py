"""Finds the pictures to enlarge, and names their results.

No result takes the place of a picture or of another result.
"""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from console.errors import InputError, name_some
from console.made import Made
from console.progress import say
from console.spread import Chosen, choose
from imaging.decoding import read_size
from imaging.kinds import RESULT_ENDINGS
from imaging.listing import stream_pictures
from upscaling.naming import COMPARISON, Job, Paths, Real, is_below, split_pages, strip
from upscaling.output import Output

_FLAG = "--input_path"


class Jobs(Chosen[Job]):
    """The jobs of all pictures in files and folders, found anew by each iteration.

    In memory are digests of the names only, so there may be millions.
    """

    def __init__(
        self, inputs: Sequence[Path | str], output: Output, in_order: bool = True
    ) -> None:
        """Looks through the pictures.

        Args:
            inputs: Files and folders; folders are searched at all depths. Results of
                an earlier run in the same folder are not used as pictures.
            output: The output settings.
            in_order: Whether to sort the pictures of a folder, which holds their paths
                in memory.

        Raises:
            InputError: There is no picture, or a result would overwrite another result
                or a source.
        """
        super().__init__(self._find_jobs, count=0)
        self.inputs, self.output = list(map(Path, inputs)), output
        self.in_order, self.real = in_order, Real()
        self.folder = os.path.realpath(output.folder)
        self.made, self.tells, self.are_separate = None, True, False
        self.sources, self.drafts, self.targets = Paths(), Paths(), Paths()
        if output.suffix:
            self._find_results()
        if self._survey() and output.file is None:
            self.are_separate = True
            say(
                "Files of several folders share a name; each folder has its own in "
                f"{output.folder}."
            )
            self._survey()
        if not self.count:
            raise InputError(
                f"{_FLAG}={name_some(inputs)}: all pictures lie in "
                f"--output_path={output.path}; give another folder for the results."
            )
        if output.file is not None and self.count > 1:
            raise InputError(
                f"--output_path={output.path} names a file, but there are {self.count} "
                "pictures; give a folder."
            )
        self._check_targets()

    def _find_jobs(self):
        for job, folder in self._find_drafts():
            job = self._separate(job, folder)
            old, new = job.source, job.target
            # Another ending may make results share a name: `photo.gif.png`.
            is_shared = self.drafts.count(self.real.find(new)) > 1
            if is_shared and old.suffix != new.suffix:
                name = f"{old.name}{self.output.suffix}{new.suffix}"
                job = dataclasses.replace(job, target=new.with_name(name))
            yield job

    def is_taken(self, path: Path) -> bool:
        """Whether a file is a picture, or the result of one."""
        real = self.real.find(path)
        return bool(self.sources.count(real) or self.targets.count(real))

    def _find_drafts(self):
        """Yields the job of each picture, and the input folder that it was found in."""
        for job, folder in self._find_all():
            if self.made is None or not self._is_result(job):
                yield job, folder

    def _find_all(self):
        files: set[str] = set()
        folders: list[tuple[str | None, str]] = []
        for path in self.inputs:
            is_file = path.is_file()
            base = path.parent if is_file else path
            results = self._find_results_in(base)
            found = stream_pictures(path, _FLAG, recursive=True, tells=self.tells)
            for source in sorted(found) if self.in_order else found:
                if results and is_below(self.real.find(source), results):
                    continue
                name = os.path.abspath(source)
                if name in files or self._is_inside(name, source, folders):
                    continue
                job = Job(source, self.output.name(source, base))
                folder = None if is_file else path
                for each in split_pages(job) if self.output.all_pages else [job]:
                    yield each, folder
            if is_file:
                files.add(os.path.abspath(path))
            else:
                folders.append((results, os.path.abspath(path)))
        self.tells = False

    def _find_results_in(self, base):
        """Returns the folder of results if it lies inside an input folder."""
        real = os.path.realpath(base)
        if self.output.file is not None or self.folder == real:
            return None
        return self.folder if is_below(self.folder, real) else None

    def _is_inside(self, name, source, folders):
        """Whether an input folder that was given before shows a picture, too."""
        for results, folder in folders:
            # Names that begin with a dot are hidden, and .. leads out of the folder.
            inside = os.path.relpath(name, folder).split(os.sep)
            is_shown = not any(part.startswith(".") for part in inside)
            is_known = source.suffix.lower() in RESULT_ENDINGS
            is_result = results and is_below(self.real.find(source), results)
            if is_shown and is_known and not is_result:
                return True
        return False

    def _find_results(self):
        """Finds out which pictures are results of this run and of earlier ones."""
        results, count = Paths(), 0
        for job, _ in self._find_all():
            results.add(strip(job.target))
            results.add(strip(job.comparison))
            count += 1
        results.count_distinct()
        self.results, self.made = results, Made(self.output.folder)
        self.named = set(map(os.path.abspath, self.inputs))
        left_out = count - sum(1 for _ in self._find_drafts())
        if left_out:
            folder = self.output.folder
            say(f"Left out of the pictures: {left_out} results in {folder}.")

    def _is_result(self, job):
        """Whether a picture is a result, or the crops beside a result."""
        if os.path.abspath(job.source) in self.named:
            return False
        if self.results.count(strip(job.source)):
            return True
        real = os.path.realpath(str(job.source).removesuffix(COMPARISON))
        if not is_below(real, self.folder):
            return False
        inside = Path(real).relative_to(self.folder)
        return self.made.tell_maker(self.output.folder / inside) is not None

    def _survey(self):
        """Notes all paths; returns whether files of two inputs share a name."""
        self.sources, self.drafts, owned = Paths(), Paths(), Paths()
        self.count = 0
        for job, folder in self._find_drafts():
            target = self.real.find(self._separate(job, folder).target)
            self.sources.add(self.real.find(job.source))
            self.drafts.add(target)
            owned.add(target, folder)
            self.count += 1
        self.sources.count_distinct()
        return owned.count_distinct() > self.drafts.count_distinct()

    def _separate(self, job, folder):
        """Gives the results of each input folder a folder of its own, if they must."""
        if folder is None or not self.are_separate:
            return job
        own = self.output.folder / folder.resolve().name
        target = own / job.target.relative_to(self.output.folder)
        return dataclasses.replace(job, target=target)

    def _check_targets(self):
        """Checks that no result would overwrite another result or a source."""
        output, find, places = self.output, self.real.find, Paths()
        are_told_apart = output.suffix or output.file is not None
        for job in self:
            for path in self._list_files(job):
                real = find(path)
                if self.sources.count(real):
                    raise InputError(
                        f"--output_path={output.path}: would overwrite the input "
                        f"picture {path}; give another folder, or a --suffix."
                    )
                places.add(real)
            self.targets.add(find(job.target))
            parents = job.target.parent, job.source.parent
            if not are_told_apart and len(set(map(find, parents))) == 1:
                raise InputError(
                    f"--output_path={output.path}: holds the input picture "
                    f"{job.source}; give another folder, or a --suffix that marks the "
                    "results."
                )
        self.targets.count_distinct()
        if places.count_distinct() < self.count * (1 + output.compare):
            files = itertools.chain.from_iterable(map(self._list_files, self))
            twice = {path.name for path in files if places.count(find(path)) > 1}
            raise InputError(
                f"--output_path={output.path}: several pictures would be written to "
                f"{name_some(sorted(twice))}; rename or separate them."
            )

    def _list_files(self, job):
        return (job.target, job.comparison)[: 1 + self.output.compare]


def skip_large(jobs: Collection[Job], most: int | None) -> Collection[Job]:
    """Leaves out pictures with a longer side than `most` pixels, and says how many.

    Pictures that cannot be read stay, to be reported.
    """

    def is_small(job):
        with contextlib.suppress(InputError):
            return max(read_size(job.source, job.page)) <= most
        return True

    if most is None:
        return jobs
    kept = choose(jobs, is_small)
    if len(kept) < len(jobs):
        say(
            f"Skipped {len(jobs) - len(kept)} of {len(jobs)} pictures, with a side of "
            f"more than {most} pixels."
        )
    return kept
