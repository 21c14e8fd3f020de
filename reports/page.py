"""Writes a measurement as one HTML page that needs no network and no server.

The page holds its data as JSON, and scripts that draw it. The scripts insert text only
as text nodes, so that no file name can become markup.
"""

import dataclasses
import html
import json
import math
import string
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.files import written_whole
from console.flags import to_list
from reports import BICUBIC, by_model, published
from reports.gallery import Exhibit

# Largest size of the page, and of its pictures.
MOST_BYTES = 50_000_000
BYTES_FOR_PICTURES = 40_000_000

# More decimals than the page shows, but few enough for tens of thousands of images.
DECIMALS = 6

# Exhibits of each scale, by the names of their images.
Exhibits = Mapping[int, Mapping[str, Exhibit]]

_FOLDER = Path(__file__).parent
# The last script calls the functions of the others.
_SCRIPTS = (
    *("elements.js", "columns.js", "tables.js", "scatter.js", "divider.js"),
    *("cards.js", "page.js"),
)


def write_page(
    path: Path | str,
    report: dict[str, Any],
    exhibits: Exhibits,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Writes the page, without pictures if it would be larger than `most_bytes`."""
    page = make_page(report, exhibits)
    if len(page) > most_bytes:
        page = make_page(report, {})
    with written_whole(path) as aside:
        aside.write_bytes(page)


def make_page(report: dict[str, Any], exhibits: Exhibits) -> bytes:
    """Makes the HTML of the page; see `write_page`."""
    data = _to_json(_collect(report, exhibits))
    written = json.dumps(data, allow_nan=False, separators=(",", ":"))
    page = string.Template(_read("page.html")).substitute(
        title=html.escape(data["title"]),
        style=_read("page.css") + _read("divider.css"),
        # No `<` in the data, which could end its element.
        data=written.replace("<", "\\u003c"),
        script="\n".join(map(_read, _SCRIPTS)),
    )
    return page.encode()


def _read(name):
    return (_FOLDER / name).read_text(encoding="utf-8")


def _to_json(value):
    """Converts values for JSON: infinite numbers become text, NaN becomes null."""
    if isinstance(value, dict):
        return {_to_json(key): _to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        if math.isfinite(value):
            return round(value, DECIMALS)
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value)
    return value


def _collect(report, exhibits):
    """Collects the data of the page; see `page.js`."""
    paths = to_list(report["data_truth_path"])
    # Published results are of a single data set, and of bicubic LR images.
    data_set = None
    if len(paths) == 1 and report["degradation"] is None:
        data_set = published.find_data_set(paths[0], report["images"])
    name = data_set or ", ".join(Path(path).absolute().name for path in paths)
    scales = ", ".join(f"x{scale}" for scale in report["scales"])
    return {
        "title": f"{report['model']} {scales} on {name}",
        "facts": list(_list_facts(report).items()),
        "models": list(dict.fromkeys([report["model"], BICUBIC])),
        "scales": [
            _collect_scale(report, scale, data_set, exhibits.get(int(scale), {}))
            for scale in report["scales"]
        ],
    }


def _list_facts(report):
    """Lists the conditions of the measurement, from a name to a text."""
    step, made = report["step"], "computed from the images by MATLAB's imresize"
    if report["degradation"] is not None:
        made = f"degraded from the images ({report['degradation']})"
    # See `validate.py --naturalness`.
    mixture = {}
    if report["naturalness"] is not None:
        share = f"{report['naturalness']:g}"
        mixture = {"naturalness": share, "mixed with": report["exact_path"]}
    paths = to_list(report["data_truth_path"])
    if report["data_sr_path"] is not None:
        facts = {"pictures": report["data_sr_path"]}
    else:
        facts = {
            "model": report["model"],
            "checkpoint": report["restore_path"] or "none",
            **mixture,
            **({} if step is None else {"training step": f"{step:,}"}),
            "precision": report["precision"],
        }
    return facts | {
        "images": f"{report['images']:,} from {', '.join(paths)}",
        "low-resolution images": ", ".join(to_list(report["data_input_path"])) or made,
        "dropped at each border": f"{report['shave_size']} pixels",
        "measured": time.strftime("%Y-%m-%d %H:%M %z"),
    }


def _collect_scale(report, scale, data_set, exhibits):
    """Collects the data of one scale."""
    measured = report["scales"][scale]
    results = list(by_model(report, measured).values())
    theirs = published.find_published(data_set, scale)
    psnr_y = measured[BICUBIC]["average"]["psnr_y"]
    return {
        "scale": int(scale),
        "averages": [result["average"] for result in results],
        # A list, because JavaScript would sort names that are numbers.
        "images": [
            {"name": name, "values": [result["images"][name] for result in results]}
            for name in measured["images"]
        ],
        "published": theirs,
        "warnings": published.list_warnings(theirs, report["shave_size"], psnr_y),
        "remark": published.describe_indices(theirs),
        "exhibits": [_collect_exhibit(exhibit) for exhibit in exhibits.values()],
    }


def _collect_exhibit(exhibit):
    """Converts an exhibit, with its pictures as lists of (name, URI)."""
    data = dataclasses.asdict(exhibit)
    data["crops"] = list(exhibit.crops.items())
    if exhibit.encoded is not None:
        data["encoded"]["uris"] = list(exhibit.encoded.uris.items())
    return data
