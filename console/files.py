"""Atomic writes of files, locks, and checks of paths."""

import contextlib
import errno
import hashlib
import io
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from console.errors import InputError

# A file without writes for this time is no longer being written.
SECONDS_UNTIL_LEFT = 60.0
# The list of a folder is kept for a while if it took longer than this to read.
SECONDS_OF_LARGE = 0.01
_PART = ".part"
# That folder, its partial files, and until when they are known.
_listed: tuple[Path | None, list[Path], float] = None, [], 0.0


@contextlib.contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it after the block.

    Other processes see the old file or the new file, never a partial file. If the
    block raises (a full disk, Ctrl-C), the temporary file is removed and the old file
    stays. A folder may be written in the same way.

    Args:
        path: Path of the file; its folder is made if missing.

    Yields:
        Temporary path with the suffix of `path`, since writers choose a format by it.

    Raises:
        OSError: Writing failed; the error names `path`, which writers often do not.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Random names, since two runs on different machines may have the same process
    # number.
    aside = path.with_name(_name_part(path, secrets.token_hex(4)))
    try:
        yield aside
        _replace(aside, path)
    except OSError as error:
        if error.filename in (None, str(aside)):
            # Errors of a writer itself have no errno and no strerror.
            number, text = error.errno or errno.EIO, error.strerror or str(error)
            raise OSError(number, text, str(path)) from error
        raise
    finally:
        _remove(aside)


class _WithoutDescriptor(io.BufferedRandom):
    """A file that hides its descriptor from libraries.

    With a descriptor, Pillow writes in C and ignores short writes: on a full disk a
    picture would be truncated without an error.
    """

    def fileno(self):
        raise io.UnsupportedOperation("fileno")


@contextlib.contextmanager
def opened_whole(
    path: Path | str, finish: Callable[[Path], object] | None = None
) -> Iterator[BinaryIO]:
    """Yields an open file for a library to write `path`, as `written_whole` does.

    Partial files of the same path from killed processes are removed.

    Args:
        path: Path of the file; its folder is made if missing.
        finish: Called with the temporary path after the block, before the rename.

    Yields:
        Binary file for reading and writing, without a descriptor.

    Raises:
        OSError: Writing failed; the error names `path`.
    """
    remove_leftovers(path)
    with written_whole(path) as aside, open(aside, "w+b", buffering=0) as raw:
        lock(raw)
        with _WithoutDescriptor(raw) as file:
            yield file
            file.flush()
            if finish is not None:
                finish(aside)


def _replace(aside, path):
    """Renames a file or a folder, and replaces an existing one."""
    if not (aside.is_dir() and path.is_dir()):
        os.replace(aside, path)
        return
    old = path.with_name(_name_part(path, secrets.token_hex(4)))
    os.replace(path, old)
    try:
        os.replace(aside, path)
    except BaseException:  # Includes Ctrl-C.
        if not path.exists():
            os.replace(old, path)
        raise
    finally:
        if path.exists():
            _remove(old)


def _remove(path):
    """Removes a file, a link or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _name_part(path, token):
    """Returns the name of a temporary file; a glob pattern for the token `*`."""
    # A digest, since the name and a token may be too long for the file system.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
    return f".{digest}.{token}{_PART}{path.suffix}"


def lock(file: IO) -> bool | None:
    """Locks an open file, until the process ends or the file is closed.

    Returns:
        True if it is locked, False if another process holds the lock, None if the
        system or the file system does not support locks.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def remove_leftovers(path: Path | str, seconds: float = SECONDS_UNTIL_LEFT) -> None:
    """Removes partial files of a path, left by killed processes.

    Args:
        path: Path of the finished file. Its writers must `lock` the path that
            `written_whole` yields.
        seconds: Time without writes after which a file is a leftover. A recent file may
            belong to a process that has not locked it yet, or that is renaming it.
    """
    path = Path(path)
    first, last = _name_part(path, "*").split("*")
    for part in _list_parts(path.parent):
        if not (part.name.startswith(first) and part.name.endswith(last)):
            continue
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > seconds:
                with open(part, "r+b") as file:
                    if lock(file):
                        part.unlink()


def _list_parts(folder):
    """Lists the partial files of a folder; a large folder is not read for each file."""
    global _listed
    known, parts, until = _listed
    start = time.monotonic()
    if folder == known and start < until:
        return parts
    parts = []
    with contextlib.suppress(OSError), os.scandir(folder) as inside:
        parts = [Path(entry.path) for entry in inside if _PART in entry.name]
    spent = time.monotonic() - start
    if spent > SECONDS_OF_LARGE:
        _listed = folder, parts, start + 100 * spent
    return parts


def identify(name: str, paths: Iterable[Path | str]) -> str:
    """Returns a name, and in parentheses a digest of the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{name} ({digest.hexdigest()[:12]})"


def check_target(path: Path | str, flag: str, is_folder: bool = False) -> None:
    """Refuses a path that cannot be written, before long work starts.

    Args:
        path: File or folder to write; need not exist.
        flag: Flag that gave the path, for the message.
        is_folder: Whether the path should be a folder.

    Raises:
        InputError: It is a file instead of a folder or the reverse, its folder is a
            file, or there is no permission to write.
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
