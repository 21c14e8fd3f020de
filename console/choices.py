"""The command line, read in two looks, and the registries that the first one serves.

Which flags exist depends on two of them, the model and the data loader. So the
first look reads only those (`Choice`), the chosen classes declare their own, and
absl then parses the command line as usual. Two classes may give the same flag
different defaults, and nothing is declared while a module is imported.
"""

import dataclasses
import importlib
import re
import sys

from absl import flags

from console import quiet
from console.errors import InputError
from console.flags import PathParser

# Flags declared through this module count as those of the script or class that
# asked for them, so `--helpshort` shows them there.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class Choice:
    """A flag whose value picks a class.

    Attributes:
        flag: Name of the flag, for example `"model"`.
        registry: From a name to `"module:Class"`.
        default: The name that is taken when the flag is not given; None for none.
        help: The flag's help; the names that exist are added.
        not_offered: Names that the script would refuse, so that neither the help nor
            an error offers them.
    """

    flag: str
    registry: dict
    default: str | None
    help: str
    not_offered: tuple = ()

    def define(self, flag_values=flags.FLAGS):
        """Declares the flag."""
        names = ", ".join(sorted(set(self.registry) - set(self.not_offered)))
        flags.DEFINE(
            flags.ArgumentParser(),
            self.flag,
            self.default,
            f"{self.help} One of: {names}.",
            flag_values=flag_values,
            serializer=flags.ArgumentSerializer(),
            # The script's own name, under which absl knows its main module.
            module_name=sys.argv[0],
        )

    @property
    def name(self):
        """The name that was given, or the default."""
        return flags.FLAGS[self.flag].value

    def load(self):
        """Imports the class behind that name; see `load`."""
        return self.load_named(self.name)

    def load_named(self, name):
        """Imports the class behind a name; see `load`."""
        return load(self.registry, name, f"--{self.flag}", self.not_offered)


def load(registry, name, flag, not_offered=()):
    """Imports one class of a registry.

    Args:
        registry: From a name to `"module:Class"`.
        name: The name to look up.
        flag: What gave the name, for the message.
        not_offered: Names that the message leaves out.

    Returns:
        The class.

    Raises:
        InputError: The name is not in the registry.
    """
    if name not in registry:
        raise InputError(
            f"{flag}={name} does not exist; those that do: "
            f"{', '.join(sorted(set(registry) - set(not_offered)))}."
        )
    module, _, attribute = registry[name].partition(":")
    with quiet.imports():
        return getattr(importlib.import_module(module), attribute)


def make_parser(settings, choices=()):
    """Makes the `flags_parser` of a script for `absl.app.run`.

    Args:
        settings: The `console.settings.Settings` of the script itself.
        choices: The `Choice` flags of the script. The flags of a class that is chosen
            are those of its `settings_classes`; it may have `flag_defaults`: what
            others are by default.

    Returns:
        A function from argv to the arguments that are no flags.
    """

    def parse(argv):
        first, defaults = flags.FlagValues(), {}
        for choice in choices:
            choice.define(first)
            choice.define()
        try:
            first(argv, known_only=True)
        except flags.Error:
            pass  # The second look meets the same mistake and tells it.
        else:
            for choice in choices:
                name = getattr(first, choice.flag)
                if name is not None:
                    chosen = choice.load_named(name)
                    _declare(chosen.settings_classes, _is_path)
                    defaults |= getattr(chosen, "flag_defaults", {})
        _declare(settings)
        for name in set(defaults) & set(flags.FLAGS):
            flags.FLAGS.set_default(name, defaults[name])
        try:
            return flags.FLAGS(argv)
        # absl raises a bare ValueError for `--noname=value`.
        except (flags.Error, ValueError) as error:
            raise InputError(_explain(error)) from None

    return parse


def _declare(settings, is_shown=lambda _: True):
    """Declares flags, and makes some key flags of the script, which --helpshort shows.

    Args:
        settings: `console.settings.Settings`, several.
        is_shown: Whether a flag is shown that its class would show.
    """
    for each in settings:
        each.define_flags()
        for name in each.options():
            flag = flags.FLAGS[name]
            if each.shows(name) and is_shown(flag):
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _is_path(flag):
    return isinstance(flag.parser, PathParser)


def _explain(error):
    """Says what is wrong with the flags as the other errors do.

    Args:
        error: What absl raised, with its text.

    Returns:
        str: One sentence or more.
    """
    text = str(error).removeprefix("ERROR:: ").rstrip(".")
    if isinstance(error, flags.UnrecognizedFlagError):
        near = re.search(r"Did you mean: (.*?) ?\?$", text)
        names = re.sub(r"(, | or )", r"\1--", near[1]) if near else ""
        hint = f" Did you mean --{names}?" if near else ""
        return (
            f"--{error.flagname} is not a flag of this script, its model or its loader."
            f"{hint} --helpfull lists the flags."
        )
    text = re.sub(
        r"\('Non-boolean argument to boolean flag', .*\)",
        "expected true or false",
        text,
    )
    name = re.match(r"flag --(\w+)", text)
    if name is None:
        return f"{text}. --helpfull lists the flags."
    text = text.removeprefix("flag ").replace("=None: ", ": ")
    return f"{text}. {_name_help(name[1])} describes the flag."


def _name_help(name):
    """Which help shows a flag."""
    key = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    is_short = name.removeprefix("no") in {f.name for f in key} or name in key
    return "--helpshort" if is_short else "--helpfull"
