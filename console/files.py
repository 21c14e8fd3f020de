"""Files that appear whole or not at all."""

import contextlib
import os
from pathlib import Path


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
    # The process number keeps two runs that write the same file apart.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    except OSError as error:
        if error.filename in (None, str(aside)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        aside.unlink(missing_ok=True)
