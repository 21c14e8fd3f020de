"""Finds image files in folders."""

import collections
import dataclasses
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from console.errors import InputError
from console.progress import say
from imaging.kinds import RESULT_ENDINGS

# Endings of the images of data sets. Folders of pictures to enlarge or to score may
# hold any of `imaging.kinds.KINDS`.
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclasses.dataclass
class Found:
    """Contents of a folder, without hidden files and folders.

    Attributes:
        images: Image files, sorted by path. Broken links are included, so that loading
            them reports the error.
        others: Number of other files by their endings.
        folders: Folders that were not searched.
    """

    images: list[Path]
    others: collections.Counter[str]
    folders: list[Path]

    def describe_rest(self) -> str:
        """Lists the other files, most frequent first: `"3 .gif, 1 .jp2, x2/"`."""
        others = sorted(self.others.items(), key=lambda item: (-item[1], item[0]))
        counts = [
            f"{count} {ending or 'without an ending'}" for ending, count in others
        ]
        return ", ".join([*counts, *(f"{path.name}/" for path in self.folders)])


def find_images(
    folder: Path | str,
    flag: str | None = None,
    expected: str = "a folder of images",
    recursive: bool = True,
    is_passed: Callable[[str], bool] | None = None,
    endings: Collection[str] = EXTENSIONS,
) -> Found:
    """Finds the image files and the other contents of a folder.

    Args:
        folder: The folder.
        flag: Flag of the folder, for messages, for example `"--input_path"`.
        expected: Description of the flag's value, for messages.
        recursive: Whether to search the folders inside it, too.
        is_passed: Returns whether to skip a folder inside it, given its path; None
            skips no folder.
        endings: Endings of the files that count as images, in lower case.

    Raises:
        InputError: The folder does not exist or holds no image.
    """
    folder = Path(folder)
    named = _check_folder(folder, flag, expected)
    found = look_into(folder, recursive, is_passed, endings)
    if not found.images:
        raise _explain_empty(named, found, endings)
    return found


def _check_folder(folder, flag, expected):
    """Returns the name of an existing folder for messages."""
    named = f"{flag}={folder}" if flag else str(folder)
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{named}: {state}; expected {expected}.")
    return named


def _explain_empty(named, found, endings):
    rest = found.describe_rest()
    return InputError(
        f"{named}: no images in this folder{f' (found {rest})' if rest else ''}; "
        f"expected files that end in {', '.join(endings)}."
    )


def look_into(
    folder: Path,
    recursive: bool,
    is_passed: Callable[[str], bool] | None = None,
    endings: Collection[str] = EXTENSIONS,
) -> Found:
    """Works like `find_images` for an existing folder, which may hold no images."""
    found = Found([], collections.Counter(), [])
    found.images = sorted(_stream(folder, recursive, is_passed, endings, found))
    found.folders.sort()
    return found


def _stream(folder, recursive, is_passed, endings, found):
    """Yields the images of a folder in any order, and counts the rest in `found`."""
    inside = (Path(entry.path) for entry in os.scandir(folder))
    for path in _walk(folder, is_passed, found.folders) if recursive else inside:
        if is_image_name(path, endings) and (path.is_file() or _is_broken_link(path)):
            yield path
        elif not path.name.startswith(".") and not path.is_dir():
            found.others[path.suffix.lower()] += 1


def _walk(folder, is_passed, passed, above=()):
    """Yields the files of a folder at all depths; follows links to folders.

    `passed` receives the skipped folders; `above` are the real paths of the folders
    above, to detect links that lead back.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        inside = os.scandir(folder)
    except OSError:
        raise InputError(
            f"{folder}: this folder is not readable; change its permissions or move it "
            "elsewhere."
        ) from None
    for entry in inside:
        # `entry.is_dir` would fail for a link to itself.
        if not os.path.isdir(entry.path) or entry.name.startswith("."):
            yield Path(entry.path)
        elif is_passed is not None and is_passed(entry.path):
            passed.append(Path(entry.path))
        else:
            yield from _walk(entry.path, is_passed, passed, (*above, real))


def is_image_name(path: Path, endings: Collection[str] = EXTENSIONS) -> bool:
    """Whether a file's name has one of some endings and is not hidden."""
    return not path.name.startswith(".") and path.suffix.lower() in endings


def _is_broken_link(path):
    return path.is_symlink() and not path.exists()


def stream_pictures(
    path: Path | str, flag: str, recursive: bool = False, tells: bool = True
) -> Iterator[Path]:
    """Yields a single picture, or the pictures of all kinds in a folder, in any order.

    `tells` is whether to print a line about other files in the folder.

    Raises:
        InputError: The path does not exist, or is a folder that holds no picture.
    """
    path = Path(path)
    if path.is_file():
        yield path
        return
    named = _check_folder(path, flag, "a picture or a folder of pictures")
    found, is_empty = Found([], collections.Counter(), []), True
    for each in _stream(path, recursive, None, RESULT_ENDINGS, found):
        is_empty = False
        yield each
    if is_empty:
        raise _explain_empty(named, found, RESULT_ENDINGS)
    if tells and (rest := found.describe_rest()):
        say(f"Left out of {path}: {rest}.")
