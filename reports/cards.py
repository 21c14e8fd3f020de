"""The images that are shown: a slider over whole pictures, and the worst region."""

import itertools

from reports.columns import list_columns
from reports.gallery import TRUTH
from reports.markup import element, join
from reports.tables import get_results, list_models

# Small pictures are enlarged by a whole number up to this, in CSS pixels.
SHOWN_WIDTH, SHOWN_HEIGHT, SHOWN_REGION = 1000, 720, 256


def name_card(scale, index):
    """The id of a card within the page."""
    return f"x{scale}-{index}"


def make_cards(report, scale, exhibits, is_all):
    """All images of one scale that are shown.

    Args:
        report: As `validate.py` makes it.
        scale: Upscaling factor.
        exhibits: list of `reports.gallery.Exhibit`, worst first.
        is_all: Whether these are all images that there are.

    Returns:
        Markup.
    """
    measured = report["scales"][str(scale)]
    cards = []
    for index, exhibit in enumerate(exhibits):
        values = {
            model: get_results(measured, model)["images"][exhibit.name]
            for model in list_models(report)
        }
        rank = _describe_rank(index, len(exhibits), is_all)
        cards.append(
            element(
                "article",
                element("h4", exhibit.name, " ", element("small", f"x{scale}, {rank}")),
                element("p", *_describe_values(values), class_="values"),
                _make_slider(exhibit),
                _make_region(exhibit),
                id=name_card(scale, index),
            )
        )
    return join(*cards)


def _describe_rank(index, count, is_all):
    if is_all:
        return f"{index + 1} of {count}, worst first"
    worst = count - count // 2
    if index < worst:
        return f"{index + 1} of the {worst} worst"
    return f"{count - index} of the {count - worst} best"


def _describe_values(values):
    """What was measured of one image, of each model."""
    for column in list_columns(next(iter(values.values())))[:3]:
        shown = [f"{m} {column.format(v[column.metric])}" for m, v in values.items()]
        yield element(
            "span", element("b", column.metric), " ", ", ".join(shown), class_="value"
        )


def _make_slider(exhibit):
    """Pictures on top of one another with a divider that can be moved."""
    encoded = exhibit.encoded
    if encoded is None:
        return element("p", "No room was left for its pictures.", class_="remark")
    names = list(encoded.uris)
    window = encoded.window
    images = [
        element("img", src=uri, alt=f"{exhibit.name}: {name}", data_name=name)
        for name, uri in encoded.uris.items()
    ]
    handle = element(
        "div",
        class_="handle",
        role="slider",
        tabindex=0,
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=50,
    )
    zoom = max(1, min(SHOWN_WIDTH // window.width, SHOWN_HEIGHT // window.height))
    stage = element(
        "div",
        *images,
        element("div", class_="mark", style=_place_mark(exhibit)),
        element("span", class_="tag left"),
        element("span", class_="tag right"),
        handle,
        class_="stage enlarged" if zoom > 1 else "stage",
        style=f"--width: {window.width * zoom}px; "
        f"aspect-ratio: {window.width} / {window.height}",
    )
    remark = _describe_encoding(exhibit)
    return element("div", _make_pairs(names), stage, remark, class_="slider")


def _make_pairs(names):
    """Buttons for any two of the pictures; ours and the truth first."""
    pairs = list(itertools.combinations(names, 2))
    buttons = [
        element(
            "button",
            f"{left} | {right}",
            type="button",
            data_left=left,
            data_right=right,
            aria_pressed="true" if (left, right) == pairs[0] else "false",
        )
        for left, right in pairs
    ]
    return element(
        "div", *buttons, class_="pairs", role="group", aria_label="Which two"
    )


def _place_mark(exhibit):
    """Where the worst region lies in what is shown, in percent of it."""
    window, region = exhibit.encoded.window, exhibit.region
    shares = {
        "left": (region.left - window.left) / window.width,
        "top": (region.top - window.top) / window.height,
        "width": region.side / window.width,
        "height": region.side / window.height,
    }
    return "; ".join(f"{name}: {share:.4%}" for name, share in shares.items())


def _describe_encoding(exhibit):
    """What is shown is not all of the pictures, or not exactly; None if it is."""
    height, width = exhibit.size
    window, quality = exhibit.encoded.window, exhibit.encoded.quality
    said = []
    if (window.height, window.width) != exhibit.size:
        said.append(
            f"Cut to {window.width} x {window.height} of {width} x {height} pixels, "
            "around the worst region."
        )
    if quality is not None:
        said.append(
            f"Shown as JPEG of quality {quality}, to save room; the region below is "
            "exact."
        )
    return element("p", " ".join(said), class_="remark") if said else None


def _make_region(exhibit):
    """The region where ours is furthest from the truth, of each picture."""
    if not exhibit.crops:
        return None
    side = exhibit.region.side
    width = side * max(1, SHOWN_REGION // side)
    crops = [
        element(
            "figure",
            element(
                "img", src=uri, alt=f"{name}, enlarged", style=f"--width: {width}px"
            ),
            element("figcaption", name),
        )
        for name, uri in exhibit.crops.items()
    ]
    ours = list(exhibit.crops)[-2]
    text = (
        f"Where {ours} is furthest from the {TRUTH}: {side} x {side} pixels, "
        f"{exhibit.region.difference:.1f} grey levels apart on average."
    )
    return join(element("p", text), element("div", *crops, class_="region"))
