"""Parses the command line twice, and loads classes of registries.

The set of flags depends on two of them, the model and the data loader. The first
parse reads only these (`Choice`), then the chosen classes declare their flags, and absl
parses the command line as usual. So two classes may give the same flag different
defaults, and importing a module declares nothing.
"""

import dataclasses
import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from console import quiet
from console.errors import InputError
from console.flags import PathParser
from console.settings import Settings

# Flags declared through this module count as flags of the calling script or class, so
# `--helpshort` shows them there.
flags.disclaim_key_flags()

_MARK = "\ufeff"


@dataclasses.dataclass(frozen=True)
class Choice:
    """A flag whose value chooses a class.

    Attributes:
        flag: Name of the flag, for example `"model"`.
        registry: From a name to `"module:Class"`.
        default: Default value of the flag; None for none.
        help: Help of the flag; the list of names is added.
        not_offered: Names that the script refuses, left out of the help and of
            messages.
    """

    flag: str
    registry: Mapping[str, str]
    default: str | None
    help: str
    not_offered: tuple[str, ...] = ()

    def define(self, flag_values: flags.FlagValues = flags.FLAGS) -> None:
        """Declares the flag."""
        # absl names the script's own module by sys.argv[0].
        names = ", ".join(sorted(set(self.registry) - set(self.not_offered)))
        more: dict[str, Any] = {"flag_values": flag_values, "module_name": sys.argv[0]}
        said = f"{self.help} One of: {names}."
        flags.DEFINE_string(self.flag, self.default, said, **more)

    @property
    def name(self) -> str | None:
        """Value of the flag."""
        return flags.FLAGS[self.flag].value

    def load(self) -> Any:
        """Imports the chosen class; see `load`."""
        return self.load_named(self.name)

    def load_named(self, name: str | None) -> Any:
        """Imports the class of a name; see `load`."""
        return load(self.registry, name, f"--{self.flag}", self.not_offered)


def load(
    registry: Mapping[str, str],
    name: str | None,
    flag: str,
    not_offered: Sequence[str] = (),
) -> Any:
    """Imports a class of a registry.

    Args:
        registry: From a name to `"module:Class"`.
        name: Name to look up.
        flag: Flag that gave the name, for the message.
        not_offered: Names that the message leaves out.

    Raises:
        InputError: The name is not in the registry.
    """
    if name not in registry:
        raise InputError(
            f"{flag}={name} does not exist; expected one of: "
            f"{', '.join(sorted(set(registry) - set(not_offered)))}."
        )
    module, _, attribute = registry[name].partition(":")
    with quiet.imports():
        return getattr(importlib.import_module(module), attribute)


def make_parser(
    settings: Sequence[type[Settings]], choices: Sequence[Choice] = ()
) -> Callable[[Sequence[str]], list[str]]:
    """Makes the `flags_parser` of a script for `absl.app.run`.

    Args:
        settings: Settings classes of the script itself.
        choices: Flags of the script that choose classes. A chosen class has
            `settings_classes`, whose flags are declared, and may have `flag_defaults`,
            defaults of other flags.
    """

    def parse(argv):
        argv = _expand(argv)
        first, defaults = flags.FlagValues(), {}
        for choice in choices:
            choice.define(first)
            choice.define()
        try:
            first(argv, known_only=True)
        except flags.Error:
            pass  # The second parse reports the mistake.
        else:
            for choice in choices:
                name = getattr(first, choice.flag)
                if name is not None:
                    chosen = choice.load_named(name)
                    _declare(chosen.settings_classes, only_paths=True)
                    defaults |= getattr(chosen, "flag_defaults", {})
        _declare(settings)
        for name in set(defaults) & set(flags.FLAGS):
            flags.FLAGS.set_default(name, defaults[name])
        try:
            return flags.FLAGS(argv)
        except SystemExit:  # absl's help ends with 1; asking for it is no mistake.
            sys.stdout.flush()
            sys.exit(0)
        # absl raises a bare ValueError for `--noname=value`.
        except (flags.Error, ValueError) as error:
            raise InputError(_explain(error)) from None

    return parse


def _expand(argv):
    """Puts the lines of flag files in their place, and --helpshort in that of -h.

    absl would do the first, but takes the mark with which some editors of Windows begin
    a file for a part of the first line.
    """
    try:
        words = flags.FLAGS.read_flags_from_files(argv[1:])
    except UnicodeDecodeError:
        raise InputError("--flagfile: the file is not text in UTF-8.") from None
    except flags.Error as error:
        raise InputError(_explain(error)) from None
    # The mark may be all of the first line, or stand before a comment.
    words = [
        w.removeprefix(_MARK) for w in words if not re.match(_MARK + "(#|//|$)", w)
    ]
    end = words.index("--") if "--" in words else len(words)
    shown = ["--helpshort" if word == "-h" else word for word in words[:end]]
    return [argv[0], *shown, *words[end:]]


def _declare(settings, only_paths=False):
    """Declares flags, and lists some in --helpshort, as key flags of the script."""
    for each in settings:
        each.define_flags()
        for name in each.options():
            flag = flags.FLAGS[name]
            is_listed = isinstance(flag.parser, PathParser) or not only_paths
            if is_listed and each.shows(name):
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _explain(error):
    """Converts an error of absl to a message in the style of the other errors."""
    text = str(error).removeprefix("ERROR:: ").rstrip(".")
    if isinstance(error, flags.UnrecognizedFlagError):
        near = re.search(r"Did you mean: (.*?) ?\?$", text)
        names = re.sub(r"(, | or )", r"\1--", near[1]) if near else ""
        hint = f" Did you mean --{names}?" if near else ""
        return (
            f"--{error.flagname} is not a flag of this script, its model or its loader."
            f"{hint} --helpfull lists the flags."
        )
    is_not_bool = r"\('Non-boolean argument to boolean flag', .*\)"
    text = re.sub(is_not_bool, "expected true or false", text)
    name = re.match(r"flag --(\w+)", text)
    if name is None:
        return f"{text}. --helpfull lists the flags."
    text = text.removeprefix("flag ").replace("=None: ", ": ")
    key = {f.name for f in flags.FLAGS.get_key_flags_for_module(sys.argv[0])}
    is_short = bool(key & {name[1], name[1].removeprefix("no")})
    return f"{text}. --help{'short' if is_short else 'full'} describes the flag."
