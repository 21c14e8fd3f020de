"""Who may import whom."""

import ast
import graphlib
import importlib
from pathlib import Path

import pytest

from models import MODELS

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up; a module imports from lower layers and its own folder only.
LAYERS = [
    {"console"},
    {"imaging"},
    {"reports"},
    {"upscaling"},
    {"frozen", "training", "page"},
    {"metrics"},
    {"models", "dataloaders", "score_predictors"},
]
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
# Scripts may import whatever they bring together.
SCRIPTS = {
    ROOT / "score_predictors" / f"{name}.py"
    for name in ("train", "evaluate", "freeze", "predict")
}
KERAS_ONLY = {
    "models/layers.py": set(),
    "models/generator.py": {"dataclasses", "functools", "models", "upscaling"},
    "models/discriminator.py": {"models"},
    "models/unet.py": {"models", "numpy"},
    "models/four_pass_values.py": {
        *("collections", "imaging", "metrics", "models", "numpy", "typing")
    },
}


def imported_names(path):
    """All modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def find_breaches(folder, imports):
    """The imports that do not run downward from a folder."""
    tops = {name.partition(".")[0] for name in imports} & set(LEVEL) - {folder}
    return sorted(top for top in tops if LEVEL[top] >= LEVEL[folder])


@pytest.mark.parametrize("folder", sorted(LEVEL))
def test_imports_run_downward_only(folder):
    for path in set((ROOT / folder).rglob("*.py")) - SCRIPTS:
        assert find_breaches(folder, imported_names(path)) == [], path


def test_no_file_imports_itself_by_way_of_others():
    paths = [p for folder in LEVEL for p in (ROOT / folder).rglob("*.py")]
    files = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in paths}
    imports = {name: find_files(path, files) for name, path in files.items()}
    assert sum(map(len, imports.values())) > 200
    assert list(graphlib.TopologicalSorter(imports).static_order())


def find_files(path, files):
    """The modules of the project that a file imports, whole or names of them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found & set(files)


def test_an_upward_and_a_sideways_import_would_be_found():
    assert find_breaches("imaging", ["models.eusr", "console.errors"]) == ["models"]
    assert find_breaches("models", ["dataloaders", "frozen"]) == ["dataloaders"]


@pytest.mark.parametrize("file", KERAS_ONLY)
def test_networks_import_keras_and_nothing_of_tensorflow(file):
    tops = {name.partition(".")[0] for name in imported_names(ROOT / file)}
    assert tops == {"keras"} | KERAS_ONLY[file]


@pytest.mark.parametrize(
    ("module", "registry"),
    [
        ("models", "MODELS"),
        ("dataloaders", "PAIRED"),
        ("dataloaders", "SCORED"),
        ("score_predictors", "PREDICTORS"),
    ],
)
def test_every_name_of_a_registry_leads_to_a_class(module, registry):
    for target in getattr(importlib.import_module(module), registry).values():
        name, _, attribute = target.partition(":")
        assert isinstance(getattr(importlib.import_module(name), attribute), type)


def test_nothing_but_the_console_reads_absls_flags():
    for path in {*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/**/*.py")}:
        if path.parts[len(ROOT.parts)] not in ("console", "tests"):
            assert "absl" not in {n.partition(".")[0] for n in imported_names(path)}, (
                path
            )


def test_no_script_asks_which_model_it_is():
    for script in ("train.py", "validate.py", "test.py", "freeze.py", "app.py"):
        for node in ast.walk(ast.parse((ROOT / script).read_text())):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node)
                assert not any(f"'{name}'" in text for name in MODELS), text


def test_no_file_has_more_than_300_lines():
    files = {*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/**/*.py")}
    files = {path for path in files if path.parts[len(ROOT.parts)] != "tests"}
    lines = {path: len(path.read_text().splitlines()) for path in files}
    assert len(lines) > 100
    assert {path: count for path, count in lines.items() if count > 300} == {}
