"""Remembers which files of a folder a helper made, how, and from what.

A file that somebody else made, or that was made otherwise, can so be told from one
that need not be made again. The memory is a hidden file in the folder.
"""

import json
import time

from console.errors import InputError
from console.files import written_whole

NAME = ".downscaled.json"

# What `Made.look` finds: a file must be made, was made by others as far as is known,
# or is finished.
MAKE, UNKNOWN, FINISHED = "make", "unknown", "finished"

# A process that is killed forgets what it made since; it is then compared again.
SECONDS_BETWEEN_WRITES = 30.0


class Made:
    """What is known of one folder."""

    def __init__(self, folder, maker):
        """Reads what an earlier run remembered.

        Args:
            folder: Of the files; need not exist.
            maker: What makes them now, for example `"x.py --rounding=floor at x2"`.

        Raises:
            InputError: The folder holds files of another maker.
        """
        self.folder, self.maker = folder, maker
        self.path = folder / NAME
        self.files, self.stamps = {}, {}
        self.is_changed, self.last_write = False, time.monotonic()
        maker_before, files = _read(self.path)
        there = [name for name in files if (folder / name).exists()]
        if there and maker_before != maker:
            raise InputError(
                f"{folder} holds {there[0]}, made by {maker_before}; {maker} gives "
                "others. Remove the folder or give another --output_path."
            )
        self.files = {name: files[name] for name in there}

    def look(self, source, target):
        """Says what is to be done about a file.

        Args:
            source: What it is made from.
            target: The file, in the folder.

        Returns:
            str: `MAKE`, `UNKNOWN` or `FINISHED`.
        """
        # By how the source is now: it may change while it is being read.
        self.stamps[target.name] = [source.name, *_stamp(source)]
        if not target.exists():
            return MAKE
        known = self.files.get(target.name)
        if known is None or known["target"] != _stamp(target):
            return UNKNOWN
        is_same = known["source"] == self.stamps[target.name]
        return FINISHED if is_same else MAKE

    def add(self, target):
        """Remembers a file that was made, or found to be as it would be made."""
        self.files[target.name] = {
            "source": self.stamps[target.name],
            "target": _stamp(target),
        }
        self.is_changed = True
        if time.monotonic() - self.last_write > SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self):
        """Writes what is remembered, if there is anything new."""
        if not self.is_changed:
            return
        with written_whole(self.path) as aside:
            aside.write_text(json.dumps({"maker": self.maker, "files": self.files}))
        self.is_changed, self.last_write = False, time.monotonic()


def _stamp(path):
    """What tells whether a file has changed: size and time; None if it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return [None, None]
    return [stat.st_size, stat.st_mtime_ns]


def _read(path):
    """What was remembered: maker and files; none where it is missing or damaged."""
    try:
        known = json.loads(path.read_text())
        return known["maker"], dict(known["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}
