"""The table of a run under JAX: losses, step times and results of validations."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.files import written_whole
from console.progress import warn

NAME = "log.csv"
WHOLE = ("step", "scale")

# Each row is from a column to a number.
Rows = Sequence[Mapping[str, float]]


def write(folder: Path | str, rows: Rows) -> None:
    """Writes rows as CSV, completely or not at all, with the columns of all rows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows({n: _to_text(value) for n, value in row.items()} for row in rows)
    with written_whole(Path(folder) / NAME) as aside:
        aside.write_text(text.getvalue())


def _to_text(value):
    return f"{value:.8g}" if isinstance(value, float) else value


def read(folder: Path | str, step: int) -> list[dict[str, float]]:
    """Reads the rows up to a step; none, with a warning, of a damaged log."""
    path = Path(folder) / NAME
    if not path.exists():
        return []
    try:
        with open(path, newline="") as file:
            rows = [
                {n: (int if n in WHOLE else float)(v) for n, v in row.items() if v}
                for row in csv.DictReader(file, strict=True)
            ]
        return [row for row in rows if row["step"] <= step]
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error):
        warn(f"{path}: is damaged; a new one is begun.")
        return []
