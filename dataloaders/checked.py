"""Looks at every picture beforehand, once: which cannot be read."""

import concurrent.futures
import hashlib
import json
import os

from console.errors import InputError
from console.files import written_whole
from console.progress import Progress
from dataloaders.cache import default_folder
from imaging.files import load_image

# Pictures between two looks at what is done; what is done is remembered on Ctrl-C too.
CHUNK = 500


def find_broken(paths, folder=None):
    """Finds the pictures that cannot be read, with all processors.

    What was found is remembered: a file of the same size and time is not read again.

    Args:
        paths: The pictures.
        folder: Where to remember it; None for the user's cache folder.

    Returns:
        list of Path.
    """
    paths = list(paths)
    folder = folder or default_folder()
    names = "\n".join(sorted({os.path.abspath(path.parent) for path in paths}))
    digest = hashlib.sha256(os.fsencode(names)).hexdigest()[:12]
    memory = folder / f"checked-{digest}.json"
    known = _read(memory)
    keys = {path: _key(path) for path in paths}
    todo = [path for path in paths if keys[path] not in known]
    if todo:
        try:
            _check_all(todo, keys, known)
        finally:
            folder.mkdir(parents=True, exist_ok=True)
            with written_whole(memory) as aside:
                aside.write_text(json.dumps(known))
    return [path for path in paths if not known[keys[path]]]


def _check_all(paths, keys, known):
    """Reads pictures and notes which are fine in `known`."""
    workers = os.cpu_count() or 1
    with (
        Progress(len(paths), "Checking pictures") as progress,
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            for path, is_fine in zip(chunk, pool.map(_is_fine, chunk), strict=True):
                known[keys[path]] = is_fine
                progress.advance()


def _is_fine(path):
    try:
        load_image(path)
    except InputError:
        return False
    return True


def _key(path):
    """What tells whether a file has changed, a str."""
    stat = os.stat(path)
    return f"{os.path.abspath(path)} {stat.st_size} {stat.st_mtime_ns}"


def _read(memory):
    """What was remembered; nothing where the file is missing or damaged."""
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
