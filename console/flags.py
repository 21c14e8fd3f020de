"""absl flags read in two looks, and the registries that the first look serves.

Which flags exist depends on two of them, the model and the data loader. So the
first look reads only those (`Choice`), the chosen classes declare their own, and
absl then parses the command line as usual. Two classes may give the same flag
different defaults, and nothing is declared while a module is imported.
"""

import dataclasses
import importlib
import sys

from absl import flags

from console import quiet
from console.errors import InputError

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
    """

    flag: str
    registry: dict
    default: str | None
    help: str

    def define(self, flag_values=flags.FLAGS):
        """Declares the flag."""
        names = ", ".join(sorted(self.registry))
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
        return load(self.registry, name, f"--{self.flag}")


def load(registry, name, flag):
    """Imports one class of a registry.

    Args:
        registry: From a name to `"module:Class"`.
        name: The name to look up.
        flag: What gave the name, for the message.

    Returns:
        The class.

    Raises:
        InputError: The name is not in the registry.
    """
    if name not in registry:
        raise InputError(
            f"{flag}={name} does not exist; those that do: "
            f"{', '.join(sorted(registry))}."
        )
    module, _, attribute = registry[name].partition(":")
    with quiet.imports():
        return getattr(importlib.import_module(module), attribute)


def make_parser(define_flags, choices=()):
    """Makes the `flags_parser` of a script for `absl.app.run`.

    Args:
        define_flags: Declares the script's own flags.
        choices: The `Choice` flags of the script.

    Returns:
        A function from argv to the arguments that are no flags.
    """

    def parse(argv):
        first = flags.FlagValues()
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
                    choice.load(name).define_flags()
        define_flags()
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            text = str(error).removeprefix("ERROR:: ").rstrip(".")
            raise InputError(f"{text}. --helpshort lists the flags.") from None

    return parse


class CountParser(flags.ArgumentParser):
    """Reads a whole number of at least some value.

    Unlike absl's own it adds no line to the help, where space is short.
    """

    def __init__(self, least):
        """Takes the least number that is accepted."""
        super().__init__()
        self.least = least

    def parse(self, argument):
        """Returns the number."""
        try:
            if int(argument) >= self.least:
                return int(argument)
        except ValueError:
            pass
        raise ValueError(f"expected a whole number of at least {self.least}")

    def flag_type(self):
        """Names the type in the help."""
        return "int"


def define_count(name, default, help_text, least=1):
    """Declares a flag that holds a whole number of at least `least`."""
    flags.DEFINE(
        CountParser(least),
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

    def parse(self, argument):
        """Returns the tuple; a tuple or a list is taken as it is."""
        if isinstance(argument, str):
            argument = argument.split(",")
        try:
            return tuple(self.number(str(part).strip()) for part in argument)
        except ValueError:
            kind = "whole numbers" if self.number is int else "numbers"
            raise ValueError(
                f"expected {kind} with commas between them, for example 2,4"
            ) from None

    def flag_type(self):
        """Names the type in the help."""
        return "comma-separated numbers"


class NumbersSerializer(flags.ArgumentSerializer):
    """Writes the tuple as it is read."""

    def serialize(self, value):
        """Joins the numbers with commas."""
        return ",".join(str(part) for part in value)


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
