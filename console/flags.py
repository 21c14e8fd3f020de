"""Types of flags: their parsing, bounds and error messages."""

import dataclasses
import math
import os
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from console.errors import InputError

# See `console.choices`.
flags.disclaim_key_flags()

# The path of a file or a folder as it was given, a str. A field of this type is a flag
# of a path; with `tuple[PathName, ...]` it may be given several times.
PathName = typing.NewType("PathName", str)


class PathParser(flags.ArgumentParser):
    """Parses the path of a file or a folder; refuses an empty path.

    For Python an empty path is the current folder, but in a shell script it usually
    comes from an unset variable.
    """

    def parse(self, argument: str) -> str:
        """Returns the path."""
        if not argument:
            raise ValueError("expected a path, found nothing")
        return argument

    def flag_type(self) -> str:
        """Names the type in the help."""
        return "path"


def one_or_all(paths: list[str] | None) -> str | list[str] | None:
    """Converts the value of a flag of paths for storage in files.

    Args:
        paths: Value of the flag; None if it was not given.

    Returns:
        The path if there is only one, or else the value itself.
    """
    return paths[0] if isinstance(paths, list) and len(paths) == 1 else paths


def to_list(paths: Path | str | Sequence[Path | str] | None) -> list[str]:
    """Inverts `one_or_all`: converts a path, several paths or None to a list."""
    if paths is None:
        return []
    several: Any = paths if isinstance(paths, list | tuple) else [paths]
    return [os.fspath(path) for path in several]


class FloatParser(flags.FloatParser):
    """Parses a finite number within bounds."""

    def __init__(
        self, lower_bound: float | None = None, upper_bound: float | None = None
    ) -> None:
        """Stores the bounds, both inclusive; None for no bound."""
        super().__init__(lower_bound, upper_bound)
        self.syntactic_help = ""  # Keeps the help short.
        bounds = {"at least": lower_bound, "at most": upper_bound}
        said = [
            f" {word} {bound:g}" for word, bound in bounds.items() if bound is not None
        ]
        self.expected = "a finite number" + (" of" + " and".join(said) if said else "")

    def parse(self, argument: Any) -> float:
        """Returns the number."""
        try:
            value = to_finite(argument)
        except ValueError:
            value = None
        if value is None or self.is_outside_bounds(value):
            raise ValueError(f"expected {self.expected}")
        return value


def to_finite(text: Any) -> float:
    """Parses a finite number.

    Raises:
        ValueError: It is not a number, or not finite: absl accepts "nan" within any
            bounds.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


class CountParser(flags.ArgumentParser):
    """Parses a whole number within bounds.

    Unlike absl's own parser, it adds no line to the help.
    """

    def __init__(
        self, least: float, most: float | None = None, word: str | None = None
    ) -> None:
        """Stores the inclusive bounds and a word accepted instead; None for none."""
        super().__init__()
        self.least, self.most, self.word = least, most, word
        up_to = "" if most is None else f" and at most {most}"
        self.expected = f"a whole number of at least {least}{up_to}"
        if word is not None:
            self.expected += f", or {word}"

    def parse(self, argument: Any) -> int | str:
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

    def flag_type(self) -> str:
        """Names the type in the help."""
        return "int"


class NumbersParser(flags.ArgumentParser):
    """Parses `2,4,8` to a tuple of numbers."""

    def __init__(self, number: type) -> None:
        """Stores the type of the numbers, int or float."""
        super().__init__()
        self.number = number
        self.to_number = int if number is int else to_finite

    def parse(self, argument: Any) -> tuple:
        """Returns the tuple; also accepts a tuple or a list."""
        if isinstance(argument, str):
            argument = argument.split(",")
        try:
            return tuple(self.to_number(str(part).strip()) for part in argument)
        except ValueError:
            kind = "whole" if self.number is int else "finite"
            raise ValueError(
                f"expected comma-separated {kind} numbers, for example 2,4"
            ) from None

    def flag_type(self) -> str:
        """Names the type in the help."""
        return "comma-separated numbers"


class NumbersSerializer(flags.ArgumentSerializer):
    """Formats the tuple as `NumbersParser` reads it."""

    def serialize(self, value: tuple) -> str:
        """Joins the numbers with commas."""
        return ",".join(str(part) for part in value)


def parse_range(text: str, flag: str) -> slice:
    """Parses a range of rows, `start,end`, to a slice.

    Either may be missing or negative. An end of 0 means the end, as in the TF1 code:
    `-5000,0` are the last 5,000.

    Args:
        text: For example `"0,-5000"`.
        flag: Flag that gave the text, for the message.

    Raises:
        InputError: The text is not such a range.
    """
    words = text.split(",")
    try:
        start, end = (int(word) if word.strip() else None for word in words)
    except ValueError:
        raise InputError(
            f"{flag}={text}: expected two whole numbers separated by a comma, for "
            "example 0,-5000."
        ) from None
    return slice(start, end or None)


def define(name: str, field: dataclasses.Field, said: Any, module: str) -> None:
    """Declares the flag of a field.

    Args:
        name: Name of the flag.
        field: Field of a settings class.
        said: `console.settings.Option` of the field.
        module: Name of the module under which the help lists the flag.
    """
    default: Any = field.default
    kind = _find_kind(field.type)
    parser: Any
    more: dict[str, Any] = {
        "serializer": flags.ArgumentSerializer(),
        "module_name": module,
    }
    if kind is bool:
        flags.DEFINE_bool(name, default, said.help, module_name=module)
        return
    if said.choices is not None:
        choices = list(said.choices)
        flags.DEFINE_enum(name, default, choices, said.help, module_name=module)
        return
    if kind == tuple[PathName, ...]:
        default = None if default is None else list(default)
        parser, serializer = PathParser(), more["serializer"]
        flags.DEFINE_multi(
            parser, serializer, name, default, said.help, module_name=module
        )
        # Removes the line that absl adds to the help.
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
    """Returns the type of a value that is neither None nor a word."""
    # A union with a `NewType` has another class than a union of types.
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        several = [t for t in typing.get_args(annotation) if t is not types.NoneType]
        return int if int in several else several[0]
    return annotation


def is_one(value: Any, annotation: Any, said: Any) -> bool:
    """Whether a value is valid for a flag.

    Args:
        value: Value of any type.
        annotation: Type of the field.
        said: `console.settings.Option` of the field.
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
    """Whether a value has a type, and is finite if it is a number."""
    types = {bool: (bool,), int: (int,), float: (int, float)}.get(kind, (str,))
    # An int may be too large for `isfinite`.
    return type(value) in types and (type(value) is not float or math.isfinite(value))
