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


def _walk(folder):
    """Yields what is in a folder and in all in it, links to folders included.

    Raises:
        InputError: One of them may not be read.
    """

    def refuse(error):
        raise InputError(
            f"{error.filename}: this folder may not be read; change its permissions or "
            "move it away."
        )

    been = set()
    for top, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        been.add(os.path.realpath(top))
        # A link may lead back up.
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(top, name)) not in been
        ]
        yield from (Path(top, name) for name in files)


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
