"""docs/flags.md: every flag of every script, in tables.

`python -m tests.flags_page` writes it anew.
"""

import ast

from console import quiet

with quiet.imports():
    import tensorflow  # noqa: F401 - the first import is the noisy one

from dataloaders import PAIRED, SCORED
from models import MODELS
from score_predictors import PREDICTORS
from tests.declared import list_declared, list_scripts, read_script
from tests.scripts import ROOT

PATH = ROOT / "docs" / "flags.md"
INTRODUCTION = """\
# Flags

All flags of the scripts. `python -m tests.flags_page` makes this page from the settings
in the code, and a test holds that it is up to date. `--helpshort` shows the flags of a
script that matter most, `--helpfull` all of them.

A script with `--model` or `--dataloader` also takes the flags of the chosen model or
loader. They follow after the scripts. A flag of yes or no is given as `--name` or
`--noname`.

The column "may change" says whether a resumed run may have another value: `no`,
`said` (yes, and the script says so) or `freely`. Whatever the column says, a run goes
on with the same images or rows only, known by their names and sizes, wherever they lie;
and `--restore_path` names what the run was started from, or one of its own checkpoints.

`misc/train_jax.py`, which runs without TensorFlow, and `benchmarks/speed.py` are not
listed: their `--helpfull` lists their flags.
"""
# A title, a registry, the flag that chooses from it, and a script that has the flag.
REGISTRIES = (
    ("Models", MODELS, "model", "train.py"),
    ("Loaders of LR and HR images", PAIRED, "dataloader", "train.py"),
    (
        "Loaders of pictures and their scores",
        SCORED,
        "dataloader",
        "score_predictors/train.py",
    ),
    ("Score predictors", PREDICTORS, "model", "score_predictors/train.py"),
)
# What a value may be, by absl's name of its type, where the parser does not say it.
ACCEPTED = {
    "bool": "yes or no",
    "comma separated list of strings": "comma-separated words",
    "multi path": "a path; may be given several times",
    "path": "a path",
    "string": "text",
}


def make_page():
    """Makes the text of the page."""
    scripts = {script: read_script(script) for script in list_scripts()}
    parts = [INTRODUCTION, "## Scripts\n"]
    for script, (settings, choices) in scripts.items():
        parts += _describe_script(script, settings, choices)
    for title, registry, flag, script in REGISTRIES:
        users = [
            f"`{name}`"
            for name, (_, choices) in scripts.items()
            if registry in [choice.registry for choice in choices]
        ]
        parts.append(f"## {title}\n\nFor `--{flag}` of {', '.join(users)}.\n")
        parts += _describe_registry(registry, flag, script)
    return "\n".join(parts)


def _describe_script(script, settings, choices):
    said = ast.get_docstring(ast.parse((ROOT / script).read_text()))
    names = [choice.flag for choice in choices] + _list_names(settings)
    declared = list_declared(script)
    rows = [declared[name] for name in names]
    table = _draw_table(rows, has_changes=script.endswith("train.py"))
    yield f"### {script}\n\n{said.splitlines()[0]}\n\n{table}"


def _describe_registry(registry, flag, script):
    """A section for each class; what an earlier one said is not said again."""
    names_of, said = {}, {}
    for name, target in registry.items():
        names_of.setdefault(target, []).append(name)
    _, choices = read_script(script)
    (choice,) = [each for each in choices if each.flag == flag]
    # The default comes first: others add to it.
    for names in sorted(
        names_of.values(), key=lambda names: choice.default not in names
    ):
        chosen = choice.load_named(names[0])
        declared = list_declared(script, f"--{flag}={names[0]}")
        own = {name: declared[name] for name in _list_names(chosen.settings_classes)}
        known = [n for n in own if n in said and _has_same_row(said[n], own[n])]
        rows = [each for name, each in own.items() if name not in known]
        text = f"### {' or '.join(f'--{flag}={name}' for name in names)}\n\n"
        if known:
            text += f"The same as above: {_name(known)}.\n\n"
        for name, default in getattr(chosen, "flag_defaults", {}).items():
            text += f"The default of `--{name}` is `{default}`.\n\n"
        yield text + (_draw_table(rows) if rows else "No flags of its own.\n")
        said |= own


def _has_same_row(one, other):
    return _make_row(one) == _make_row(other)


def _name(names):
    return ", ".join(f"`--{name}`" for name in names)


def _list_names(classes):
    return [name for each in classes for name in each.options()]


def _draw_table(rows, has_changes=True):
    """A table of `tests.declared.Declared`."""
    heads = ["flag", "default", "what it does", "accepts", "may change"]
    lines = [heads, ["---"] * len(heads), *map(_make_row, rows)]
    end = len(heads) if has_changes else -1
    return "".join(f"| {' | '.join(line[:end])} |\n" for line in lines)


def _make_row(each):
    is_required = each.option is not None and each.option.is_required
    default = f"`{each.default}`" if each.default else "must be given" * is_required
    changes, help = "no", each.flag.help
    if each.owner is not None:
        # absl puts the choices before the help of its flag.
        changes, help = each.option.changes or each.owner.changes, each.option.help
    cells = [default, _escape(help), _tell_accepted(each), changes]
    return [f"`--{each.flag.name}`", *cells]


def _escape(text):
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")


def _tell_accepted(each):
    if each.owner is None:
        return "a name"
    if each.option.choices is not None:
        return ", ".join(each.option.choices)
    kind = each.flag.flag_type()
    return getattr(each.flag.parser, "expected", ACCEPTED.get(kind, kind))


if __name__ == "__main__":
    PATH.write_text(make_page())
