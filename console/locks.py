"""One writer at a time: a lock on what a run writes, which goes with its process."""

import contextlib
import os
import socket
from pathlib import Path

from console.errors import InputError
from console.files import lock

NAME = ".lock"


class Lock:
    """Holds a small hidden file while entered; nobody else can hold it meanwhile.

    The system gives the lock back when the process ends, however it ends. On a network
    folder it holds as far as that folder's locks (`flock`) do.

    Attributes:
        path: The file; it is removed in the end, and so is its folder if it was made
            here and is empty.
    """

    def __init__(self, folder, flag, name=NAME):
        """Locks nothing yet.

        Args:
            folder: That is written to; made when missing.
            flag: What gave it and its value, for messages.
            name: Of the file.
        """
        self.path, self.flag = Path(folder) / name, flag
        self.file, self.made = None, False

    def __enter__(self):
        """Takes the lock and returns itself.

        Raises:
            InputError: Another process has it.
        """
        self.made = not self.path.parent.exists()
        self.take()
        return self

    def take(self):
        """Takes the lock, also anew where the folder was renamed and made again.

        Raises:
            InputError: Another process has it.
        """
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = open(self.path, "a+")
            except FileNotFoundError:  # Another has just removed the empty folder.
                continue
            if lock(file) is False:
                file.seek(0)
                holder = file.read(200).strip() or "a process that just started"
                file.close()
                raise InputError(
                    f"{self.flag}: is being written to by {holder} (which holds "
                    f"{self.path}). Wait for it, stop it, or give another."
                )
            # Whoever had it may have removed it just before it was ours.
            if _is_same(file, self.path):
                break
            file.close()
        self.file = file
        text = f"process {os.getpid()} on {socket.gethostname()}\n"
        with contextlib.suppress(OSError):  # A full disk: it is only for messages.
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), text.encode())

    def follow(self, folder):
        """Takes the lock of the folder made in place of one that was renamed.

        Args:
            folder: Where the old one is now.
        """
        old = self.file
        self.take()
        (Path(folder) / self.path.name).unlink(missing_ok=True)
        old.close()

    def __exit__(self, *_):
        """Gives the lock back."""
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
