"""Finds the rows of a data set that weights were trained on, from records of runs."""

import contextlib
import copy
import dataclasses
from pathlib import Path
from typing import Any

from console.errors import InputError
from score_predictors.run_files import RunFiles
from score_predictors.weight_files import ENDING
from training import run_folder

# Parts of a loader's rows, in the order of its description.
PARTS = ("train", "validate")


@dataclasses.dataclass(frozen=True)
class TrainedRows:
    """The rows that weights were trained on, as far as known.

    Attributes:
        trained: Indices of the rows.
        validate_range: Value of the flag of the rows that the last training validated
            on; None if it is not known or of another data set.
        unknown: The reason why further rows may have been trained on; None if all rows
            are known.
    """

    trained: frozenset[int] = frozenset()
    validate_range: str | None = None
    unknown: str | None = None


def find_trained_rows(path: Path | str, loader: Any) -> TrainedRows:
    """Looks up the run that wrote weights, and the runs that it started from.

    The loader is a `dataloaders.scored.ScoredLoader` whose rows are selected.
    """
    trained: set[int] = set()
    seen: list[Path] = []
    start: Path | str | None = path
    validate_range = None
    while start is not None:
        try:
            before = _read_run(Path(start), seen)
            if before["dataloader"] == loader.name:
                rows = _select_again(start, loader, before)
                trained.update(rows["train"])
                if not seen:
                    validate_range = before[f"{loader.name}_validate_range"]
        except InputError as error:
            return TrainedRows(frozenset(trained), validate_range, str(error))
        seen.append(Path(start).resolve())
        # A later start of a run may lack the --restore_path of the first start.
        start = before.get("first_restore_path") or before.get("restore_path")
    return TrainedRows(frozenset(trained), validate_range)


def _read_run(path, seen):
    """Reads the arguments of the run that wrote weights."""
    if path.suffix != ENDING:
        raise InputError("a frozen file has no record of its training")
    if path.resolve() in seen:
        raise InputError(f"its training replaced {path}, from which it started")
    name = path.name.removesuffix(ENDING).removesuffix(".best") + ENDING
    before = {}
    # The name may not be a run's, or the file of arguments may be damaged.
    with contextlib.suppress(InputError):
        files = RunFiles(path.parent, name)
        before = run_folder.read_before(files.state, files.arguments)
    if not {"dataloader", "data_set"} <= set(before):
        raise InputError(f"there is no record of a training beside {path}")
    return before


def _select_again(path, loader, before):
    """Returns `ScoredLoader.ranges` of a training on the data set of the loader."""
    names = [f"{part}_range" for part in PARTS]
    ranges = {name: str(before.get(f"{loader.name}_{name}")) for name in names}
    again, selected = copy.copy(loader), {}
    again.settings = dataclasses.replace(loader.settings, **ranges)
    with contextlib.suppress(InputError):
        for part in PARTS:  # Selecting both at once would warn of common rows.
            again.select((part,))
            selected |= again.ranges
    again.ranges = selected
    if again.describe() != before["data_set"]:
        raise InputError(f"{path} was trained on a data set of other rows")
    return selected
