"""One page with all that was measured, which needs neither a network nor a server."""

import string
import time
from pathlib import Path

from console.files import written_whole
from console.flags import to_list
from reports import published
from reports.cards import make_cards, name_card
from reports.columns import COLUMNS, list_columns
from reports.markup import element, join
from reports.scatter import make_legend, make_scatter
from reports.tables import (
    MOST_ROWS,
    get_results,
    list_models,
    make_averages,
    make_filters,
    make_image_table,
)

# What the page may have, and how much of it pictures may take.
MOST_BYTES = 50_000_000
BYTES_FOR_PICTURES = 40_000_000

_FOLDER = Path(__file__).parent


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
    paths = to_list(report["data_truth_path"])
    # What was published is of one data set.
    data_set = (
        published.find_data_set(paths[0], report["images"]) if not paths[1:] else None
    )
    names = [Path(path).absolute().name for path in paths]
    name = data_set.name if data_set else ", ".join(names)
    scales = ", ".join(f"x{scale}" for scale in report["scales"])
    title = f"{report['model']} {scales} on {name}"
    page = string.Template(_read("page.html")).substitute(
        title=join(title),
        style=_read("page.css"),
        script=_read("page.js"),
        body=join(
            element("h1", title),
            _make_facts(report),
            _make_averages(report, data_set),
            _make_meanings(report),
            _make_scatters(report),
            _make_gallery(report, exhibits),
            _make_images(report, exhibits),
        ),
    )
    return page.encode("utf-8", "backslashreplace")


def _read(name):
    return (_FOLDER / name).read_text(encoding="utf-8")


def _make_facts(report):
    """What was measured, and how."""
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
    facts |= {
        "images": f"{report['images']:,} from {', '.join(paths)}",
        "low-resolution images": ", ".join(to_list(report["data_input_path"])) or made,
        "left out at each border": f"{report['shave_size']} pixels",
        "measured": time.strftime("%Y-%m-%d %H:%M %z"),
    }
    pairs = [
        element("div", element("dt", name), element("dd", fact))
        for name, fact in facts.items()
    ]
    return element("dl", *pairs, class_="facts")


def _make_averages(report, data_set):
    parts = []
    for scale, measured in report["scales"].items():
        results = published.find_published(data_set, int(scale))
        bicubic = measured["bicubic"]["average"]["psnr_y"]
        warnings = published.list_warnings(results, report["shave_size"], bicubic)
        parts += [
            element("h3", f"x{scale}"),
            make_averages(report, measured, results),
            *(element("p", warning, class_="warning") for warning in warnings),
            _make_remark(published.describe_indices(results)),
        ]
    return element("section", element("h2", "Averages"), *parts)


def _make_remark(text):
    return None if text is None else element("p", text, class_="remark")


def _make_meanings(report):
    average = next(iter(report["scales"].values()))["average"]
    pairs = [
        element(
            "div",
            element("dt", c.metric, " ", element("small", c.hint)),
            element("dd", c.meaning),
        )
        for c in COLUMNS
        if c in list_columns(average)
    ]
    text = (
        "Each picture is rounded to 8 bits and its border left out before it is "
        "measured. Luma is BT.601's. Bicubic, which anyone can compute without "
        "training, is what a network has to be better than."
    )
    return element(
        "details",
        element("summary", "What the numbers mean"),
        element("p", text),
        element("dl", *pairs),
        open=True,
    )


def _make_scatters(report):
    """A drawing for each scale; None where NIQE was not measured."""
    models, parts = list_models(report), []
    for scale, measured in report["scales"].items():
        results = {m: get_results(measured, m)["images"] for m in models}
        if "niqe" in measured["average"]:
            drawing = make_scatter(results)
            nothing = _make_remark("No image has both numbers.")
            parts += [element("h3", f"x{scale}"), drawing or nothing]
    if not parts:
        return None
    text = (
        "Each mark is an image. To the right is nearer to the truth, further down is "
        "more natural to look at. Point at a mark for its name."
    )
    head = element("h2", "PSNR against NIQE")
    return element("section", head, element("p", text), make_legend(models), *parts)


def _make_gallery(report, exhibits):
    shown = {scale: list(some.values()) for scale, some in exhibits.items() if some}
    if not shown:
        return None
    text = (
        "By psnr_y. Drag the divider over a picture, or move it with the arrow keys, "
        "and choose above it which two are compared. The frame marks the region that "
        "is enlarged below."
    )
    parts = []
    for scale, some in shown.items():
        is_all = len(some) == len(report["scales"][str(scale)]["images"])
        cards = make_cards(report, scale, some, is_all)
        parts += [element("h3", f"x{scale}"), element("div", cards, class_="cards")]
    head = element("h2", "The worst and the best images")
    return element("section", head, element("p", text), *parts)


def _make_images(report, exhibits):
    links = {
        (scale, name): name_card(scale, index)
        for scale, some in exhibits.items()
        for index, name in enumerate(some)
    }
    count = sum(len(measured["images"]) for measured in report["scales"].values())
    cut = f"The first {MOST_ROWS:,} of {count:,} rows; --csv_path writes them all."
    return element(
        "section",
        element("h2", "All images"),
        element("p", "A click on a column's head sorts by it, another turns it over."),
        _make_remark(cut if count > MOST_ROWS else None),
        make_filters(list(report["scales"]), min(count, MOST_ROWS)),
        make_image_table(report, links),
    )
