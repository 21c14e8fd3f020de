"""Metrics that are measured on request: NIQE, the grid, and those of predictors."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from console.progress import warn
from console.settings import PathName, Settings, option
from frozen.predictor import FrozenPredictor, open_predictors
from imaging.crops import centre_patch
from metrics.feature_distance import FeatureDistance
from metrics.grid import grid
from metrics.measuring import Metrics
from metrics.niqe import NIQE
from metrics.scores import ROLES
from metrics.validation import BEST_METRICS

DISTANCE = "distance"

# From an optional metric of `BEST_METRICS` to the flag that it needs.
NEEDED = {
    "niqe": "--niqe_model_path",
    "grid": "--measure_grid",
    "distance": "--distance_model",
}


@dataclasses.dataclass(frozen=True)
class OptionalMetrics(Settings):
    """The optional metrics to measure."""

    changes = "freely"

    niqe_model_path: PathName | None = option(
        None,
        "Model of natural pictures for NIQE, which is then measured: the authors' "
        "modelparameters.mat, or an .npz file with the same arrays.",
    )
    measure_grid: bool = option(
        False,
        "Measure the regular grid of 2 or 4 pixels that training against a "
        "discriminator may cause: about 1 for photographs, higher with a grid.",
    )
    distance_model: PathName | None = option(
        None,
        "Frozen predictor by whose features the distance from the ground truth is "
        "measured, as LPIPS does; not one that the model was trained with.",
    )

    def predictors(self) -> dict[str, tuple[PathName, str]]:
        """From a role to the file of its predictor and the flag that gave it."""
        path = self.distance_model
        return {} if path is None else {DISTANCE: (path, f"--{DISTANCE}_model")}

    def make(self) -> Metrics:
        """Makes the metrics.

        Raises:
            InputError: A file is missing or of another kind.
        """
        metrics: dict[str, Callable[..., float]] = {}
        if self.niqe_model_path is not None:
            metrics["niqe"] = WithoutTruth(NIQE.from_file(self.niqe_model_path))
        if self.measure_grid:
            metrics["grid"] = WithoutTruth(grid)
        for role, predictor in open_predictors(self.predictors()).items():
            metrics[role] = (
                FeatureDistance(predictor)
                if role == DISTANCE
                else WithoutTruth(MeanScore(predictor, role))
            )
        return metrics


@dataclasses.dataclass(frozen=True)
class ValidationMetrics(OptionalMetrics):
    """The metrics that are measured during training."""

    shown = ()

    best_metric: str = option(
        "psnr_y",
        "Metric that selects the best checkpoint; niqe needs --niqe_model_path, grid "
        "--measure_grid, distance --distance_model.",
        choices=tuple(BEST_METRICS),
    )


@dataclasses.dataclass(frozen=True)
class PictureMetrics(OptionalMetrics):
    """The metrics that are measured on finished pictures."""

    aesthetic_model: PathName | None = option(
        None, "Frozen predictor trained on AVA; its mean score is reported."
    )
    subjective_model: PathName | None = option(
        None, "Frozen predictor trained on TID2013; its mean score is reported."
    )

    def predictors(self) -> dict[str, tuple[PathName, str]]:
        """See `OptionalMetrics.predictors`."""
        files = {role: getattr(self, f"{role}_model") for role in ROLES}
        given = {r: (p, f"--{r}_model") for r, p in files.items() if p is not None}
        return super().predictors() | given


class WithoutTruth:
    """A no-reference metric among those that compare with the truth."""

    def __init__(self, measure: Callable[..., float]) -> None:
        """Takes a function `measure(image, shave=)`, and its `digest` if it has one."""
        self.measure, self.digest = measure, getattr(measure, "digest", None)

    def __call__(self, sr: np.ndarray, hr: np.ndarray, shave: int = 0) -> float:
        """Measures `sr` alone."""
        return self.measure(sr, shave=shave)


class MeanScore:
    """The mean score that a predictor gives a whole picture."""

    def __init__(self, predictor: FrozenPredictor, role: str) -> None:
        """Takes it; `role`, of `ROLES`, gives the lowest score if the file does not."""
        self.predictor, self.role, self.has_warned = predictor, role, False

    def __call__(self, image: np.ndarray, shave: int = 0) -> float:
        """Scores uint8 (H, W, 3), RGB, on the scale of the data set; higher is better.

        A predictor of a fixed size gets the middle of the picture, without `shave`
        pixels at each border; smaller pictures are enlarged.
        """
        inner, predictor = slice(shave, -shave or None), self.predictor
        image, side = image[inner, inner], predictor.side
        if side is not None:
            if min(image.shape[:2]) < side and not self.has_warned:
                self.has_warned = True
                warn(
                    f"{predictor.source} accepts only {side}x{side} "
                    "pixels; smaller pictures are enlarged, which changes their scores."
                )
            image = centre_patch(image, side)
        scores, _ = predictor.mean_scores(tf.constant(image[None].astype(np.float32)))
        return float(predictor.to_people(scores, ROLES[self.role][1])[0])
