"""A picture and its result, and sets of their paths."""

import array
import dataclasses
import functools
import os
from pathlib import Path
from typing import Literal

import numpy as np

from imaging.tiff_pages import find_pages

# For sources of an unknown ending.
DEFAULT_ENDING = ".png"
COMPARISON = ".compare.png"
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


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


def split_pages(job: Job) -> list[Job]:
    """Returns a job for each page of a TIFF; the job itself for other pictures."""
    pages = find_pages(job.source)
    digits, old = len(str(len(pages))), job.target
    split = []
    for number, page in enumerate(pages, 1):
        name = f"{old.stem}_p{number:0{digits}}{old.suffix}"
        split.append(Job(job.source, old.with_name(name), page))
    return split or [job]


class Paths:
    """A set of paths that holds a digest of 8 bytes for each."""

    def __init__(self) -> None:
        """Makes an empty set."""
        self._added = array.array("q")
        self._sorted = np.empty(0, np.int64)

    def add(self, *path: object) -> None:
        """Adds a path, or several values that stand for one."""
        self._added.append(hash(path))

    def count_distinct(self) -> int:
        """Counts the different paths; `count` knows those added before this call."""
        added = np.frombuffer(self._added, np.int64)
        self._sorted = np.sort(np.concatenate([self._sorted, added]))
        self._added = array.array("q")
        return int(np.count_nonzero(np.diff(self._sorted))) + bool(len(self._sorted))

    def count(self, *path: object) -> int:
        """Counts how often a path was added."""
        digest = hash(path)
        left, right = (np.searchsorted(self._sorted, digest, s) for s in _SIDES)
        return int(right - left)


class Real:
    """Resolves links in paths; unlike `Path.resolve`, accepts a link to itself."""

    def __init__(self) -> None:
        """Remembers no folder yet."""
        self._resolve = functools.lru_cache(1024)(os.path.realpath)

    def find(self, path: Path | str) -> str:
        """Returns the path without links."""
        if os.path.islink(path):
            return os.path.realpath(path)
        parent, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        return os.path.join(self._resolve(parent or "."), name)


def is_below(path: str, folder: str) -> bool:
    """Whether a resolved path is a resolved folder, or lies in it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def strip(path: Path | str) -> str:
    """Returns an absolute path without its ending: a result may have another."""
    return os.path.splitext(os.path.abspath(path))[0]
