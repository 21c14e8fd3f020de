"""Which rows of a data set weights were trained on, as far as their runs say it."""

import contextlib
import copy
import dataclasses
from pathlib import Path

from console.errors import InputError
from score_predictors.run_files import RunFiles
from score_predictors.weight_files import ENDING
from training import run_folder

# Of a loader's rows, in the order in which it describes them.
PARTS = ("train", "validate")


@dataclasses.dataclass(frozen=True)
class TrainedRows:
    """What is known.

    Attributes:
        trained: Indices of the rows that were trained on, a frozenset.
        validate_range: Rows that the last training validated on, as its flag said;
            None where that is not known, or was of another data set.
        unknown: Why more rows may have been trained on; None where all are known.
    """

    trained: frozenset = frozenset()
    validate_range: str | None = None
    unknown: str | None = None


def find_trained_rows(path, loader):
    """Looks up the run that wrote weights, and the runs that it started from.

    Args:
        path: The weights, `.h5`, beside what else belongs to their run.
        loader: A `dataloaders.scored.ScoredLoader` whose rows are read.

    Returns:
        TrainedRows.
    """
    trained, validate_range, seen, start = set(), None, [], path
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
        # A later start of a run need not name what the first one started from.
        start = before.get("first_restore_path") or before.get("restore_path")
    return TrainedRows(frozenset(trained), validate_range)


def _read_run(path, seen):
    """What the run that wrote weights was started with, a dict.

    Raises:
        InputError: It cannot be known.
    """
    if path.suffix != ENDING:
        raise InputError("a frozen file does not say it")
    if path.resolve() in seen:
        raise InputError(f"it started from {path}, which it replaced")
    name = path.name.removesuffix(ENDING).removesuffix(".best") + ENDING
    before = {}
    # A name that no run has, or a damaged file of arguments.
    with contextlib.suppress(InputError):
        files = RunFiles(path.parent, name)
        before = run_folder.read_before(files.state, files.arguments)
    if not {"dataloader", "data_set"} <= set(before):
        raise InputError(f"no record of a training lies beside {path}")
    return before


def _select_again(path, loader, before):
    """The rows of both parts of a training, as of `ScoredLoader.ranges`.

    Raises:
        InputError: They were others than the loader's.
    """
    ranges = {
        f"{part}_range": str(before.get(f"{loader.name}_{part}_range"))
        for part in PARTS
    }
    again, selected = copy.copy(loader), {}
    again.settings = dataclasses.replace(loader.settings, **ranges)
    with contextlib.suppress(InputError):
        for part in PARTS:  # Both at once would warn of rows in both.
            again.select((part,))
            selected |= again.ranges
    again.ranges = selected
    if again.describe() != before["data_set"]:
        raise InputError(f"{path} was trained on a data set of other rows")
    return selected
