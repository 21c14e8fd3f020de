"""A lock on a folder that a run writes; it ends with the process."""

import contextlib
import os
import socket
from pathlib import Path
from typing import Self, TextIO

from console.errors import InputError
from console.files import lock

NAME = ".lock"


class Lock:
    """Locks a small hidden file while entered.

    The system releases the lock when the process ends in any way. On a network folder
    it depends on that folder's support of `flock`.

    Attributes:
        path: The file; it is removed at the end, and so is its folder if the lock made
            it and it is empty.
    """

    def __init__(self, folder: Path | str, flag: str, name: str = NAME) -> None:
        """Locks nothing yet.

        Args:
            folder: Folder to lock; made if missing.
            flag: Flag that gave the folder and its value, for messages.
            name: Name of the file.
        """
        self.path, self.flag = Path(folder) / name, flag
        self.file: TextIO | None = None
        self.made = False

    def __enter__(self) -> Self:
        self.made = not self.path.parent.exists()
        self.take()
        return self

    def take(self) -> None:
        """Takes the lock, also again after the folder was renamed and remade.

        Raises:
            InputError: Another process has it.
        """
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = open(self.path, "a+")  # noqa: SIM115 - open as long as the lock is held
            except FileNotFoundError:  # Another process removed the empty folder.
                continue
            if lock(file) is False:
                file.seek(0)
                holder = file.read(200).strip() or "a process that just started"
                file.close()
                raise InputError(
                    f"{self.flag} is in use by {holder}, which holds {self.path}. Wait "
                    "for it, stop it, or give another path."
                )
            # The previous holder may have removed the file before it was locked here.
            if _is_same(file, self.path):
                break
            file.close()
        self.file = file
        text = f"process {os.getpid()} on {socket.gethostname()}\n"
        with contextlib.suppress(OSError):  # A full disk; the text is for messages.
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), text.encode())

    def follow(self, folder: Path | str) -> None:
        """Locks a new folder in place of the old, which was renamed to `folder`."""
        old = self.file
        self.take()
        (Path(folder) / self.path.name).unlink(missing_ok=True)
        old.close()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if _is_same(self.file, self.path):
                self.path.unlink()
        self.file.close()
        if self.made:
            with contextlib.suppress(OSError):  # Not empty, as a rule.
                self.path.parent.rmdir()


def _is_same(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
