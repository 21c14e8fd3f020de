"""Writes all numbers of a report as a table for spreadsheets."""

import csv
from pathlib import Path
from typing import Any

from console.files import written_whole
from reports import by_model


def write_csv(path: Path | str, report: dict[str, Any]) -> None:
    """Writes a row for each scale, image and model, and a row for each average.

    Infinite values are written as `inf`; missing values are left empty.

    Args:
        path: The file to write.
        report: The report of `validate.py`.
    """
    rows = list(_list_rows(report))
    metrics = list(dict.fromkeys(name for *_, values in rows for name in values))
    with (
        written_whole(path) as aside,
        # Spreadsheets detect the encoding by the byte order mark.
        open(
            aside, "w", encoding="utf-8-sig", errors="backslashreplace", newline=""
        ) as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["kind", "scale", "image", "model", *metrics])
        for *head, values in rows:
            cells = [values.get(metric, "") for metric in metrics]
            # Only NaN differs from itself.
            writer.writerow([*head, *("" if x != x else x for x in cells)])


def _list_rows(report):
    """Yields kind, scale, image, model and values."""
    for scale, measured in report["scales"].items():
        results = by_model(report, measured)
        for model, result in results.items():
            for image, values in result["images"].items():
                yield "image", scale, image, model, values
        for model, result in results.items():
            yield "average", scale, "", model, result["average"]
