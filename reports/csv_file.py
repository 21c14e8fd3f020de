"""All numbers of a report as a table for spreadsheets."""

import csv

from console.files import written_whole
from reports import by_model


def write_csv(path, report):
    """Writes a row for each scale, image and model, and one for each average.

    Infinite values are written `inf`; a value that is not there is left empty.

    Args:
        path: The file to be.
        report: As `validate.py` makes it.
    """
    rows = list(_list_rows(report))
    metrics = list(dict.fromkeys(name for *_, values in rows for name in values))
    # Spreadsheets know the encoding by the mark at the beginning.
    encoding = {"encoding": "utf-8-sig", "errors": "backslashreplace"}
    with written_whole(path) as aside, open(aside, "w", newline="", **encoding) as text:
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
