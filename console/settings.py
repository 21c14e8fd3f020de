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

from absl import flags

from console import flags as kinds
from console.errors import InputError
from console.flags import PathName

__all__ = [
    "PathName",
    "Settings",
    "is_given",
    "list_changes",
    "option",
    "record",
    "seed_option",
    "take_missing",
]

# See `console.choices`.
flags.disclaim_key_flags()

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
    def prefixed(cls, flag_prefix):
        """A class of the same settings under flags of another prefix."""
        own = {"flag_prefix": flag_prefix, "__module__": cls.__module__}
        return type(cls.__name__, (cls,), own)

    @classmethod
    def define_flags(cls):
        """Declares the flags."""
        # absl knows the script's own module by the name that it was started with.
        is_own = cls.__module__ == "__main__"
        for flag, field in cls.options().items():
            module = sys.argv[0] if is_own else cls.__module__
            # It would show all of the script's module in --helpshort.
            is_hidden = is_own and not cls.shows(flag)
            module = f"{module} (more)" if is_hidden else module
            kinds.define(flag, field, field.metadata[_KEY], module)

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
    def from_stored(cls, values):
        """Makes settings that a file has kept as JSON.

        Args:
            values: From names of fields to values; one that is missing, as in older
                files than the option, has its default.

        Raises:
            ValueError: These are no such settings.
        """
        fields = {field.name: field for field in cls.options().values()}
        if not isinstance(values, dict):
            raise ValueError(f"expected values of {', '.join(fields)}")
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ValueError(f"{unknown[0]} is none of its settings")
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        for name, value in values.items():
            field = fields[name]
            if not kinds.is_one(value, field.type, field.metadata[_KEY]):
                raise ValueError(f"{name} cannot be {value}")
        settings = cls(**values)
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
