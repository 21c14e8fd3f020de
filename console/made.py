"""Remembers which files of a folder a program made, how, and from what.

A file that somebody else made, or that was made otherwise, can so be told from one
that need not be made again. The memory is a hidden file in the folder, with a line of
JSON for each file that was made.
"""

import json

from console.errors import InputError
from console.files import check_target

NAME = ".made.jsonl"

# What `Made.look` finds: there is no such file; nothing is known of the one that is
# there; it was made in another way, or from what its source was before that changed; or
# it is finished.
MISSING, UNKNOWN, OTHERWISE, CHANGED, FINISHED = (
    *("missing", "unknown", "otherwise", "changed", "finished"),
)


class Made:
    """What is known of one folder."""

    def __init__(self, folder):
        """Reads what earlier runs remembered.

        Args:
            folder: Of the files, which may lie in subfolders; need not exist.

        Raises:
            InputError: Its memory could not be written.
        """
        self.folder, self.path = folder, folder / NAME
        check_target(self.path, "--output_path")
        self.records, self.stamps = _read(self.path), {}

    def look(self, source, target, maker):
        """Says what is to be done about a file.

        Args:
            source: What it is made from.
            target: The file, in the folder or below it.
            maker: What makes it now, for example `"x.py --rounding=floor at x2"`.

        Returns:
            str: `MISSING`, `UNKNOWN`, `OTHERWISE`, `CHANGED` or `FINISHED`.
        """
        # By how the source is now: it may change while it is being read.
        self.stamps[target] = [source.name, *_stamp(source)]
        if not target.is_file():
            return MISSING
        known = self._find(self._name(target))
        if known is None:
            return UNKNOWN
        if known["maker"] != maker:
            return OTHERWISE
        return FINISHED if known["source"] == self.stamps[target] else CHANGED

    def tell_maker(self, target):
        """What made a file; None where that is not known."""
        return (self._find(self._name(target)) or {}).get("maker")

    def check_makers(self, maker):
        """Refuses a folder that holds files of another maker.

        Raises:
            InputError: With the first of them.
        """
        for name in self.records:
            before = (self._find(name) or {}).get("maker", maker)
            if before != maker:
                raise InputError(
                    f"{self.folder} holds {name}, made by {before}; {maker} gives "
                    "others. Remove the folder or give another --output_path."
                )

    def add(self, target, maker, written=None):
        """Remembers a file that was made, or found to be as it would be made.

        Args:
            target: The file.
            maker: What made it.
            written: Where it lies whole before it takes its place; None where it has.
                A process that is killed in between has then neither forgotten what it
                made nor remembered what it did not: what is known holds for a file of
                this size and time only.

        Raises:
            OSError: The disk is full or read-only.
        """
        name, stamp = self._name(target), _stamp(written or target)
        record = {"file": name, "stamp": stamp, "source": self.stamps[target]}
        line = json.dumps({**record, "maker": maker})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a full disk cut off is ended by the next one.
        with open(self.path, "ab", buffering=0) as file:
            text = f"\n{line}".encode()
            if file.write(text) < len(text):
                file.write(text)  # Of which the system says why it does not fit.
        self.records.setdefault(name, []).append(json.loads(line))

    def _name(self, target):
        return target.relative_to(self.folder).as_posix()

    def _find(self, name):
        """The last record of a file as it is now; None where there is none."""
        stamp = _stamp(self.folder / name)
        records = reversed(self.records.get(name, []))
        return next((known for known in records if known["stamp"] == stamp), None)


def _stamp(path):
    """What tells whether a file has changed: size and time; None if it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return [None, None]
    return [stat.st_size, stat.st_mtime_ns]


def _read(path):
    """What was remembered: from a name to its records; damaged lines are left out."""
    records = {}
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return records
    for line in lines:
        try:
            known = json.loads(line)
            wanted = {name: known[name] for name in ("stamp", "source", "maker")}
            records.setdefault(str(known["file"]), []).append(wanted)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return records
