"""HTML from pieces: whatever is not markup already is escaped."""

import html

VOID = ("img", "input", "br", "col")


class Markup(str):
    """Text that is HTML already."""


def element(name, *inside, **attributes):
    """One element.

    Args:
        name: Of the tag.
        *inside: What it holds: Markup as it is, anything else as text; None is left
            out.
        **attributes: `class_` for class, `data_value` for data-value; True for one
            without a value, None and False leave it out.

    Returns:
        Markup.
    """
    written = "".join(_write(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*inside)}</{name}>")


def _write(key, value):
    if value is None or value is False:
        return ""
    name = key.strip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


def join(*pieces):
    """Pieces one after the other; Markup, see `element`."""
    return Markup("".join(_to_html(piece) for piece in pieces if piece is not None))


def _to_html(piece):
    return piece if isinstance(piece, Markup) else html.escape(str(piece))


def wrap_wide(inside, label):
    """Lets something wide scroll by itself, with the keyboard too; Markup."""
    return element(
        "div", inside, class_="wide", tabindex=0, role="region", aria_label=label
    )
