"""Opens a predictor from weights or a frozen file, for `evaluate` and `predict`."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from console.choices import load
from console.errors import InputError
from console.settings import PathName, Settings, option
from frozen import formats
from frozen.predictor import FrozenPredictor
from score_predictors import PREDICTORS

# The predictor in the repository, used when no other is named.
FOLDER = Path(__file__).resolve().parents[1] / "pretrained" / "predictors"
SHIPPED = FOLDER / "tid2013_like.h5"


class Weights(formats.Format):
    """The weights alone, in 16 bits, without the state of the training."""

    ending = ".h5"


@dataclasses.dataclass(frozen=True)
class Scorer:
    """A predictor that is ready to score pictures.

    Attributes:
        network: A function from float32 (N, H, W, 3) in [-1, 1] to scores and features.
        source: The file, for reports.
        first_score: The lowest of the ten scores; None if the file does not hold it.
        dataloader: The loader of the training; None if the file does not hold it.
        side: The only height and width of pictures that it takes; None for any.
    """

    network: Callable[[Any], Sequence[Any]]
    source: PathName
    first_score: int | None = None
    dataloader: str | None = None
    side: int | None = None


@dataclasses.dataclass(frozen=True)
class PredictorSettings(Settings):
    """The predictor to open; that in pretrained/ if none is given."""

    restore_path: PathName | None = option(
        None, "Weights, an .h5 file; if not given, those in pretrained/predictors."
    )
    model_name: PathName | None = option(
        None, "Frozen .pb file, in place of --restore_path."
    )

    @property
    def path(self) -> PathName:
        """The file."""
        return self.restore_path or self.model_name or PathName(str(SHIPPED))

    def check(self) -> None:
        """See `Settings.check`: at most one file may be given."""
        if self.restore_path and self.model_name:
            raise InputError(
                "found both of --restore_path (weights, .h5) and --model_name (a "
                "frozen file, .pb); expected one of them."
            )

    def open(self, name: str) -> Scorer:
        """Opens the predictor, whose name in the registry is given.

        Raises:
            InputError: The file does not fit.
        """
        path = self.path
        if self.model_name:
            network = FrozenPredictor(path)
            return Scorer(network, path, network.first_score, side=network.side)
        predictor_class = load(PREDICTORS, name, "--model")
        predictor, attributes = predictor_class.from_file(path, "--restore_path")
        dataloader = attributes.get("dataloader")
        return Scorer(
            functools.partial(predictor.network, training=False),
            path,
            attributes.get("first_score"),
            dataloader if isinstance(dataloader, str) else None,
        )


@dataclasses.dataclass(frozen=True)
class FirstScore(Settings):
    """The lowest score, for files of other programs that do not hold it."""

    first_score: int | None = option(
        None,
        "Lowest of the ten scores: 1 for AVA, 0 for TID2013. Files written by these "
        "scripts hold it.",
        least=0,
    )
