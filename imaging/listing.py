"""Finds image files in folders."""

import os
from pathlib import Path

from console.errors import InputError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


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
    folder = Path(folder)
    named = f"{flag}={folder}" if flag else str(folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{named}: {found}; expected {expected}.")
    found = _walk(folder) if deep else folder.iterdir()
    paths = sorted(path for path in found if _is_image(path))
    if not paths:
        raise InputError(
            f"{named}: no images in this folder; expected files that end in "
            f"{', '.join(EXTENSIONS)}."
        )
    return paths


def _walk(folder, above=()):
    """Yields the files of a folder and of all in it, links to folders included.

    Args:
        folder: The folder.
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
        if os.path.isdir(entry.path) and not entry.name.startswith("."):
            yield from _walk(entry.path, (*above, real))
        else:
            yield Path(entry.path)


def _is_image(path):
    """Whether it looks like one, by its name."""
    if path.name.startswith(".") or path.suffix.lower() not in EXTENSIONS:
        return False
    return path.is_file() or (path.is_symlink() and not path.exists())


def list_pictures(path, flag, deep=False):
    """A picture alone, or those of a folder; see `list_images`."""
    path = Path(path)
    if path.is_file():
        return [path]
    return list_images(path, flag, "a picture or a folder of pictures", deep)
