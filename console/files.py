"""Files that appear whole or not at all."""

import contextlib
import errno
import hashlib
import io
import os
import secrets
import shutil
import time
from pathlib import Path

from console.errors import InputError

# A file that is being written was written to in the last so many seconds.
SECONDS_UNTIL_LEFT = 60.0


@contextlib.contextmanager
def written_whole(path):
    """Yields a path beside `path` to write to; renames it once all is written.

    Whoever looks sees the old file or the new one, never half of one. When the
    block raises (a full disk, Ctrl-C), what was written aside is removed and the
    old file stays. What is written may also be a folder.

    Args:
        path: The file to be; its folder is made when missing.

    Yields:
        Path: The same ending as `path`, since writers choose a format by it.

    Raises:
        OSError: Writing failed; the error names `path`, which writers often do not.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Chance keeps two runs that write the same file apart: on two machines they may
    # have the same process number.
    aside = path.with_name(_name_part(path, secrets.token_hex(4)))
    try:
        yield aside
        _replace(aside, path)
    except OSError as error:
        if error.filename in (None, str(aside)):
            # A writer's own complaint has neither number nor text of the system.
            number, text = error.errno or errno.EIO, error.strerror or str(error)
            raise OSError(number, text, str(path)) from error
        raise
    finally:
        _remove(aside)


class _WithoutDescriptor(io.RawIOBase):
    """A file whose descriptor libraries cannot find.

    Given one, Pillow writes to it in C and ignores how much of it the system took: on
    a disk that fills up, a picture would be cut off without an error.
    """

    def __init__(self, file):
        self._file = file

    def readable(self):
        return True

    def writable(self):
        return True

    def seekable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def write(self, data):
        return self._file.write(data)

    def seek(self, offset, whence=io.SEEK_SET):
        return self._file.seek(offset, whence)

    def tell(self):
        return self._file.tell()

    def truncate(self, size=None):
        return self._file.truncate(size)

    def flush(self):
        self._file.flush()


@contextlib.contextmanager
def opened_whole(path, finish=None):
    """Yields an open file for a library to write `path` to, whole or not at all.

    What a killed process has left of the same file is removed.

    Args:
        path: The file to be; its folder is made when missing.
        finish: Called with the path where all is written, before it takes its place.

    Yields:
        A binary file for reading and writing, without a descriptor.

    Raises:
        OSError: Writing failed; the error names `path`.
    """
    remove_leftovers(path)
    with written_whole(path) as aside, open(aside, "w+b") as file:
        lock(file)
        yield _WithoutDescriptor(file)
        file.flush()
        if finish is not None:
            finish(aside)


def _replace(aside, path):
    """Renames, also where a folder takes the place of a folder."""
    if not (aside.is_dir() and path.is_dir()):
        os.replace(aside, path)
        return
    old = path.with_name(_name_part(path, secrets.token_hex(4)))
    os.replace(path, old)
    try:
        os.replace(aside, path)
    except BaseException:  # Ctrl-C, too.
        if not path.exists():
            os.replace(old, path)
        raise
    finally:
        if path.exists():
            _remove(old)


def _remove(path):
    """Removes a file, a link or a folder; none need be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _name_part(path, token):
    """What a half-written file is called; a glob pattern for the token `*`."""
    # A digest in place of the name keeps the sum within what file systems take.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
    return f".{digest}.{token}.part{path.suffix}"


def lock(file):
    """Marks an open file as being written, for other processes that ask.

    The mark goes with the process, however that ends.

    Returns:
        bool: Whether it is marked: False if another has marked it, None where the
        system or the file system knows no such thing.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def remove_leftovers(path):
    """Removes what a process that was killed has left half-written beside a file.

    Args:
        path: The file that was to be. Whoever writes it has to `lock` the path that
            `written_whole` yields.
    """
    path = Path(path)
    for part in path.parent.glob(_name_part(path, "*")):
        # One that was written to lately may belong to a process that has not locked it
        # yet, or is just renaming it.
        with contextlib.suppress(OSError):
            is_old = time.time() - part.stat().st_mtime > SECONDS_UNTIL_LEFT
            if is_old:
                with open(part, "r+b") as file:
                    if lock(file):
                        part.unlink()


def identify(name, paths):
    """Names what some files hold, to tell it from what others of that name hold.

    Args:
        name: What to call it.
        paths: The files.

    Returns:
        str: The name, and a digest of all bytes.

    Raises:
        OSError: One cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{name} ({digest.hexdigest()[:12]})"


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
    existing = _find_existing(path)
    if existing != path and not existing.is_dir():
        raise InputError(f"{flag}={path}: {existing} is a file, not a folder.")
    if not os.access(existing, os.W_OK):
        raise InputError(f"{flag}={path}: {existing} cannot be written to.")


def is_writable(folder):
    """Whether a folder can be written to, or made where it does not exist."""
    existing = _find_existing(folder)
    return existing.is_dir() and os.access(existing, os.W_OK)


def _find_existing(path):
    """A path itself, or the nearest of the folders above it that exists."""
    return next(p for p in (path, *path.resolve().parents) if p.exists())
