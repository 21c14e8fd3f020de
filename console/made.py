"""Records which files of a folder a program made, how, and from which source.

Finished files can then be skipped, and files from elsewhere or made differently are
recognised. The records are in a hidden file in the folder, with a line of JSON for each
file.
"""

import json
from pathlib import Path

from console.errors import InputError
from console.files import check_target

NAME = ".made.jsonl"

# Results of `Made.look`: the file does not exist; it has no record; it was made by
# another maker, or from an older version of its source; or it is finished.
MISSING, UNKNOWN, OTHERWISE, CHANGED, FINISHED = (
    *("missing", "unknown", "otherwise", "changed", "finished"),
)


class Made:
    """The records of a folder."""

    def __init__(self, folder: Path) -> None:
        """Reads the records of earlier runs.

        Args:
            folder: Folder of the files, which may lie in subfolders; need not exist.

        Raises:
            InputError: The records cannot be written.
        """
        self.folder, self.path = folder, folder / NAME
        check_target(self.path, "--output_path")
        self.records = _read(self.path)
        self.stamps: dict[Path, list] = {}

    def look(self, source: Path, target: Path, maker: str) -> str:
        """Returns the state of a file.

        Args:
            source: File that it is made from.
            target: The file, in the folder or below it.
            maker: Current maker, for example `"x.py --rounding=floor at x2"`.

        Returns:
            `MISSING`, `UNKNOWN`, `OTHERWISE`, `CHANGED` or `FINISHED`.
        """
        # Taken before the source is read, since it may change meanwhile.
        self.stamps[target] = [source.name, *_stamp(source)]
        if not target.is_file():
            return MISSING
        known = self._find(self._name(target))
        if known is None:
            return UNKNOWN
        if known["maker"] != maker:
            return OTHERWISE
        return FINISHED if known["source"] == self.stamps[target] else CHANGED

    def tell_maker(self, target: Path) -> str | None:
        """Returns the maker of a file; None if unknown."""
        return (self._find(self._name(target)) or {}).get("maker")

    def check_makers(self, maker: str) -> None:
        """Refuses a folder that holds files of another maker.

        Raises:
            InputError: There is such a file.
        """
        for name in self.records:
            before = (self._find(name) or {}).get("maker", maker)
            if before != maker:
                raise InputError(
                    f"{self.folder} holds {name}, made by {before}; {maker} makes "
                    "different files. Remove the folder or give another --output_path."
                )

    def add(self, target: Path, maker: str, written: Path | None = None) -> None:
        """Records a file that was made, or that needs no change.

        Args:
            target: The file.
            maker: Maker of the file.
            written: Temporary path of the finished file before its rename; None after
                it. A record is valid only for a file of the same size and time, so the
                records stay correct if the process is killed before the rename.

        Raises:
            OSError: The disk is full or read-only.
        """
        name, stamp = self._name(target), _stamp(written or target)
        record = {"file": name, "stamp": stamp, "source": self.stamps[target]}
        line = json.dumps({**record, "maker": maker})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The newline ends a line that a full disk truncated.
        with open(self.path, "ab", buffering=0) as file:
            text = f"\n{line}".encode()
            if file.write(text) < len(text):
                file.write(text)  # Raises the system's error.
        self.records.setdefault(name, []).append(json.loads(line))

    def _name(self, target):
        return target.relative_to(self.folder).as_posix()

    def _find(self, name):
        """Returns the last record of a file that matches its stamp, or None."""
        stamp = _stamp(self.folder / name)
        records = reversed(self.records.get(name, []))
        return next((known for known in records if known["stamp"] == stamp), None)


def _stamp(path):
    """Returns size and time of a file, which show changes; None if it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return [None, None]
    return [stat.st_size, stat.st_mtime_ns]


def _read(path: Path) -> dict[str, list]:
    """Reads the records by the names of files; skips damaged lines."""
    records: dict[str, list] = {}
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
