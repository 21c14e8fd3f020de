"""PSNR against NIQE of every image, as a drawing within the page."""

import math

from reports.columns import COLUMNS
from reports.markup import element, join, wrap_wide

X, Y = "psnr_y", "niqe"
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 28, 16, 56
TICKS = 6
_DECIMALS = {c.metric: c.decimals for c in COLUMNS}


def make_scatter(results):
    """Draws a point for each image of each model.

    Args:
        results: From a model's name to a dict from an image's name to its values.

    Returns:
        Markup; None where no image has both numbers.
    """
    points = {model: _find_points(images) for model, images in results.items()}
    every = [point for some in points.values() for point in some.values()]
    if not every:
        return None
    across = _Axis([p[0] for p in every], LEFT, WIDTH - RIGHT)
    up = _Axis([p[1] for p in every], HEIGHT - BOTTOM, TOP)
    drawn = [
        _draw_point(index, f"{name}, {model}", point, across, up)
        for index, (model, some) in reversed(list(enumerate(points.items())))
        for name, point in some.items()
    ]
    drawing = element(
        "svg",
        *_draw_axes(across, up),
        *drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label="PSNR and NIQE of each image",
        class_="scatter",
    )
    return wrap_wide(drawing, "PSNR against NIQE")


def make_legend(models):
    """Which mark is whose.

    Args:
        models: Names, in the order of `make_scatter`'s results.

    Returns:
        Markup.
    """
    marks = []
    for index, model in enumerate(models):
        mark = element("svg", _draw_mark(index, 8, 8), viewBox="0 0 16 16")
        marks.append(element("span", mark, model))
    return element("p", *marks, class_="legend")


def _find_points(images):
    """The images that have both numbers: equal pictures have an infinite PSNR."""
    points = {name: (values[X], values[Y]) for name, values in images.items()}
    return {n: p for n, p in points.items() if all(map(math.isfinite, p))}


class _Axis:
    """From values to places, with round numbers at its ticks."""

    def __init__(self, values, start, end):
        least, most = min(values), max(values)
        step = _choose_step((most - least or 1.0) / TICKS)
        first, last = math.floor(least / step), math.ceil(most / step)
        last += first == last
        self.ticks = [index * step for index in range(first, last + 1)]
        self.decimals = max(0, -math.floor(math.log10(step)))
        self.start, self.end = start, end

    def place(self, value):
        """Where a value lies, in the drawing's units."""
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return round(self.start + share * (self.end - self.start), 2)


def _choose_step(least):
    """The least of 1, 2, 5, 10, ... times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least * (1 - 1e-9))


def _draw_axes(across, up):
    """Lines and numbers at the ticks, and what they count."""
    for tick in across.ticks:
        x, text = across.place(tick), f"{tick:.{across.decimals}f}"
        yield _line(x, TOP, x, HEIGHT - BOTTOM)
        yield _text(text, x, HEIGHT - BOTTOM + 18, "middle")
    for tick in up.ticks:
        y, text = up.place(tick), f"{tick:.{up.decimals}f}"
        yield _line(LEFT, y, WIDTH - RIGHT, y)
        yield _text(text, LEFT - 8, y + 4, "end")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield _text(
        f"{X} in dB: higher is nearer to the truth",
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 10,
        "middle",
    )
    yield _text(
        "NIQE: lower looks more natural",
        *(16, middle, "middle"),
        transform=f"rotate(-90 16 {middle})",
    )


def _line(x1, y1, x2, y2):
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2)


def _text(text, x, y, anchor, **attributes):
    return element("text", text, x=x, y=y, text_anchor=anchor, **attributes)


def _draw_point(index, title, point, across, up):
    said = ", ".join(
        f"{metric} {value:.{_DECIMALS[metric]}f}"
        for metric, value in zip((X, Y), point, strict=True)
    )
    mark = _draw_mark(index, across.place(point[0]), up.place(point[1]))
    return element("g", element("title", f"{title}: {said}"), mark, class_="point")


def _draw_mark(index, x, y):
    """A disc for ours and a cross for bicubic's: they differ without colours, too."""
    if index == 0:
        return element("circle", cx=x, cy=y, r=4.5, class_="mark-0")
    path = f"M{x - 4} {y - 4}l8 8m0 -8l-8 8"
    # The disc under the cross, not seen, makes it easier to point at.
    target = element("circle", cx=x, cy=y, r=6, class_="target")
    return join(target, element("path", d=path, class_="mark-1"))
