"""docs/architecture.md names files, functions and flags that exist, and every room."""

import ast
import functools
import re

import pytest

from tests.scripts import ROOT
from tests.test_structure import LAYERS

PAGE = (ROOT / "docs" / "architecture.md").read_text()
DIAGRAM = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[1]


def list_blocks(page):
    """Paragraphs, items and rows of a page, without what is fenced."""
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return re.split(r"\n\n|\n(?=\||\* |\d+\. )", prose)


@functools.cache
def list_definitions(path):
    """The names that a file defines: functions, classes, methods, constants."""
    return set(_define(ast.parse(path.read_text()).body))


def _define(body, prefix=""):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _define(node.body, f"{node.name}.")
        if isinstance(node, ast.Assign):
            yield from (prefix + ast.unparse(target) for target in node.targets)


def find_wrong(page):
    """What a page names that does not exist.

    A name belongs to the file that was named last before it, in the same block.
    """
    flags = re.findall(r" --(\w+)=", (ROOT / "tests/recorded/flags.txt").read_text())
    for block in list_blocks(page):
        file = None
        for word in re.findall(r"`([^`]+)`", block):
            if word.startswith("--"):
                if word[2:] not in {*flags, "model", "dataloader"}:
                    yield word
            elif word.endswith((".py", "/")):
                file = word if word.endswith(".py") else file
                if not (ROOT / word).exists():
                    yield word
            elif re.fullmatch(r"[A-Za-z_][\w.]*", word) and (
                not file or word not in list_definitions(ROOT / file)
            ):
                yield f"{file}: {word}"


def test_every_file_function_and_flag_that_the_page_names_exists():
    assert list(find_wrong(PAGE)) == []
    assert len(re.findall(r"`[\w/]+\.py`: `", PAGE)) > 30


@pytest.mark.parametrize(
    "wrong",
    ["`imaging/gone.py`", "`train.py`: `gone`", "`--gone`", "`gone/`"]
    + ["`training/loop.py`: `Loop.gone`", "`Loop` of `training/loop.py`", "`lonely`"],
)
def test_what_is_gone_would_be_found(wrong):
    assert len(list(find_wrong(f"A page.\n\nIt names {wrong}."))) == 1


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_package_is_named():
    packages = {path.parent.name for path in ROOT.glob("[a-z]*/*.py")}
    named = set(re.findall(r"^\| \[(\w+)/\]", PAGE, re.MULTILINE))
    assert packages >= set().union(*LAYERS)
    assert packages - named == set()


def test_the_diagram_shows_the_layers_that_imports_are_held_to():
    drawn = re.findall(r"subgraph layer(\d).*?\n(.*?)end\n", DIAGRAM, re.DOTALL)
    layers = {int(level): set(rooms.split()) for level, rooms in drawn}
    assert layers == dict(enumerate(LAYERS))
    chain = " --> ".join(f"layer{level}" for level in reversed(range(len(LAYERS))))
    assert f"top --> {chain}\n" in DIAGRAM
