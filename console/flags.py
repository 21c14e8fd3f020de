"""absl flags read in two looks, and the registries that the first look serves.

Which flags exist depends on two of them, the model and the data loader. So the
first look reads only those (`Choice`), the chosen classes declare their own, and
absl then parses the command line as usual. Two classes may give the same flag
different defaults, and nothing is declared while a module is imported.
"""

import contextlib
import dataclasses
import importlib
import math
import re
import sys

from absl import flags

from console import quiet
from console.errors import InputError

# Flags declared through this module count as those of the script or class that
# asked for them, so `--helpshort` shows them there.
flags.disclaim_key_flags()

# Names of flags that `--helpshort` leaves out; see `only_in_helpfull`.
_only_in_helpfull = set()


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

    def load(self, name):
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


def make_parser(define_flags, choices=()):
    """Makes the `flags_parser` of a script for `absl.app.run`.

    Args:
        define_flags: Declares the script's own flags.
        choices: The `Choice` flags of the script. A class that is chosen declares
            its flags, and may have `flag_defaults`: what others are by default.

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
                    chosen = choice.load(name)
                    _show(_declare(chosen.define_flags, _is_path))
                    defaults |= getattr(chosen, "flag_defaults", {})
        _show(_declare(define_flags))
        for name in set(defaults) & set(flags.FLAGS):
            flags.FLAGS.set_default(name, defaults[name])
        try:
            return flags.FLAGS(argv)
        # absl raises a bare ValueError for `--noname=value`.
        except (flags.Error, ValueError) as error:
            raise InputError(_explain(error)) from None

    return parse


@contextlib.contextmanager
def only_in_helpfull(but=()):
    """Leaves flags that are declared inside out of `--helpshort`, to keep it short.

    Only those that another module declares for the script: absl shows what a script
    declares itself in any case.

    Args:
        but: Names of those that it shows nevertheless.
    """
    before = set(flags.FLAGS)
    yield
    _only_in_helpfull.update(set(flags.FLAGS) - before - set(but))


def _declare(define_flags, is_shown=lambda _: True):
    """Declares flags; returns the names of those that `--helpshort` is to show."""
    before = set(flags.FLAGS)
    define_flags()
    names = set(flags.FLAGS) - before - _only_in_helpfull
    return [name for name in names if is_shown(flags.FLAGS[name])]


def _show(names):
    """Makes flags key flags of the script, whichever module declared them."""
    for name in names:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])


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
        hint = f" Did you mean --{near[1].replace(' or ', ' or --')}?" if near else ""
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


class PathParser(flags.ArgumentParser):
    """Reads the path of a file or a folder; refuses an empty one.

    To Python an empty path is the present folder, and in a script it is a variable
    that was never set.
    """

    def parse(self, argument):
        """Returns the path, a str."""
        if not argument:
            raise ValueError("expected a path, found nothing")
        return argument

    def flag_type(self):
        """Names the type in the help."""
        return "path"


def define_path(name, default, help_text):
    """Declares a flag that holds the path of a file or a folder."""
    flags.DEFINE(
        PathParser(), name, default, help_text, serializer=flags.ArgumentSerializer()
    )


class FloatParser(flags.FloatParser):
    """Reads a number that is neither infinite nor none at all, within bounds."""

    def __init__(self, lower_bound=None, upper_bound=None):
        """Takes the bounds, both included; None for none."""
        super().__init__(lower_bound, upper_bound)
        self.syntactic_help = ""  # In the help, space is short.
        bounds = {"at least": lower_bound, "at most": upper_bound}
        said = [
            f" {word} {bound:g}" for word, bound in bounds.items() if bound is not None
        ]
        self.expected = "a finite number" + (" of" + " and".join(said) if said else "")

    def parse(self, argument):
        """Returns the number."""
        try:
            value = to_finite(argument)
        except ValueError:
            value = None
        if value is None or self.is_outside_bounds(value):
            raise ValueError(f"expected {self.expected}")
        return value


def to_finite(text):
    """Reads a number.

    Raises:
        ValueError: It is none, or not finite: absl takes "nan" within any bounds.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def define_float(name, default, help_text, lower_bound=None, upper_bound=None):
    """Declares a flag that holds a finite number within bounds, both included."""
    flags.DEFINE(
        FloatParser(lower_bound, upper_bound),
        name,
        default,
        help_text,
        serializer=flags.ArgumentSerializer(),
    )


