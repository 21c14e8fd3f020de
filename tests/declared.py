"""The flags that scripts declare, and what their settings say of them."""

import dataclasses
import runpy
import sys
from unittest import mock

from absl import flags

from console.choices import make_parser
from console.settings import Option
from tests.scripts import ROOT, flags_of_its_own

# absl's own, of every script.
ABSL = {"absl", "absl.app", "absl.logging", "absl.testing.absltest"}


@dataclasses.dataclass(frozen=True)
class Declared:
    """A flag of a script.

    Attributes:
        flag: `absl.flags.Flag`.
        default: Its default as it would be given; empty for none.
        owner: The `Settings` whose field it is made from; None for a `Choice`.
        option: What the field says of it; likewise.
    """

    flag: flags.Flag
    default: str
    owner: type | None = None
    option: Option | None = None


def list_scripts():
    """The scripts that have flags, as paths from the root.

    misc/train_jax.py is left out: Keras runs on one backend in a process.
    """
    for folder in (".", "score_predictors", "misc"):
        for path in sorted((ROOT / folder).glob("*.py")):
            if "app.run(" in path.read_text() and "jax" not in path.name:
                yield str(path.relative_to(ROOT))


def read_script(script):
    """What a script gives to `console.app.run`: its settings and its choices."""
    argv, path = [str(ROOT / script)], [str((ROOT / script).parent), *sys.path]
    with (
        mock.patch("console.app.run") as started,
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "path", path),
    ):
        runpy.run_path(argv[0], run_name="__main__")
    _, settings, *choices = started.call_args.args
    return settings, choices[0] if choices else ()


def list_declared(script, *given):
    """The flags of a script, absl's own left out.

    Args:
        script: Its path from the root.
        *given: Flags that choose a model or a loader.

    Returns:
        dict: From a flag's name to `Declared`.
    """
    settings, choices = read_script(script)
    argv = [str(ROOT / script), *given]
    with mock.patch.object(sys, "argv", argv), flags_of_its_own():
        make_parser(settings, choices)(argv)
        chosen = [choice.load() for choice in choices if choice.name is not None]
        classes = [*settings, *(c for each in chosen for c in each.settings_classes)]
        owners = {name: owner for owner in classes for name in owner.options()}
        return {
            flag.name: _describe(flag, owners.get(flag.name))
            for module, several in flags.FLAGS.flags_by_module_dict().items()
            if module not in ABSL
            for flag in several
        }


def _describe(flag, owner):
    option = owner.options()[flag.name].metadata["option"] if owner else None
    return Declared(flag, _to_text(flag.default).replace(f"{ROOT}/", ""), owner, option)


def _to_text(default):
    if default is None:
        return ""
    if isinstance(default, list | tuple):
        return ",".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)
