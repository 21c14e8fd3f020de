"""Reads the files of scores, and finds the pictures that they name."""

from pathlib import Path

import numpy as np

from console.errors import InputError


def find_files(folder, endings, flag):
    """Finds files anywhere below a folder, by their names without ending.

    Args:
        folder: Where to look.
        endings: Lower-case endings, for example `(".jpg",)`.
        flag: What gave the folder, for messages.

    Returns:
        dict: From a lower-case name without ending to a path; of several, the first
        in alphabetical order.

    Raises:
        InputError: There is no such folder, or no such file in it.
    """
    if folder is None:
        raise InputError(f"{flag} must be given: the folder of the pictures.")
    folder = Path(folder)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{flag}={folder}: {found}; expected a folder of pictures.")
    paths = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in endings and path.is_file():
            paths.setdefault(path.stem.lower(), path)
    if not paths:
        raise InputError(
            f"{flag}={folder}: no file in it or below it ends in "
            f"{' or '.join(endings)}."
        )
    return paths


def read_table(path, flag, columns):
    """Reads a text file of columns.

    Args:
        path: The file.
        flag: What gave it, for messages; None where nothing did.
        columns: What a row holds, for messages: a name for each column.

    Yields:
        (int, list of str): The line's number and its columns; empty lines are left
        out.

    Raises:
        InputError: There is no such file, it is no text, or a row has too few
            columns.
    """
    path = Path(path)
    named = f"{flag}={path}" if flag else str(path)
    if not path.is_file():
        found = "is a folder" if path.exists() else "no such file"
        raise InputError(
            f"{named}: {found}; expected the file of scores ({', '.join(columns)})."
        )
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{named}: is no text file.") from None
    rows = 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) < len(columns):
            raise InputError(
                f"{path}, line {number}: found {line[:60]!r}; expected "
                f"{len(columns)} columns: {', '.join(columns)}."
            )
        rows += 1
        yield number, words
    if not rows:
        raise InputError(f"{named}: is empty; expected the file of scores.")


def read_number(word, path, number):
    """Reads a number of a file of scores.

    Raises:
        InputError: It is none, or not finite.
    """
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"{path}, line {number}: found {word!r}; expected a number.")
    return value