class CountParser(flags.ArgumentParser):
    """Reads a whole number of at least some value, and perhaps at most another.

    Unlike absl's own it adds no line to the help, where space is short.
    """

    def __init__(self, least, most=None):
        """Takes the least and the largest number that are accepted; None for any."""
        super().__init__()
        self.least, self.most = least, most
        up_to = "" if most is None else f" and at most {most}"
        self.expected = f"a whole number of at least {least}{up_to}"

    def parse(self, argument):
        """Returns the number."""
        try:
            value = int(argument)
        except ValueError:
            value = None
        if value is None or value < self.least or value > (self.most or value):
            raise ValueError(f"expected {self.expected}")
        return value

    def flag_type(self):
        """Names the type in the help."""
        return "int"


def define_count(name, default, help_text, least=1, most=None):
    """Declares a flag that holds a whole number from `least` to `most`, if any."""
    flags.DEFINE(
        CountParser(least, most),
        name,
        default,
        help_text,
        serializer=flags.ArgumentSerializer(),
    )


class NumbersParser(flags.ArgumentParser):
    """Reads `2,4,8` as a tuple of numbers."""

    def __init__(self, number):
        """Takes the type of the numbers, int or float."""
        super().__init__()
        self.number = number
        self.to_number = int if number is int else to_finite

    def parse(self, argument):
        """Returns the tuple; a tuple or a list is taken as it is."""
        if isinstance(argument, str):
            argument = argument.split(",")
        try:
            return tuple(self.to_number(str(part).strip()) for part in argument)
        except ValueError:
            kind = "whole" if self.number is int else "finite"
            raise ValueError(
                f"expected {kind} numbers with commas between them, for example 2,4"
            ) from None

    def flag_type(self):
        """Names the type in the help."""
        return "comma-separated numbers"


class NumbersSerializer(flags.ArgumentSerializer):
    """Writes the tuple as it is read."""

    def serialize(self, value):
        """Joins the numbers with commas."""
        return ",".join(str(part) for part in value)


def define_seed():
    """Declares `--seed`: NumPy's and so Keras' seeds have 32 bits."""
    define_count(
        "seed",
        0,
        "Of weights and data: the same seed, the same run.",
        least=0,
        most=2**32 - 1,
    )


def define_numbers(name, default, help_text, number=int):
    """Declares a flag that holds a tuple of numbers, for example `--scales=2,4,8`."""
    flags.DEFINE(
        NumbersParser(number), name, default, help_text, serializer=NumbersSerializer()
    )


def from_flags(settings, prefix=""):
    """Fills a dataclass from the flags of the same names.

    Args:
        settings: A dataclass; each of its fields has a flag.
        prefix: What the flags' names have before the fields'.

    Returns:
        An instance of it.
    """
    values = {
        field.name: flags.FLAGS[f"{prefix}{field.name}"].value
        for field in dataclasses.fields(settings)
    }
    return settings(**values)


def collect_values(*owners):
    """The values of all flags that the script and some others declared, for JSON.

    Args:
        *owners: Classes, whose bases count too, and modules.

    Returns:
        dict: From a flag's name to its value.
    """
    # absl calls the script's own module by the name it was started with.
    modules = {sys.argv[0]}
    for owner in owners:
        if isinstance(owner, type):
            modules.update(base.__module__ for base in owner.__mro__)
        else:
            modules.add(owner.__name__)
    declared = flags.FLAGS.flags_by_module_dict()
    values = {flag.name: flag.value for m in modules for flag in declared.get(m, ())}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def parse_range(text, flag):
    """Reads a range of rows, `start,end`, as a Python slice would take it.

    Either may be missing or negative. An end of 0 means the end, as in the TF1 code:
    `-5000,0` are the last 5,000.

    Args:
        text: For example `"0,-5000"`.
        flag: What gave it, for the message.

    Returns:
        slice.

    Raises:
        InputError: It is no such text.
    """
    words = text.split(",")
    try:
        start, end = (int(word) if word.strip() else None for word in words)
    except ValueError:
        raise InputError(
            f"{flag}={text}: expected two whole numbers with a comma between them, for "
            "example 0,-5000."
        ) from None
    return slice(start, end or None)
