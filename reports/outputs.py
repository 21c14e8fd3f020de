"""Writes the files of a measurement, as the flags name them."""

import csv
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say
from console.settings import PathName, Settings, option
from reports import by_model
from reports.gallery import Gallery
from reports.page import BYTES_FOR_PICTURES, write_page

# With more images, each picture would have only a few pixels.
MOST_IMAGES = 100


@dataclasses.dataclass(frozen=True)
class Outputs(Settings):
    """The files to write; None for a file that is not written."""

    report_path: PathName | None = option(
        None, "JSON file for all numbers, including those of each image."
    )
    csv_path: PathName | None = option(
        None, "CSV file for all numbers, a row for each image and model."
    )
    report: PathName | None = option(
        None,
        "HTML page: averages beside published averages, the values of all images, and "
        "the worst and best images beside bicubic and truth.",
    )
    report_images: int = option(
        12,
        "Images of each scale that --report shows, half worst and half best images.",
        least=0,
        most=MOST_IMAGES,
    )

    def check(self) -> None:
        """See `Settings.check`: all files must be writable and differ."""
        flags: dict[Path, str] = {}
        for name in ("report_path", "csv_path", "report"):
            flag, path = f"--{name}", getattr(self, name)
            if path is not None:
                check_target(path, flag)
                other = flags.setdefault(Path(path).resolve(), flag)
                if other != flag:
                    raise InputError(
                        f"{flag}={path} is also the file of {other}; give two names."
                    )
        if self.report and Path(self.report).suffix.lower() not in (".html", ".htm"):
            raise InputError(
                f"--report={self.report}: expected a name that ends in .html, for an "
                "HTML page. (--report_path is for JSON, --csv_path for CSV.)"
            )

    def make_gallery(self, scales: int, images: int, shave_size: int) -> Gallery:
        """Makes the gallery that keeps pictures for the page; none without a page.

        Args:
            scales: Number of scales that are measured.
            images: Number of images of each scale.
            shave_size: HR pixels dropped at each border.
        """
        count = self.report_images if self.report else 0
        shown = scales * min(count, images)
        return Gallery(count, BYTES_FOR_PICTURES // max(1, shown), shave_size)

    def write(self, report: dict[str, Any], gallery: Gallery) -> None:
        """Writes the files of a report of `validate.py`, and says their paths."""
        if self.report_path is not None:
            with written_whole(self.report_path) as aside:
                aside.write_text(json.dumps(_to_json(report), indent=2) + "\n")
        if self.csv_path is not None:
            write_csv(self.csv_path, report)
        if self.report is not None:
            write_page(self.report, report, gallery.exhibits)
        for path in (self.report_path, self.csv_path, self.report):
            if path is not None:
                say(f"Wrote {path}")


def _to_json(value):
    """Replaces numbers that are not finite, such as the PSNR of equal images."""
    if isinstance(value, dict):
        return {key: _to_json(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_csv(path: Path | str, report: dict[str, Any]) -> None:
    """Writes a row for each scale, image and model, and a row for each average.

    Infinite values are written as `inf`; missing values are left empty.
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
