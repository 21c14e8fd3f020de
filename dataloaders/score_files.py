"""Reads files of scores, and finds the pictures that they name."""

from collections.abc import Collection, Iterator
from pathlib import Path

from console.errors import InputError
from console.flags import to_finite
from imaging.listing import find_images


def find_files(
    folder: Path | str | None, endings: Collection[str], flag: str
) -> dict[str, Path]:
    """Finds files with lower-case `endings` at any depth below the folder of a flag.

    Returns:
        From a lower-case name without ending to a path; if several files share a name,
        the first in alphabetical order.

    Raises:
        InputError: The folder is None, does not exist or holds no such file.
    """
    if folder is None:
        raise InputError(f"{flag} must be given: the folder of the pictures.")
    expected = "a folder of pictures"
    found = find_images(folder, flag, expected, endings=endings).images
    # The picture of a broken link is missing, as that of a row without a file.
    return {path.stem.lower(): path for path in reversed(found) if path.exists()}


def read_table(
    path: Path | str, flag: str | None, columns: Collection[str]
) -> Iterator[tuple[int, list[str]]]:
    """Reads a text file of columns.

    Args:
        path: The file.
        flag: Flag of the file, for messages; None if no flag names it.
        columns: Names of the expected columns, for messages.

    Yields:
        The line's number and its columns; empty lines are skipped.

    Raises:
        InputError: The file does not exist, is not text, or has a row with too few
            columns.
    """
    path = Path(path)
    named = f"{flag}={path}" if flag else str(path)
    if not path.is_file():
        found = "is a folder" if path.exists() else "no such file"
        raise InputError(
            f"{named}: {found}; expected a score file ({', '.join(columns)})."
        )
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{named}: is not a text file.") from None
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
        raise InputError(f"{named}: is empty; expected a score file.")


def read_number(word: str, path: Path | str, number: int) -> float:
    """Reads a number in a line of a file of scores.

    Raises:
        InputError: The text is not a finite number.
    """
    try:
        return to_finite(word)
    except ValueError:
        said = f"{path}, line {number}: found {word!r}; expected a number."
        raise InputError(said) from None
