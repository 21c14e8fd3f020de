"""Settings: what is said of one in its field is what its flag does."""

import dataclasses

import pytest
from absl import flags

from console.errors import InputError
from console.settings import (
    PathName,
    Settings,
    is_given,
    list_changes,
    option,
    record,
    take_missing,
)
from upscaling.choosing import EnlargingSettings


@dataclasses.dataclass(frozen=True)
class Small(Settings):
    flag_prefix = "small_"
    changes = "said"
    shown = ("count",)

    count: int = option(3, "How many.", most=9)
    size: int | str = option("auto", "How large.", least=0, word="auto")
    rate: float | None = option(None, "How fast.", least=0.5)
    kind: str = option("a", "Which.", choices=("a", "b"))
    scales: tuple[int, ...] = option((2, 4), "By how much.", changes="no")
    folders: tuple[PathName, ...] | None = option(None, "Where.", changes="freely")
    is_fast: bool = option(False, "Whether.", flag="fast")
    plain: int = 7

    def check(self):
        if self.count == 8:
            raise InputError("--small_count=8: expected another.")


@dataclasses.dataclass(frozen=True)
class Larger(Small):
    count: int = Small.with_default("count", 5, is_shown=False)
    name: PathName = option(None, "Of what.", is_required=True)


@pytest.fixture
def parse(monkeypatch):
    """Declares the flags of a class and reads a command line."""

    def read(settings, *arguments):
        values = flags.FlagValues()
        for module in ("console.settings.flags.FLAGS", "absl.flags.FLAGS"):
            monkeypatch.setattr(module, values)
        with monkeypatch.context() as patch:
            for name in ("DEFINE", "DEFINE_bool", "DEFINE_enum", "DEFINE_multi"):
                patch.setattr(flags, name, _with(getattr(flags, name), values))
            settings.define_flags()
        values(["script", *arguments])
        return settings

    return read


def _with(define, values):
    return lambda *args, **named: define(*args, flag_values=values, **named)


def test_defaults_and_what_is_given(parse):
    assert parse(Small).from_flags(plain=1) == Small(plain=1)
    small = parse(
        *(Small, "--small_count=9", "--small_size=0", "--small_rate=.5"),
        *("--small_kind=b", "--small_scales=8", "--fast"),
        *("--small_folders=x", "--small_folders=y"),
    ).from_flags()
    assert small == Small(9, 0, 0.5, "b", (8,), ["x", "y"], True)
    assert Small.given()["scales"] == (8,)
    assert is_given("fast") and small.list_changed()["small_kind"] == "--small_kind=b"


@pytest.mark.parametrize(
    "argument",
    [
        *(
            "--small_count=0",
            "--small_count=10",
            "--small_count=auto",
            "--small_size=-1",
        ),
        *("--small_rate=0.4", "--small_rate=nan", "--small_kind=c", "--small_scales=x"),
        "--small_folders=",
    ],
)
def test_what_is_out_of_bounds_is_refused(parse, argument):
    with pytest.raises(flags.Error):
        parse(Small, argument)


def test_a_class_checks_itself_and_misses_what_it_needs(parse):
    with pytest.raises(InputError, match="expected another"):
        parse(Small, "--small_count=8").from_flags()
    with pytest.raises(InputError, match="--small_name must be given"):
        parse(Larger).from_flags()
    larger = parse(Larger, "--small_name=n").from_flags()
    assert (larger.count, larger.name) == (5, "n")
    assert Small.shows("small_count") and not Larger.shows("small_count")
    assert not Small.shows("small_size")


def test_what_is_recorded_and_what_may_change(parse):
    parse(Small, "--small_folders=x", "--small_scales=3")
    assert record(Small) == {
        "small_count": 3,
        "small_size": "auto",
        "small_rate": None,
        "small_kind": "a",
        "small_scales": [3],
        "small_folders": "x",
        "fast": False,
    }
    changes = list_changes(Small)
    assert changes["small_scales"] == "no" and changes["small_folders"] == "freely"
    assert changes["small_kind"] == changes["fast"] == "said"


def test_how_results_are_made_is_told_by_the_names_of_the_flags(parse):
    given = ("--self_ensemble", "--tile_size=8", "--noall_passes", "--scale=2.5")
    enlarging = parse(EnlargingSettings, *given).from_flags()
    assert enlarging.tell_way("w") == "w --scale=2.5 --self_ensemble"
    given = ("--self_ensemble", "--tile_size=8", "--tile_overlap=0", "--all_passes")
    assert parse(EnlargingSettings, *given).from_flags().tell_way("w") == (
        "w --scale=4 --all_passes --self_ensemble --tile_overlap=0 --tile_size=8"
    )


def test_what_is_known_takes_the_place_of_what_was_not_given(parse):
    parse(Small, "--small_count=2")
    known = {"small_count": 4, "small_kind": "b", "small_scales": (2, 4)}
    assert take_missing(known) == ["--small_kind=b"]
    assert (Small.from_flags().count, Small.from_flags().kind) == (2, "b")


STORED = {"count": 9, "size": "auto", "rate": None, "kind": "b", "scales": [2, 8]}
STORED |= {"folders": None, "is_fast": True}


def test_what_a_file_has_kept_is_taken():
    assert Small.from_stored(STORED) == Small(9, scales=(2, 8), kind="b", is_fast=True)
    assert Small.from_stored({}) == Small()
    assert Small.from_stored({"size": 4, "rate": 1}) == Small(size=4, rate=1)


@pytest.mark.parametrize(
    "changes",
    [
        *({"count": value} for value in (0, 10, 8, 3.0, True, None, "3", 10**400)),
        *({"rate": value} for value in (0.1, "fast", float("inf"))),
        *({"kind": "c"}, {"scales": [2, "x"]}, {"scales": 2}, {"scales": [None]}),
        *({"is_fast": 1}, {"size": "other"}, {"other": 1}),
    ],
)
def test_what_no_flag_could_be_is_refused_of_a_file(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Small.from_stored(STORED | changes)


def test_a_prefixed_class_is_listed_where_its_own_is(parse):
    other = Small.prefixed("other_")
    assert other.__module__ == Small.__module__
    assert parse(other, "--other_count=4").from_flags(plain=1).count == 4
