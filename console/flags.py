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
    """Returns the path if there is only one, or else the value itself."""
    return paths[0] if isinstance(paths, list) and len(paths) == 1 else paths


def to_list(paths: Path | str | Sequence[Path | str] | None) -> list[str]:
    """Inverts `one_or_all`: converts a path, several paths or None to a list."""
    if paths is None:
        return []
    several: Any = paths if isinstance(paths, list | tuple) else [paths]
    return [os.fspath(path) for path in several]


def to_finite(text: Any) -> float:
    """Parses a number; absl would accept "nan" within any bounds.

    Raises:
        ValueError: It is not a number, or not finite.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


class NumberParser(flags.ArgumentParser):
    """Parses a whole or a finite number within bounds.

    Unlike absl's own parsers, it adds no line to the help.
    """

    def __init__(
        self,
        kind: type,
        least: float | None = None,
        most: float | None = None,
        word: str | None = None,
    ) -> None:
        """Stores int or float, inclusive bounds, and a word accepted instead."""
        super().__init__()
        self.kind, self.least, self.most, self.word = kind, least, most, word
        bounds = {"at least": least, "at most": most}
        said = [f"{how} {at:.10g}" for how, at in bounds.items() if at is not None]
        self.expected = "a whole number" if kind is int else "a finite number"
        self.expected += f" of {' and '.join(said)}" if said else ""
        self.expected += f", or {word}" if word is not None else ""

    def parse(self, argument: Any) -> Any:
        """Returns the number, or the word."""
        if self.word is not None and argument == self.word:
            return argument
        try:
            value = int(argument) if self.kind is int else to_finite(argument)
        except ValueError:
            value = None
        if value is None or not self.allows(value):
            raise ValueError(f"expected {self.expected}")
        return value

    def allows(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        is_enough = self.least is None or value >= self.least
        return is_enough and (self.most is None or value <= self.most)

    def flag_type(self) -> str:
        """Names the type in the help."""
        return self.kind.__name__


class NumbersParser(flags.ArgumentParser):
    """Parses `2,4,8` to a tuple of numbers."""

    def __init__(self, number: type) -> None:
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


class _Serializer(flags.ArgumentSerializer):
    """Formats a value as the parsers here read it."""

    def serialize(self, value):
        several = isinstance(value, tuple | list)
        return ",".join(map(str, value)) if several else str(value)


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
    if kind is bool:
        flags.DEFINE_bool(name, default, said.help, module_name=module)
        return
    if said.choices is not None:
        choices = list(said.choices)
        flags.DEFINE_enum(name, default, choices, said.help, module_name=module)
        return
    is_several = kind == tuple[PathName, ...]
    declare: Any = flags.DEFINE_multi if is_several else flags.DEFINE
    declare(
        name=name,
        default=list(default) if isinstance(default, tuple) else default,
        help=said.help,
        parser=_make_parser(kind, said),
        serializer=_Serializer(),
        module_name=module,
    )
    flags.FLAGS[name].help = said.help  # Without the line that absl adds.


def _make_parser(kind, said):
    """Makes the parser of a flag; of one item if each is given by itself."""
    if kind in (int, float):
        least = 1 if kind is int and said.least is None else said.least
        return NumberParser(kind, least, said.most, said.word)
    if kind in (tuple[int, ...], tuple[float, ...]):
        return NumbersParser(typing.get_args(kind)[0])
    if kind == tuple[str, ...]:
        return flags.ListParser()
    is_path = kind in (PathName, tuple[PathName, ...])
    return PathParser() if is_path else flags.ArgumentParser()


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
    if kind in (int, float):
        return _is_of(value, kind) and _make_parser(kind, said).allows(value)
    return _is_of(value, kind) and (said.choices is None or value in said.choices)


def _is_of(value, kind):
    """Whether a value has a type, and is finite if it is a number."""
    types = {bool: (bool,), int: (int,), float: (int, float)}.get(kind, (str,))
    # An int may be too large for `isfinite`.
    return type(value) in types and (type(value) is not float or math.isfinite(value))
