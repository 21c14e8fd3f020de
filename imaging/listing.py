"""Finds image files in folders."""

import collections
import dataclasses
import os
from pathlib import Path

from console.errors import InputError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclasses.dataclass
class Found:
    """What a folder holds; hidden files and folders are not counted.

    Attributes:
        images: list of Path, sorted by name.
        others: How many files are no images, a Counter by their endings.
        folders: list of Path: folders that were not looked into.
    """

    images: list
    others: collections.Counter
    folders: list

    def describe_rest(self):
        """What is no image, most first: `"3 .gif, 1 .jp2, x2/"`; empty for nothing."""
        counts = [
            f"{count} {ending or 'without an ending'}"
            for ending, count in sorted(
                self.others.items(), key=lambda item: (-item[1], item[0])
            )
        ]
        return ", ".join([*counts, *(f"{path.name}/" for path in self.folders)])


def list_images(folder, flag=None, expected="a folder of images", deep=False):
    """Lists the image files of a folder.

    Args:
        folder: Where to look.
        flag: What gave the folder, for messages, for example `"--input_path"`.
        expected: What the flag takes, for messages.
        deep: Whether folders inside it are looked into, too.

    Returns:
        list of Path: Sorted by name, at least one; hidden files and folders are left
        out. Links that lead nowhere are among them, so that whoever loads them says so.

    Raises:
        InputError: There is no such folder, or no image in it.
    """
    return find_images(folder, flag, expected, deep).images


def find_images(
    folder, flag=None, expected="a folder of images", deep=True, is_passed=None
):
    """Finds the image files of a folder, and what else it holds.

    Args:
        folder: See `list_images`, as the following.
        flag: What gave the folder.
        expected: What the flag takes.
        deep: Whether folders inside it are looked into, too.
        is_passed: Called with the path of a folder inside it, a str; whether that is
            passed over. None for none.

    Returns:
        Found.

    Raises:
        InputError: There is no such folder, or no image in it.
    """
    folder = Path(folder)
    named = f"{flag}={folder}" if flag else str(folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{named}: {found}; expected {expected}.")
    found = look_into(folder, deep, is_passed)
    if not found.images:
        rest = found.describe_rest()
        raise InputError(
            f"{named}: no images in this folder{f' ({rest} in it)' if rest else ''}; "
            f"expected files that end in {', '.join(EXTENSIONS)}."
        )
    return found


def look_into(folder, deep, is_passed=None):
    """As `find_images`, of a folder that is there and may be without images."""
    found = Found([], collections.Counter(), [])
    for path in _walk(folder, is_passed, found.folders) if deep else folder.iterdir():
        if _is_image(path):
            found.images.append(path)
        elif not path.name.startswith(".") and not path.is_dir():
            found.others[path.suffix.lower()] += 1
    found.images.sort()
    found.folders.sort()
    return found


def _walk(folder, is_passed=None, passed=None, above=()):
    """Yields the files of a folder and of all in it, links to folders included.

    Args:
        folder: The folder.
        is_passed: See `find_images`.
        passed: list that takes the folders that are passed over.
        above: What it lies in, without links: one may lead back up.

    Raises:
        InputError: One of them may not be read.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        inside = list(os.scandir(folder))
    except OSError:
        raise InputError(
            f"{folder}: this folder may not be read; change its permissions or move it "
            "away."
        ) from None
    for entry in inside:
        # Not `entry.is_dir`, which fails for a link to itself.
        if not os.path.isdir(entry.path) or entry.name.startswith("."):
            yield Path(entry.path)
        elif is_passed is not None and is_passed(entry.path):
            passed.append(Path(entry.path))
        else:
            yield from _walk(entry.path, is_passed, passed, (*above, real))


def is_image_name(path):
    """Whether the name of a Path is that of an image, and not hidden."""
    return not path.name.startswith(".") and path.suffix.lower() in EXTENSIONS


def _is_image(path):
    """Whether it looks like one, by its name."""
    if not is_image_name(path):
        return False
    return path.is_file() or (path.is_symlink() and not path.exists())


def list_pictures(path, flag, deep=False):
    """A picture alone, or those of a folder; see `list_images`."""
    path = Path(path)
    if path.is_file():
        return [path]
    return list_images(path, flag, "a picture or a folder of pictures", deep)
