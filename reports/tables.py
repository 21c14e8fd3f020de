"""The tables of the page: averages, and all images."""

from reports.columns import BICUBIC, format_number, list_columns
from reports.markup import element, join, wrap_wide

# More rows than this no browser sorts at once; the CSV file has them all.
MOST_ROWS = 20_000


def list_models(report):
    """Names of the models that were measured: ours first, then bicubic's."""
    return list(dict.fromkeys([report["model"], BICUBIC]))


def get_results(measured, model):
    """What was found of one model at one scale.

    Args:
        measured: One of the scales of `validate.py`'s report.
        model: Its name.
    """
    return measured[BICUBIC] if model == BICUBIC else measured


def make_averages(report, measured, published):
    """The averages of one scale beside bicubic's and those that were published.

    Args:
        report: As `validate.py` makes it.
        measured: One of its scales.
        published: list of `reports.published.Published`.

    Returns:
        Markup.
    """
    models = list_models(report)
    averages = {m: get_results(measured, m)["average"] for m in models}
    columns = list_columns(averages[models[0]])
    rows = [_make_row(f"{m}, measured", averages[m], columns) for m in models]
    if len(models) == 2:
        rows.append(_make_difference(*averages.values(), columns))
    rows += [_make_published(result, columns) for result in published]
    heads = [element("th", _describe(c), scope="col", class_="number") for c in columns]
    return wrap_wide(
        element(
            "table",
            element("thead", element("tr", element("td"), *heads)),
            element("tbody", *rows),
            class_="averages",
        ),
        "Averages",
    )


def _describe(column):
    unit = f", {column.unit}" if column.unit else ""
    hint = element("small", f"{column.hint}{unit}")
    return join(column.metric, " ", hint)


def _make_row(title, values, columns):
    cells = [_number(c.format(values[c.metric])) for c in columns]
    return element("tr", element("th", title, scope="row"), *cells)


def _make_difference(ours, theirs, columns):
    gains = {c: ours[c.metric] - theirs[c.metric] for c in columns}
    cells = [_number(c.format_gain(gain), c.judge(gain)) for c, gain in gains.items()]
    return element("tr", element("th", "difference", scope="row"), *cells)


def _make_published(result, columns):
    cells = [_number(result.values.get(c.metric, "")) for c in columns]
    head = element(
        "th", f"{result.method}, published ", element("small", result.source)
    )
    return element("tr", head, *cells, class_="published")


def _number(text, judged=""):
    return element("td", text, class_=f"number {judged}".strip())


def make_image_table(report, links):
    """All images of all scales; `page.js` sorts it.

    Args:
        report: As `validate.py` makes it.
        links: From (scale, name) to the id of where it is shown.

    Returns:
        Markup.
    """
    models, scales = list_models(report), report["scales"]
    some = next(iter(next(iter(scales.values()))["images"].values()))
    columns = list_columns(some)
    rows = []
    for scale, measured in scales.items():
        for name in measured["images"]:
            link = links.get((int(scale), name))
            values = [get_results(measured, m)["images"][name] for m in models]
            rows.append(_make_image_row(scale, name, link, values, columns))
    return wrap_wide(
        element(
            "table",
            _make_image_head(columns, models),
            element("tbody", *rows[:MOST_ROWS]),
            id="images",
        ),
        "All images",
    )


def _make_image_head(columns, models):
    group = "colgroup"
    span = len(models)
    above = [element("td", colspan=2)]
    below = [_make_sorter("image", "image"), _make_sorter("scale", "scale")]
    for index, column in enumerate(columns):
        has_gain = span == 2 and index == 0
        above.append(
            element("th", _describe(column), colspan=span + has_gain, scope=group)
        )
        names = [*models, *(["difference"] if has_gain else [])]
        below += [_make_sorter(n, f"{column.metric} of {n}", "number") for n in names]
    return element("thead", element("tr", *above), element("tr", *below))


def _make_sorter(text, label, kind=None):
    """A head that sorts by its column."""
    button = element("button", text, type="button", aria_label=label)
    return element("th", button, scope="col", aria_sort="none", class_=kind)


def _make_image_row(scale, name, link, values, columns):
    shown = element("a", name, href=f"#{link}") if link else name
    cells = [
        element("th", shown, scope="row", data_value=name),
        element("td", f"x{scale}", data_value=scale, class_="number"),
    ]
    for index, column in enumerate(columns):
        numbers = [one[column.metric] for one in values]
        cells += [_sortable(column.format(x), x) for x in numbers]
        if len(numbers) == 2 and index == 0:
            gain = numbers[0] - numbers[1]
            text = column.format_gain(gain)
            cells.append(_sortable(text, gain, column.judge(gain)))
    return element("tr", *cells, data_scale=scale)


def _sortable(text, value, judged=""):
    # "inf" and "nan" are no numbers to JavaScript.
    exact = {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), value)
    return element("td", text, data_value=exact, class_=f"number {judged}".strip())


def make_filters(scales, count):
    """What chooses rows of the table: by name, and by scale where there are several.

    Args:
        scales: Upscaling factors.
        count: How many rows there are.

    Returns:
        Markup.
    """
    search = element(
        "label",
        "Name contains ",
        element("input", type="search", id="name-filter", autocomplete="off"),
    )
    options = [element("option", f"x{s}", value=s) for s in scales]
    choice = element(
        "label",
        "Scale ",
        element(
            "select", element("option", "all", value=""), *options, id="scale-filter"
        ),
    )
    said = element("output", f"{format_number(count, 0)} rows", id="row-count")
    return element(
        "p", search, choice if len(options) > 1 else None, said, class_="filters"
    )
