"""Settings: fields of frozen dataclasses that declare flags.

    @dataclasses.dataclass(frozen=True)
    class Training(Settings):
        flag_prefix = "eusr_"

        learning_rate: float = option(1e-4, "Initial rate.", least=0, changes="said")

Such a field defines the flag `--eusr_learning_rate` with its help and its bounds, its
entry in `arguments.json`, and whether a resumed run may have another value.
"""

import dataclasses
import sys
from typing import Any, ClassVar, Self

from absl import flags

from console import flags as flag_types
from console.errors import InputError
from console.flags import PathName as PathName

# See `console.choices`.
flags.disclaim_key_flags()

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """The properties of a setting, besides its name, type and default.

    Attributes:
        least: Smallest number; None for no bound, or 1 for an int.
        most: Largest number; None for no bound.
        choices: Accepted texts; None for any.
        changes: Whether a resumed run may have another value: `"no"`, `"said"` (with a
            message) or `"freely"`; None for the `changes` of the class.
        word: Word accepted in place of a number; None for none.
        is_shown: Whether --helpshort lists the flag; None for the class's `shown`.
        is_required: Whether the flag must be given.
        flag: Name of the flag; None for the class's `flag_prefix` and the field's name.
    """

    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] | None = None
    changes: str | None = None
    word: str | None = None
    is_shown: bool | None = None
    is_required: bool = False
    flag: str | None = None


def option(default: Any, help: str, **more: Any) -> Any:
    """Makes a field of a settings class; `more` are other attributes of `Option`."""
    return dataclasses.field(default=default, metadata={_KEY: Option(help, **more)})


def seed_option() -> Any:
    """Makes the field of `--seed`; NumPy's and Keras' seeds have 32 bits."""
    said = "Seed of the initial weights and of the data."
    return option(0, said, least=0, most=2**32 - 1)


class Settings:
    """Base of the dataclasses that hold settings.

    Fields that are not made by `option` have no flags: `from_flags` takes their values.

    Attributes:
        flag_prefix: Prefix of the names of the flags.
        changes: Default of `Option.changes`.
        shown: Names of the fields that --helpshort lists; None for all.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]

    flag_prefix: ClassVar[str] = ""
    changes: ClassVar[str] = "no"
    shown: ClassVar[tuple[str, ...] | None] = None

    @classmethod
    def options(cls) -> dict[str, dataclasses.Field]:
        """Returns the fields of the settings, by the names of their flags."""
        return {
            field.metadata[_KEY].flag or f"{cls.flag_prefix}{field.name}": field
            for field in dataclasses.fields(cls)
            if _KEY in field.metadata
        }

    @classmethod
    def with_default(cls, name: str, default: Any, **more: Any) -> Any:
        """Makes a copy of a field with other attributes, for another class."""
        said = cls.__dataclass_fields__[name].metadata[_KEY]
        said = dataclasses.replace(said, **more)
        return dataclasses.field(default=default, metadata={_KEY: said})

    @classmethod
    def prefixed(cls, flag_prefix: str) -> type[Self]:
        """Makes a class of the same settings with another prefix of the flags."""
        own = {"flag_prefix": flag_prefix, "__module__": cls.__module__}
        return type(cls.__name__, (cls,), own)

    @classmethod
    def define_flags(cls) -> None:
        """Declares the flags."""
        is_own = cls.__module__ == "__main__"
        for flag, field in cls.options().items():
            module = sys.argv[0] if is_own else cls.__module__
            # --helpshort lists all flags of the script's module.
            is_hidden = is_own and not cls.shows(flag)
            module = f"{module} (more)" if is_hidden else module
            flag_types.define(flag, field, field.metadata[_KEY], module)

    @classmethod
    def shows(cls, name: str) -> bool:
        """Whether --helpshort lists a flag."""
        field = cls.options()[name]
        is_shown = field.metadata[_KEY].is_shown
        by_class = cls.shown is None or field.name in cls.shown
        return by_class if is_shown is None else is_shown

    @classmethod
    def from_flags(cls, **others: Any) -> Self:
        """Makes the settings from the values of the flags.

        Args:
            **others: Values of the fields without flags.

        Raises:
            InputError: A value is invalid or missing.
        """
        values, missing = {}, []
        for name, field in cls.options().items():
            value = values[field.name] = flags.FLAGS[name].value
            if value is None and field.metadata[_KEY].is_required:
                missing.append(f"--{name}")
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given; see --helpshort.")
        settings = cls(**values, **others)
        settings.check()
        return settings

    @classmethod
    def from_stored(cls, values: dict[str, Any]) -> Self:
        """Makes the settings from values in a JSON file.

        Args:
            values: From names of fields to values; a missing one, as in files older
                than the option, has its default.

        Raises:
            ValueError: The values are invalid.
        """
        fields = {field.name: field for field in cls.options().values()}
        if not isinstance(values, dict):
            raise ValueError(f"expected values of {', '.join(fields)}")
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ValueError(f"{unknown[0]} is not a known setting")
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        for name, value in values.items():
            field = fields[name]
            if not flag_types.is_one(value, field.type, field.metadata[_KEY]):
                raise ValueError(f"{name} has the invalid value {value}")
        settings = cls(**values)
        settings.check()
        return settings

    @classmethod
    def given(cls) -> dict[str, Any]:
        """Returns the values that were given on the command line, by fields' names."""
        return {
            field.name: flags.FLAGS[name].value
            for name, field in cls.options().items()
            if name in flags.FLAGS and flags.FLAGS[name].present
        }

    def list_changed(self) -> dict[str, str]:
        """Returns flags with other values than their defaults, as they are given."""
        return {
            name: flags.FLAGS[name].serialize()
            for name, field in self.options().items()
            if getattr(self, field.name) != flags.FLAGS[name].default
        }

    def check(self) -> None:
        """Refuses invalid values; a subclass overrides it.

        Raises:
            InputError: A value is invalid; the message says what to give.
        """


def is_given(name: str) -> bool:
    """Whether a flag was given with a value other than None."""
    return bool(flags.FLAGS[name].present) and flags.FLAGS[name].value is not None


def take_missing(known: dict[str, Any]) -> list[str]:
    """Sets flags that were not given; returns the changed ones as they are given."""
    taken = []
    for name, value in known.items():
        flag = flags.FLAGS[name]
        if not flag.present and value != flag.value:
            flag.value = value
            taken.append(flag.serialize())
    return taken


def record(*classes: type[Settings]) -> dict[str, Any]:
    """Returns the values of flags, for JSON; see `console.flags.one_or_all`."""
    values = {n: flags.FLAGS[n].value for owner in classes for n in owner.options()}
    return {
        name: list(value) if isinstance(value, tuple) else flag_types.one_or_all(value)
        for name, value in values.items()
    }


def list_changes(*classes: type[Settings]) -> dict[str, str]:
    """Returns the `Option.changes` of flags."""
    return {
        name: field.metadata[_KEY].changes or owner.changes
        for owner in classes
        for name, field in owner.options().items()
    }
