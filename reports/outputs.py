"""The files that a measurement is written to, as flags name them."""

import dataclasses
import json
import math
from pathlib import Path

from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say
from console.settings import PathName, Settings, option
from reports.csv_file import write_csv
from reports.gallery import Gallery
from reports.page import BYTES_FOR_PICTURES, write_page

# More sliders than this would leave each picture a few pixels.
MOST_IMAGES = 100


@dataclasses.dataclass(frozen=True)
class Outputs(Settings):
    """The files that are written; None for those that are not."""

    report_path: PathName | None = option(
        None, "JSON file for all numbers, those of each image too."
    )
    csv_path: PathName | None = option(
        None, "CSV file for all numbers, a row for each image and model."
    )
    report: PathName | None = option(
        None,
        "HTML file to look at: averages beside published ones, all images, and the "
        "worst and best of them beside bicubic and truth.",
    )
    report_images: int = option(
        12,
        "Images of each scale that --report shows, half the worst, half the best.",
        least=0,
        most=MOST_IMAGES,
    )

    def check(self):
        """Looks whether all of it can be written.

        Raises:
            InputError: Something cannot.
        """
        paths = {
            "--report_path": self.report_path,
            "--csv_path": self.csv_path,
            "--report": self.report,
        }
        flags = {}
        for flag, path in paths.items():
            if path is not None:
                check_target(path, flag)
                other = flags.setdefault(Path(path).resolve(), flag)
                if other != flag:
                    raise InputError(
                        f"{flag}={path} is the file of {other}, too; give two names."
                    )
        if self.report and Path(self.report).suffix.lower() not in (".html", ".htm"):
            raise InputError(
                f"--report={self.report}: it is a page for a browser, so its name has "
                "to end in .html. (--report_path is for JSON, --csv_path for CSV.)"
            )

    def make_gallery(self, scales, images, shave_size):
        """Makes what keeps pictures for the page.

        Args:
            scales: How many scales are measured.
            images: How many images each has.
            shave_size: HR pixels dropped at each border.

        Returns:
            Gallery: Of no images if no page is asked for.
        """
        count = self.report_images if self.report else 0
        shown = scales * min(count, images)
        room = BYTES_FOR_PICTURES // max(1, shown)
        return Gallery(count, room, shave_size)

    def write(self, report, gallery):
        """Writes all files, and says so.

        Args:
            report: As `validate.py` makes it.
            gallery: As `make_gallery` made it.
        """
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
    """Numbers that JSON does not know, as the PSNR of equal images, become null."""
    if isinstance(value, dict):
        return {key: _to_json(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
