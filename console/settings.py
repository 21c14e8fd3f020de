"""Settings: each is said once, as a field of a frozen dataclass.

    @dataclasses.dataclass(frozen=True)
    class Training(Settings):
        flag_prefix = "eusr_"

        learning_rate: float = option(1e-4, "Adam's.", least=0.0, changes="said")

From such a field come the flag `--eusr_learning_rate` with its help and its bounds, the
value taken from the command line, what `arguments.json` records, and whether a run that
goes on may have another value.
"""

import dataclasses
import sys
import types
import typing

from absl import flags

from console import flags as kinds
from console.errors import InputError

# See `console.choices`.
flags.disclaim_key_flags()

# The path of a file or a folder as it was given, a str. Annotate a field with it, or
# with `tuple[PathName, ...]` for a flag that may be given several times.
PathName = typing.NewType("PathName", str)

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """What is said of a setting beside its name, its type and its default.

    Attributes:
        help: Help of the flag.
        least: Smallest number; None for any, of a whole number 1.
        most: Largest number; None for any.
        choices: The texts to choose among; None for any.
        changes: Whether a run that goes on may have another value: `"no"`, `"said"`
            (with a line that says so) or `"freely"`; None for the `changes` of the
            class.
        word: A word that does in place of a number; None for none.
        is_shown: Whether --helpshort lists it; None for what the class's `shown` says.
        is_required: Whether the flag must be given.
        flag: Name of the flag; None for the class's `flag_prefix` and the field's name.
    """

    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple | None = None
    changes: str | None = None
    word: str | None = None
    is_shown: bool | None = None
    is_required: bool = False
    flag: str | None = None


def option(default, help, **more):
    """Makes a field of a dataclass that is a setting.

    Args:
        default: Its value where the flag is not given.
        help: Help of the flag.
        **more: See `Option`.
    """
    return dataclasses.field(default=default, metadata={_KEY: Option(help, **more)})


def seed_option():
    """The field of `--seed`: NumPy's and so Keras' seeds have 32 bits."""
    said = "Of weights and data: the same seed, the same run."
    return option(0, said, least=0, most=2**32 - 1)


class Settings:
    """Base of the dataclasses that hold settings.

    Fields that are not made by `option` are no flags: `from_flags` takes their values.

    Attributes:
        flag_prefix: What the names of its flags begin with.
        changes: Of each option that does not say it; see `Option`.
        shown: Names of the fields that --helpshort lists; None for all.
    """

    flag_prefix = ""
    changes = "no"
    shown = None

    @classmethod
    def options(cls):
        """Lists the settings.

        Returns:
            dict: From the name of a flag to a `dataclasses.Field`.
        """
        return {
            field.metadata[_KEY].flag or f"{cls.flag_prefix}{field.name}": field
            for field in dataclasses.fields(cls)
            if _KEY in field.metadata
        }

    @classmethod
    def with_default(cls, name, default, **more):
        """A field like one of this class's, with another default, for another class.

        Args:
            name: Of the field.
            default: In place of its own.
            **more: Of `Option`, in place of its own.
        """
        field = {f.name: f for f in dataclasses.fields(cls)}[name]
        said = dataclasses.replace(field.metadata[_KEY], **more)
        return dataclasses.field(default=default, metadata={_KEY: said})

    @classmethod
    def define_flags(cls):
        """Declares the flags."""
        # absl knows the script's own module by the name that it was started with.
        is_own = cls.__module__ == "__main__"
        for flag, field in cls.options().items():
            module = sys.argv[0] if is_own else cls.__module__
            # It would show all of the script's module in --helpshort.
            is_hidden = is_own and not cls.shows(flag)
            _define(flag, field, f"{module} (more)" if is_hidden else module)

    @classmethod
    def shows(cls, name):
        """Whether --helpshort lists a flag."""
        field = cls.options()[name]
        if field.metadata[_KEY].is_shown is not None:
            return field.metadata[_KEY].is_shown
        return cls.shown is None or field.name in cls.shown

    @classmethod
    def from_flags(cls, **others):
        """Takes the values of the flags.

        Args:
            **others: Values of the fields that are no flags.

        Returns:
            One of this class.

        Raises:
            InputError: The values cannot be used, or one is missing.
        """
        missing = [
            f"--{name}"
            for name, field in cls.options().items()
            if field.metadata[_KEY].is_required and flags.FLAGS[name].value is None
        ]
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given; see --helpshort.")
        values = {
            field.name: flags.FLAGS[name].value for name, field in cls.options().items()
        }
        settings = cls(**values, **others)
        settings.check()
        return settings

    @classmethod
    def given(cls):
        """Finds what the command line says of the settings.

        Returns:
            dict: From a field's name to its value, of the flags that were given; of a
            script that does not have them, none.
        """
        return {
            field.name: flags.FLAGS[name].value
            for name, field in cls.options().items()
            if name in flags.FLAGS and flags.FLAGS[name].present
        }

    def list_changed(self):
        """Lists what is not at its default.

        Returns:
            dict: From the name of a flag to the flag as one would give it.
        """
        return {
            name: flags.FLAGS[name].serialize()
            for name, field in self.options().items()
            if getattr(self, field.name) != flags.FLAGS[name].default
        }

    def check(self):
        """Refuses values that cannot be used.

        Raises:
            InputError: With what to give.
        """


