"""Looks at every picture beforehand, once: which cannot be read."""

import concurrent.futures
import hashlib
import json
import os
from pathlib import Path

from console.errors import InputError
from console.files import written_whole
from console.progress import Progress, warn
from dataloaders.cache import default_folder
from imaging.files import load_image

# Pictures between two looks at what is done; what is done is remembered on Ctrl-C too.
CHUNK = 500


def find_broken(paths, root, folder=None):
    """Finds the pictures that cannot be read, with all processors.

    What was found is remembered: a file of the same size and time is not read again.

    Args:
        paths: The pictures.
        root: The folder that they are in, at whatever depth.
        folder: Where to remember it; None for the user's cache folder.

    Returns:
        set of Path.
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
    """Reads pictures and notes which are fine."""
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
    """What was found out about the pictures below one folder, kept in a file."""

    def __init__(self, root, folder):
        """Reads it.

        Args:
            root: The pictures' folder.
            folder: Where such files are.
        """
        self.root = os.path.abspath(root)
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        self.path = Path(folder) / f"checked-{digest}.json"
        # From a name to size, time and whether it is fine.
        self.known = _read(self.path)
        self.stamps = {}

    def look(self, path):
        """Whether a picture is fine; None where it is new or has changed."""
        # As it was when it was first looked at: it may change while it is being read.
        if path not in self.stamps:
            self.stamps[path] = _stamp(path)
        *stamp, is_fine = self.known.get(self._name(path), (None,))
        return is_fine if stamp == self.stamps[path] else None

    def add(self, path, is_fine):
        """Notes whether a picture is fine."""
        self.known[self._name(path)] = [*self.stamps[path], is_fine]

    def write(self):
        """Writes the file, without pictures that are gone; warns where it cannot.

        An unusable cache folder costs another look the next time, and no run.
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
                f"{self.path}: cannot be written ({error.strerror}); the pictures will "
                "be looked at again at the next start."
            )

    def _name(self, path):
        return os.path.relpath(path, self.root)


def _stamp(path):
    """What tells whether a file has changed: size and time; zeros if it is gone."""
    try:
        stat = os.stat(path)
    except OSError:
        return [0, 0]
    return [stat.st_size, stat.st_mtime_ns]


def _read(memory):
    """What was remembered; nothing where the file is missing or damaged."""
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
