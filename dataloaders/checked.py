"""Finds pictures that cannot be read; each picture is checked only once."""

import concurrent.futures
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from console.errors import InputError
from console.files import written_whole
from console.progress import Progress, warn
from dataloaders.cache import default_folder
from imaging.files import load_image

# Pictures submitted at a time, so that Ctrl-C does not wait for all of them.
CHUNK = 500


def find_broken(
    paths: Iterable[Path], root: Path | str, folder: Path | str | None = None
) -> set[Path]:
    """Finds the pictures that cannot be read, using all processors.

    Results are remembered: a file with the same size and time is not read again.

    Args:
        paths: The pictures.
        root: The folder that holds them, at any depth.
        folder: The folder for remembered results; None for the user's cache folder.

    Returns:
        The pictures that cannot be read.
    """
    memory = Memory(root, folder or default_folder())
    paths = list(paths)
    todo = [path for path in paths if memory.look(path) is None]
    if todo:
        try:
            _check_all(todo, memory)
        finally:
            memory.write()
    return {path for path in paths if not memory.look(path)}


def _check_all(paths, memory):
    """Reads pictures and remembers which can be read."""
    workers = os.cpu_count() or 1
    with (
        Progress(len(paths), "Checking pictures") as progress,
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            for path, is_fine in zip(chunk, pool.map(_is_fine, chunk), strict=True):
                memory.add(path, is_fine)
                progress.advance()


def _is_fine(path):
    try:
        load_image(path)
    except InputError:
        return False
    return True


class Memory:
    """Results for the pictures below one folder, stored in a file."""

    def __init__(self, root: Path | str, folder: Path | str):
        """Reads the file, if there is one.

        Args:
            root: The pictures' folder.
            folder: The folder of such files.
        """
        self.root = os.path.abspath(root)
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        self.path = Path(folder) / f"checked-{digest}.json"
        # From a name to [size, time, whether the picture can be read].
        self.known: dict[str, list] = _read(self.path)
        self.stamps: dict[Path, list[int]] = {}

    def look(self, path: Path) -> bool | None:
        """Whether a picture can be read; None if it is new or has changed."""
        # Taken before the picture is read, since it may change meanwhile.
        if path not in self.stamps:
            self.stamps[path] = _stamp(path)
        *stamp, is_fine = self.known.get(self._name(path), (None,))
        return is_fine if stamp == self.stamps[path] else None

    def add(self, path: Path, is_fine: bool) -> None:
        """Remembers whether a picture can be read."""
        self.known[self._name(path)] = [*self.stamps[path], is_fine]

    def write(self) -> None:
        """Writes the file, without pictures that no longer exist.

        If it cannot be written, this warns only: the next run checks again.
        """
        seen = {self._name(path) for path in self.stamps}
        kept = {
            name: found
            for name, found in self.known.items()
            if name in seen or os.path.exists(os.path.join(self.root, name))
        }
        try:
            with written_whole(self.path) as aside:
                aside.write_text(json.dumps(kept))
        except OSError as error:
            warn(
                f"{self.path}: cannot be written ({error.strerror}); the next start "
                "checks the pictures again."
            )

    def _name(self, path):
        return os.path.relpath(path, self.root)


def _stamp(path):
    """Size and modification time of a file; zeros if it does not exist."""
    try:
        stat = os.stat(path)
    except OSError:
        return [0, 0]
    return [stat.st_size, stat.st_mtime_ns]


def _read(memory):
    """Reads remembered results; empty if the file is missing or damaged."""
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        name: found
        for name, found in known.items()
        if isinstance(found, list) and len(found) == 3
    }