def is_given(name):
    """Whether a flag was given, and not as None."""
    return bool(flags.FLAGS[name].present) and flags.FLAGS[name].value is not None


def take_missing(known):
    """Gives flags that were not given the values that are known of them.

    Args:
        known: From the name of a flag to a value that fits it.

    Returns:
        list of str: The flags whose values are others now, as one would give them.
    """
    taken = []
    for name, value in known.items():
        flag = flags.FLAGS[name]
        if not flag.present and value != flag.value:
            flag.value = value
            taken.append(flag.serialize())
    return taken


def record(*classes):
    """The values of flags as `arguments.json` holds them.

    Args:
        *classes: `Settings` whose flags are declared.

    Returns:
        dict: From the name of a flag to its value, ready for JSON; of a flag that may
        be given several times and was given once, to that.
    """
    values = {n: flags.FLAGS[n].value for owner in classes for n in owner.options()}
    return {
        name: list(value) if isinstance(value, tuple) else kinds.one_or_all(value)
        for name, value in values.items()
    }


def list_changes(*classes):
    """Says of flags whether a run that goes on may have other values.

    Args:
        *classes: `Settings`.

    Returns:
        dict: From the name of a flag to `"no"`, `"said"` or `"freely"`.
    """
    return {
        name: field.metadata[_KEY].changes or owner.changes
        for owner in classes
        for name, field in owner.options().items()
    }


def _define(name, field, module):
    """Declares the flag of a field.

    Args:
        name: Of the flag.
        field: A `dataclasses.Field` that `option` made.
        module: Under whose name the help lists it.
    """
    said, default = field.metadata[_KEY], field.default
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
        parser, serializer = kinds.PathParser(), flags.ArgumentSerializer()
        flags.DEFINE_multi(
            parser, serializer, name, default, said.help, module_name=module
        )
        # Without the line that absl adds: in the help, space is short.
        flags.FLAGS[name].help = said.help
        return
    if kind in (tuple[int, ...], tuple[float, ...]):
        parser = kinds.NumbersParser(typing.get_args(kind)[0])
        more["serializer"] = kinds.NumbersSerializer()
    elif kind == tuple[str, ...]:
        parser, more["serializer"] = flags.ListParser(), flags.CsvListSerializer(",")
        default = list(default)
    elif kind is int:
        least = 1 if said.least is None else said.least
        parser = kinds.CountParser(least, said.most, said.word)
    elif kind is float:
        parser = kinds.FloatParser(said.least, said.most)
    else:
        parser = kinds.PathParser() if kind is PathName else flags.ArgumentParser()
    flags.DEFINE(parser, name, default, said.help, **more)


def _find_kind(annotation):
    """The type that a value has, if it is not None and no word."""
    # A union with a `NewType` is of another class than one of types.
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        several = [t for t in typing.get_args(annotation) if t is not types.NoneType]
        return int if int in several else several[0]
    return annotation
