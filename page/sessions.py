"""The users of a page: their files and their turns.

The files are private, under names of our own, and removed in time. What a user calls a
picture is a text to show. It decides the ending of the file, if a picture has such an
ending, and the name of the download, and never a path.
"""

import contextlib
import re
import secrets
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from console.files import lock, written_whole
from imaging.kinds import RESULT_ENDINGS

SECONDS_KEPT = 3600.0
_PREFIX, _LOCK = "perceptual-eusr-", "lock"
_LONGEST_NAME = 100
# Seconds between looks at whether a thread still wants its turn.
_PATIENCE = 0.25
# What Windows and the Linux shells do not take in names, and names that are devices.
_BAD = re.compile(r'[<>:"/\\|?*$`]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def to_plain_name(name: str) -> str:
    """Returns the name of a file as it can be shown, saved and put into a zip file.

    It has no folders, control characters and leading dots, whatever somebody gave.
    """
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(each for each in name if each.isprintable())
    stem, dot, ending = _BAD.sub("", name).strip(" .").rpartition(".")
    if not dot or f".{ending.lower()}" not in RESULT_ENDINGS:
        stem, ending = f"{stem}{dot}{ending}", ""
    stem = stem[:_LONGEST_NAME].strip(" .") or "picture"
    stem = f"_{stem}" if _DEVICE.fullmatch(stem) else stem
    return f"{stem}.{ending}" if ending else stem


class Session:
    """The files of one user.

    Attributes:
        key: A secret that only the user's browser knows.
        folder: The folder of the files.
        to_stop: Set to stop the user's work.
        is_busy: Locked while the user's work goes on.
        downloads: Numbers of the offered files that are results.
    """

    def __init__(self, root: Path):
        # 144 bits; the folder's name is another, which no message tells.
        self.key = secrets.token_urlsafe(18)
        self.folder = root / secrets.token_hex(16)
        self.folder.mkdir(mode=0o700)
        self.to_stop, self.is_busy = threading.Event(), threading.Lock()
        self._files: dict[str, tuple[Path, str]] = {}
        self.downloads: list[str] = []

    def clear(self) -> Path:
        """Removes all files, and returns an empty folder for others."""
        self._files, self.downloads = {}, []
        for path in self.folder.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        return folder

    def offer(self, path: Path, name: str | None = None) -> tuple[str, str]:
        """Offers a file to the user's browser.

        Args:
            path: The file.
            name: What the user calls it, for a download; None for a file to show.

        Returns:
            The file's address below that of the page, and the name of the download.
        """
        number = str(len(self._files) + 1)
        taken = {self._files[each][1].lower() for each in self.downloads}
        if name is not None:
            stem, ending, count = Path(name).stem, path.suffix, 1
            name = f"{stem}{ending}"
            while name.lower() in taken:
                count += 1
                name = f"{stem} ({count}){ending}"
            self.downloads.append(number)
        self._files[number] = path, name or ""
        return f"results/{self.key}/{number}", name or ""

    def find(self, number: str) -> tuple[Path | None, str]:
        """Returns an offered file, None if it is gone, and its name if it has one."""
        path, name = self._files.get(number, (None, ""))
        return (path if path is not None and path.is_file() else None), name

    def zip(self) -> Path | None:
        """Puts all downloads into a zip file; None if there are none."""
        files = [self._files[number] for number in self.downloads]
        files = [(path, name) for path, name in files if path.is_file()]
        if not files:
            return None
        target = files[0][0].parent / "all.zip"
        # Pictures are compressed already.
        with written_whole(target) as aside, zipfile.ZipFile(aside, "w") as archive:
            for path, name in files:
                archive.write(path, name)
        return target


class Sessions:
    """The sessions of a server, in a folder that only its user may read."""

    def __init__(self) -> None:
        """Makes the folder, and removes those of servers that were killed."""
        parent = Path(tempfile.gettempdir())
        for old in parent.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError), open(old / _LOCK, "r+b") as file:
                if lock(file):
                    shutil.rmtree(old, ignore_errors=True)
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._lock = open(self.root / _LOCK, "w+b")  # noqa: SIM115 - closed by `close`
        lock(self._lock)
        self.uploads = self.root / "uploads"
        self.uploads.mkdir()
        self._is_changing = threading.Lock()
        self._by_user: dict[str, Session] = {}
        self._by_key: dict[str, Session] = {}

    def open(self, user: str) -> Session:
        """Returns the session of a user, who is named by a secret of the browser."""
        with self._is_changing:
            if user not in self._by_user:
                session = self._by_user[user] = Session(self.root)
                self._by_key[session.key] = session
            return self._by_user[user]

    def find(self, key: str) -> Session | None:
        """Returns the session of a key; None for a wrong key."""
        return self._by_key.get(key)

    def sweep(self, seconds: float = SECONDS_KEPT) -> None:
        """Removes files that are older, and sessions without files.

        Files of work that still goes on are kept until it ends.
        """
        before = time.time() - seconds
        with self._is_changing:
            for user, session in list(self._by_user.items()):
                if not session.is_busy.locked():
                    _remove_older(session.folder, before)
                    if not session.folder.exists():
                        del self._by_user[user], self._by_key[session.key]
            _remove_older(self.uploads, before)
            self.uploads.mkdir(exist_ok=True)

    def close(self) -> None:
        """Stops all work and removes all files."""
        for session in list(self._by_user.values()):
            session.to_stop.set()
        self._lock.close()
        shutil.rmtree(self.root, ignore_errors=True)


def _remove_older(folder, before):
    """Removes a folder and what is in it as far as it has not changed since a time."""
    # Folders come after what is in them.
    for path in sorted([folder, *folder.rglob("*")], reverse=True):
        with contextlib.suppress(OSError):
            # A link to an upload, made when it is used, changes this time as well.
            if path.lstat().st_ctime <= before:
                (path.rmdir if path.is_dir() else path.unlink)()


class Turns:
    """A lock that is fair, unlike `threading.Lock`, and tells how many come first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[object] = []

    @contextlib.contextmanager
    def taken(self, tell: Callable[[int], None]) -> Iterator[None]:
        """Waits for this thread's turn, which ends with the block.

        Args:
            tell: Called several times a second with the number of turns that come
                first; an exception of it gives the turn up.
        """
        ticket = object()
        self._waiting.append(ticket)
        try:
            while ahead := self._waiting.index(ticket):
                tell(ahead)
                with self._changed:
                    self._changed.wait(_PATIENCE)
            yield
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()
