"""One page with all that was measured, which needs neither a network nor a server.

The page holds its data as JSON and scripts that draw it. They set text as text only, so
that no name of a file can become markup.
"""

import dataclasses
import html
import json
import math
import string
import time
from pathlib import Path

from console.files import written_whole
from console.flags import to_list
from reports import BICUBIC, by_model, published

# What the page may have, and how much of it pictures may take.
MOST_BYTES = 50_000_000
BYTES_FOR_PICTURES = 40_000_000

# More than is shown of any number, and little enough for tens of thousands of images.
DECIMALS = 6

_FOLDER = Path(__file__).parent
# The last one draws what the others define.
_SCRIPTS = (
    *("elements.js", "columns.js", "tables.js", "scatter.js", "cards.js"),
    "page.js",
)


def write_page(path, report, exhibits, most_bytes=MOST_BYTES):
    """Writes the page.

    Args:
        path: The file to be.
        report: As `validate.py` makes it.
        exhibits: From a scale to a dict from a name to a `reports.gallery.Exhibit`.
        most_bytes: Of the page; were it larger, it would show no pictures.
    """
    page = make_page(report, exhibits)
    if len(page) > most_bytes:
        page = make_page(report, {})
    with written_whole(path) as aside:
        aside.write_bytes(page)


def make_page(report, exhibits):
    """Makes the page; arguments as of `write_page`.

    Returns:
        bytes: HTML.
    """
    data = _to_json(_collect(report, exhibits))
    written = json.dumps(data, allow_nan=False, separators=(",", ":"))
    page = string.Template(_read("page.html")).substitute(
        title=html.escape(data["title"]),
        style=_read("page.css"),
        # Nothing in it can end the element that it stands in.
        data=written.replace("<", "\\u003c"),
        script="\n".join(map(_read, _SCRIPTS)),
    )
    return page.encode()


def _read(name):
    return (_FOLDER / name).read_text(encoding="utf-8")


def _to_json(value):
    """What JSON can hold: infinite numbers become text, and NaN becomes null."""
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
    """All that the page shows; see `page.js`."""
    paths = to_list(report["data_truth_path"])
    # What was published is of one data set.
    one = paths[0] if not paths[1:] else None
    data_set = one and published.find_data_set(one, report["images"])
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
    """What was measured, and how: from a name to a text."""
    step, made = report["step"], "made from these as MATLAB's imresize does"
    paths = to_list(report["data_truth_path"])
    if report["data_sr_path"] is not None:
        facts = {"pictures": report["data_sr_path"]}
    else:
        facts = {
            "model": report["model"],
            "checkpoint": report["restore_path"] or "none",
            **({} if step is None else {"training step": f"{step:,}"}),
            "precision": report["precision"],
        }
    return facts | {
        "images": f"{report['images']:,} from {', '.join(paths)}",
        "low-resolution images": ", ".join(to_list(report["data_input_path"])) or made,
        "left out at each border": f"{report['shave_size']} pixels",
        "measured": time.strftime("%Y-%m-%d %H:%M %z"),
    }


def _collect_scale(report, scale, data_set, exhibits):
    """What the page shows of one scale."""
    measured = report["scales"][scale]
    results = list(by_model(report, measured).values())
    theirs = published.find_published(data_set, scale)
    psnr_y = measured[BICUBIC]["average"]["psnr_y"]
    return {
        "scale": int(scale),
        "averages": [result["average"] for result in results],
        # In a list: JavaScript would sort names that are numbers.
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
    """An exhibit, with its pictures in lists of (name, URI)."""
    data = dataclasses.asdict(exhibit)
    data["crops"] = list(exhibit.crops.items())
    if exhibit.encoded is not None:
        data["encoded"]["uris"] = list(exhibit.encoded.uris.items())
    return data
