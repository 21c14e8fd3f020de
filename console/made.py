"""Records which files of a folder a program made, how, and from which source.

Finished files can then be skipped, and files from elsewhere or made differently are
recognised. The records are in a hidden file in the folder, with a line of JSON for each
file. Processes that share the work of one folder write a file each, in a hidden folder:
on a network folder, two machines that append to one file overwrite each other's lines.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from console.errors import InputError
from console.files import check_target

NAME, PARTS = ".made.jsonl", ".made"

# Results of `Made.look`: the file does not exist; it has no record; it was made by
# another maker, or from an older version of its source; or it is finished.
MISSING, UNKNOWN, OTHERWISE = "missing", "unknown", "otherwise"
CHANGED, FINISHED = "changed", "finished"


class Made:
    """The records of a folder.

    SQLite holds them, and moves them to the disk when they are many.
    """

    def __init__(
        self, folder: Path, writer: str | None = None, reads: bool = True
    ) -> None:
        """Reads the records of earlier runs.

        Args:
            folder: Folder of the files, which may lie in subfolders; need not exist.
            writer: Name of this process among those that share the work; None if it
                works alone.
            reads: Whether to read the records; False if they are only added to.
        """
        self.folder, self.path = folder, folder / NAME
        if writer is not None:
            self.path = folder / PARTS / f"{writer}.jsonl"
        check_target(self.path, "--output_path")
        # A temporary database; `add` is called in another thread than `look`.
        self.records = sqlite3.connect(
            "", isolation_level=None, check_same_thread=False
        )
        self.records.execute("CREATE TABLE records (file BLOB, record TEXT)")
        self.records.execute("CREATE INDEX files ON records (file)")
        paths = [folder / NAME, *sorted((folder / PARTS).glob("*.jsonl"))]
        self.records.execute("BEGIN")
        for path in paths if reads else ():
            self.records.executemany("INSERT INTO records VALUES (?, ?)", _read(path))
        self.records.execute("COMMIT")

    def look(self, source: Path, target: Path, maker: str) -> str:
        """Returns the state of a file, for example `MISSING`.

        Args:
            source: File that it is made from.
            target: The file, in the folder or below it.
            maker: Current maker, for example `"x.py --rounding=floor at x2"`.
        """
        if not target.is_file():
            return MISSING
        known = self._find(self._name(target))
        if known is None:
            return UNKNOWN
        if known["maker"] != maker:
            return OTHERWISE
        return FINISHED if known["source"] == stamp_source(source) else CHANGED

    def tell_maker(self, target: Path) -> str | None:
        """Returns the maker of a file; None if unknown."""
        return (self._find(self._name(target)) or {}).get("maker")

    def check_makers(self, maker: str) -> None:
        """Refuses a folder that holds files of another maker.

        Raises:
            InputError: There is such a file.
        """
        for (file,) in self.records.execute("SELECT DISTINCT file FROM records"):
            name = file.decode(errors="surrogatepass")
            before = (self._find(name) or {}).get("maker", maker)
            if before != maker:
                raise InputError(
                    f"{self.folder} holds {name}, made by {before}; {maker} makes "
                    "different files. Remove the folder or give another --output_path."
                )

    def add(
        self, target: Path, maker: str, source: list, written: Path | None = None
    ) -> None:
        """Records a file that was made, or that needs no change.

        Args:
            target: The file.
            maker: Maker of the file.
            source: Result of `stamp_source` before the source was read, since it may
                change meanwhile.
            written: Temporary path of the finished file before its rename; None after
                it. A record is valid only for a file of the same size and time, so the
                records stay correct if the process is killed before the rename.

        Raises:
            OSError: The disk is full or read-only.
        """
        name, stamp = self._name(target), _stamp(written or target)
        record = {"file": name, "stamp": stamp, "source": source}
        line = json.dumps({**record, "maker": maker})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The newline ends a line that a full disk truncated.
        with open(self.path, "ab", buffering=0) as file:
            text = f"\n{line}".encode()
            if file.write(text) < len(text):
                file.write(text)  # Raises the system's error.
        values = (_to_bytes(name), line)
        self.records.execute("INSERT INTO records VALUES (?, ?)", values)

    def _name(self, target):
        return target.relative_to(self.folder).as_posix()

    def _find(self, name):
        """Returns the last record of a file that matches its stamp, or None."""
        stamp = _stamp(self.folder / name)
        found = self.records.execute(
            "SELECT record FROM records WHERE file = ? ORDER BY rowid DESC",
            (_to_bytes(name),),
        )
        records = (json.loads(text) for (text,) in found)
        return next((known for known in records if known["stamp"] == stamp), None)


def stamp_source(source: Path) -> list:
    """Returns name, size and time of the source of a file, which show changes."""
    return [source.name, *_stamp(source)]


def _stamp(path):
    """Returns size and time of a file, which show changes; None if it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return [None, None]
    return [stat.st_size, stat.st_mtime_ns]


def _read(path: Path) -> Iterator[tuple[bytes, str]]:
    """Reads names of files and their records; skips damaged lines."""
    with contextlib.suppress(OSError), open(path, errors="replace") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                known = json.loads(line)
                wanted = {name: known[name] for name in ("stamp", "source", "maker")}
                yield _to_bytes(str(known["file"])), json.dumps(wanted)


def _to_bytes(name):
    # Names of files need not be UTF-8, and SQLite's texts are.
    return name.encode(errors="surrogatepass")
