"""The parts of app.py's page that Gradio does not have: its status and its results."""

import html
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
# The last script calls the functions of the others, which validate.py's page has, too.
_SCRIPTS = ("reports/elements.js", "reports/divider.js", "page/viewer.js")
_STYLES = ("reports/divider.css", "page/viewer.css")

# Results before there are any; see `viewer.js`.
NOTHING: dict[str, Any] = {"pictures": [], "all": None}
PLACE = '<div class="results"></div>'


def draw_status(line: str, share: float | None = None) -> str:
    """Draws what goes on, as HTML.

    Args:
        line: A line for the user; may hold names that somebody gave.
        share: The share that is done; None if it is unknown.
    """
    told = f'<p role="status">{html.escape(line)}</p>'
    if share is not None:
        told += f'<progress value="{share}" aria-label="Done"></progress>'
    return f'<div class="status">{told}</div>'


def make_script() -> str:
    """Makes the script of the results, for the `js_on_load` of a `gradio.HTML`."""
    draw = """
        const place = element.querySelector(".results");
        const draw = () => drawing.showResults(place, props.value);
        draw();
        watch("value", draw);
    """
    # Gradio calls the place `element`, as elements.js does a function.
    inner = "\n".join(map(_read, _SCRIPTS))
    return f"const drawing = (() => {{ {inner}\nreturn {{ showResults }}; }})();{draw}"


def make_head() -> str:
    """Makes the elements for the page's head: the style of status and results."""
    # Nested, so that it holds for nothing of Gradio's.
    style = "\n".join(map(_read, _STYLES))
    # Gradio's links to uploads lead nowhere: `page.server.Guard` closes them.
    links = ".file-preview td.download { display: none; }"
    return f"<style>.status, .results {{ {style} }} {links}</style>"


def _read(name):
    return (_ROOT / name).read_text(encoding="utf-8")
