"""Files that appear whole or not at all."""

import contextlib
import hashlib
import os
from pathlib import Path

from console.errors import InputError


@contextlib.contextmanager
def written_whole(path):
    """Yields a path beside `path` to write to; renames it once all is written.

    Whoever looks sees the old file or the new one, never half of one. When the
    block raises (a full disk, Ctrl-C), what was written aside is removed and the
    old file stays.

    Args:
        path: The file to be; its folder is made when missing.

    Yields:
        Path: The same ending as `path`, since writers choose a format by it.

    Raises:
        OSError: Writing failed; the error names `path`, which writers often do not.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two runs that write the same file apart; a digest in place
    # of the name keeps the sum within what file systems take.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
    aside = path.with_name(f".{digest}.{os.getpid()}.part{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    except OSError as error:
        if error.filename in (None, str(aside)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        aside.unlink(missing_ok=True)


def check_target(path, flag, is_folder=False):
    """Refuses what could not be written to, before anything long is begun.

    Args:
        path: The file or the folder to be; need not exist.
        flag: What gave it, for the message.
        is_folder: Whether a folder is to be written to.

    Raises:
        InputError: It is the other of the two, its folder is a file, or it may not be
            written to.
    """
    path = Path(path)
    if path.exists() and path.is_dir() != is_folder:
        is_a, expected = ("folder", "file") if path.is_dir() else ("file", "folder")
        raise InputError(f"{flag}={path} is a {is_a}; give the name of a {expected}.")
    existing = next(p for p in (path, *path.resolve().parents) if p.exists())
    if existing != path and not existing.is_dir():
        raise InputError(f"{flag}={path}: {existing} is a file, not a folder.")
    if not os.access(existing, os.W_OK):
        raise InputError(f"{flag}={path}: {existing} cannot be written to.")
