"""Finds pictures that cannot be read; each picture is checked only once."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from console.errors import InputError
from console.files import written_whole
from console.prefetch import Prefetch
from console.progress import track, warn
from dataloaders.cache import default_folder, digest_of
from imaging.files import load_image


def find_broken(
    paths: Iterable[Path], root: Path | str, folder: Path | str | None = None
) -> set[Path]:
    """Finds the pictures that cannot be read, using all processors.

    Results are remembered: a file with the same size and time is not read again.

    Args:
        paths: The pictures.
        root: The folder that holds them, at any depth.
        folder: The folder for remembered results; None for the user's cache folder.
    """
    memory = Path(folder or default_folder()) / f"checked-{digest_of(root)}.json"
    known = _read(memory)
    names = {path: os.path.relpath(path, root) for path in paths}
    # Taken before the pictures are read, since they may change meanwhile.
    stamps = {path: _stamp(path) for path in names}
    todo = [path for path in names if known.get(names[path], [])[:2] != stamps[path]]
    workers = os.cpu_count() or 1
    try:
        with Prefetch(_is_fine, todo, workers, 4 * workers) as checked:
            for path, is_fine in track(checked, len(todo), "Checking pictures"):
                known[names[path]] = [*stamps[path], is_fine()]
    finally:
        if todo:
            seen = set(names.values())
            there = {n for n in known if n in seen or os.path.exists(Path(root, n))}
            _write(memory, {name: known[name] for name in sorted(there)})
    return {path for path, name in names.items() if not known[name][2]}


def _is_fine(path):
    try:
        load_image(path)
    except InputError:
        return False
    return True


def _stamp(path):
    """Size and modification time of a file; zeros if it does not exist."""
    try:
        stat = os.stat(path)
    except OSError:
        return [0, 0]
    return [stat.st_size, stat.st_mtime_ns]


def _read(memory):
    """Reads [size, time, whether it can be read] of names; empty if it is damaged."""
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    found = known.items() if isinstance(known, dict) else ()
    return {
        name: values
        for name, values in found
        if isinstance(values, list) and len(values) == 3 and type(values[2]) is bool
    }


def _write(memory, known):
    """Writes the results; if that fails, the next run checks again."""
    try:
        with written_whole(memory) as aside:
            aside.write_text(json.dumps(known))
    except OSError as error:
        warn(
            f"{memory}: cannot be written ({error.strerror}); the next start checks "
            "the pictures again."
        )
