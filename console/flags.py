"""Kinds of flags: how each is read, and its mistakes told."""

import math
import os
import types
import typing

from absl import flags

from console.errors import InputError

# See `console.choices`.
flags.disclaim_key_flags()


# The path of a file or a folder as it was given, a str. Annotate a field with it, or
# with `tuple[PathName, ...]` for a flag that may be given several times.
PathName = typing.NewType("PathName", str)


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


def one_or_all(paths):
    """The value of a flag of paths as it is kept in files.

    Args:
        paths: list of str; None where the flag was not given.

    Returns:
        The path, where it is one, or else what was given.
    """
    return paths[0] if isinstance(paths, list) and len(paths) == 1 else paths


def to_list(paths):
    """Undoes `one_or_all`: one path, several, or None for none, as a list of str."""
    if paths is None:
        return []
    several = paths if isinstance(paths, list | tuple) else [paths]
    return [os.fspath(path) for path in several]


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


class CountParser(flags.ArgumentParser):
    """Reads a whole number of at least some value, and perhaps at most another.

    Unlike absl's own it adds no line to the help, where space is short.
    """

    def __init__(self, least, most=None, word=None):
        """Takes the bounds, both included, and a word that will do, too; or None."""
        super().__init__()
        self.least, self.most, self.word = least, most, word
        up_to = "" if most is None else f" and at most {most}"
        self.expected = f"a whole number of at least {least}{up_to}"
        if word is not None:
            self.expected += f", or {word}"

    def parse(self, argument):
        """Returns the number, or the word."""
        if self.word is not None and argument == self.word:
            return argument
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


def define(name, field, said, module):
    """Declares the flag of a field.

    Args:
        name: Of the flag.
        field: A `dataclasses.Field`.
        said: Its `console.settings.Option`.
        module: Under whose name the help lists it.
    """
    default = field.default
    kind = _find_kind(field.type)
    more = {"serializer": flags.ArgumentSerializer(), "module_name": module}
    if kind is bool:
        flags.DEFINE_bool(name, default, said.help, module_name=module)
        return
    if said.choices is not None:
        choices = list(said.choices)
        flags.DEFINE_enum(name, default, choices, said.help, module_name=module)
        return
    if kind == tuple[PathName, ...]:
        default = None if default is None else list(default)
        parser, serializer = PathParser(), flags.ArgumentSerializer()
        flags.DEFINE_multi(
            parser, serializer, name, default, said.help, module_name=module
        )
        # Without the line that absl adds: in the help, space is short.
        flags.FLAGS[name].help = said.help
        return
    if kind in (tuple[int, ...], tuple[float, ...]):
        parser = NumbersParser(typing.get_args(kind)[0])
        more["serializer"] = NumbersSerializer()
    elif kind == tuple[str, ...]:
        parser, more["serializer"] = flags.ListParser(), flags.CsvListSerializer(",")
        default = list(default)
    elif kind is int:
        least = 1 if said.least is None else said.least
        parser = CountParser(least, said.most, said.word)
    elif kind is float:
        parser = FloatParser(said.least, said.most)
    else:
        parser = PathParser() if kind is PathName else flags.ArgumentParser()
    flags.DEFINE(parser, name, default, said.help, **more)


def _find_kind(annotation):
    """The type that a value has, if it is not None and no word."""
    # A union with a `NewType` is of another class than one of types.
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        several = [t for t in typing.get_args(annotation) if t is not types.NoneType]
        return int if int in several else several[0]
    return annotation


def is_one(value, annotation, said):
    """Whether a value is such as a flag has.

    Args:
        value: Of whatever type.
        annotation: The type of the field.
        said: Its `console.settings.Option`.
    """
    if value is None:
        return types.NoneType in typing.get_args(annotation)
    if said.word is not None and value == said.word:
        return True
    kind = _find_kind(annotation)
    if typing.get_origin(kind) is tuple:
        one = typing.get_args(kind)[0]
        return isinstance(value, tuple) and all(_is_of(each, one) for each in value)
    if not _is_of(value, kind):
        return False
    if kind not in (int, float):
        return said.choices is None or value in said.choices
    least = 1 if kind is int and said.least is None else said.least
    return (least is None or value >= least) and (
        said.most is None or value <= said.most
    )


def _is_of(value, kind):
    """Whether a value is of a type, and if it is a number finite."""
    kinds = {bool: (bool,), int: (int,), float: (int, float)}.get(kind, (str,))
    # An int may be too large for `isfinite`.
    return type(value) in kinds and (type(value) is not float or math.isfinite(value))
