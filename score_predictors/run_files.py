"""The files of a predictor's training run; several runs can share a folder.

ava.h5              weights after the last step
ava.best.h5         weights of the epoch with the least validation loss
ava.state/          weights, optimizer and position, for resuming
ava.csv             a line for each epoch
ava.arguments.json  the flags of the last start
ava/                files of TensorBoard
"""

import itertools
from pathlib import Path

from console.errors import InputError
from console.files import check_target
from score_predictors import weight_files

# Endings of the files beside `ava.h5`, with or without a further ending.
TAKEN_ENDINGS = (".best", ".state", ".csv", ".json")


class RunFiles:
    """The paths of a run, by the name of its weights."""

    def __init__(self, train_path: Path | str, weight_filename: str) -> None:
        """Takes the folder and the name.

        Raises:
            InputError: Keras does not read weights from a file of this name, or a file
                of another run can have it.
        """
        ending = weight_files.ENDING
        self.stem = weight_filename.removesuffix(ending)
        if not weight_filename.endswith(ending) or self.stem.endswith(".weights"):
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name that ends in "
                f"{ending} but not in .weights{ending}, which Keras uses for another "
                "layout."
            )
        if Path(weight_filename).name != weight_filename:
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name without a "
                "folder; --train_path names the folder."
            )
        if not self.stem.strip(".") or self.stem.endswith(TAKEN_ENDINGS):
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name such as ava.h5, "
                f"without {', '.join(TAKEN_ENDINGS)} before the {ending}: other files "
                "of a run have such names."
            )
        self.folder = Path(train_path)
        self.weights = self.folder / weight_filename
        self.best = self.folder / f"{self.stem}.best{ending}"
        self.state = self.folder / f"{self.stem}.state"
        self.table = self.folder / f"{self.stem}.csv"
        self.arguments = self.folder / f"{self.stem}.arguments.json"
        self.logs = self.folder / self.stem

    @property
    def all(self) -> tuple[Path, ...]:
        """All paths; folders come last."""
        files = (self.weights, self.best, self.table, self.arguments)
        return (*files, self.state, self.logs)

    def check(self) -> None:
        """Checks all paths before any long work.

        Raises:
            InputError: A path is of another kind, or cannot be written to.
        """
        check_target(self.folder, "--train_path", is_folder=True)
        for path in self.all:
            is_folder = path in (self.state, self.logs)
            check_target(path, "--weight_filename", is_folder)

    def check_new(self) -> None:
        """Refuses to begin a run that would replace existing weights.

        Raises:
            InputError: There are weights without a state to resume from.
        """
        there = [path for path in (self.weights, self.best) if path.exists()]
        if there:
            raise InputError(
                f"{there[0]} exists, but there is no {self.state.name} to resume from, "
                "and a new run would replace it. Give another --weight_filename (and "
                f"--restore_path={there[0]} to start from it), or --restart, which "
                "renames it."
            )

    def set_aside(self) -> Path | None:
        """Renames all files of a run.

        Returns:
            The new path of the weights; None if there was no run.
        """
        if not any(path.exists() for path in self.all):
            return None
        names = (f"{self.stem}.old{n}{weight_files.ENDING}" for n in itertools.count(1))
        several = (RunFiles(self.folder, name) for name in names)
        aside = next(o for o in several if not any(path.exists() for path in o.all))
        for path, target in zip(self.all, aside.all, strict=True):
            if path.exists():
                path.rename(target)
        return aside.weights
