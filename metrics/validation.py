"""Measures a model repeatedly during training and compares it with bicubic."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from metrics.measuring import (
    BASELINE,
    DECIMALS,
    Measurable,
    Metrics,
    PairLoader,
    Values,
    average,
    measure_scale,
)
from reports.sheet import cut, draw_sheet, find_places

# Metrics that can choose the best checkpoint: 1 where greater is better, -1 where less.
BEST_METRICS = {"psnr_y": 1, "niqe": -1, "grid": -1, "distance": -1}


@dataclasses.dataclass(frozen=True)
class Measured:
    """The results of a validation at one scale.

    Attributes:
        values: From each metric's name to the model's mean.
        baseline: The same for bicubic; empty if it was not measured.
        sheet: Fixed crops of bicubic, if measured, of the model and of the truth, uint8
            (H, W, 3).
    """

    values: Values
    baseline: Values
    sheet: np.ndarray

    def describe(self) -> str:
        """Formats the values of the model and of bicubic for the log."""
        texts: list[str] = []
        for name, ours in self.values.items():
            digits, of_whom = DECIMALS.get(name, 3), "" if texts else f"{BASELINE} "
            theirs = self.baseline.get(name)
            beside = "" if theirs is None else f" ({of_whom}{theirs:.{digits}f})"
            texts.append(f"{name} {ours:.{digits}f}{beside}")
        return "  ".join(texts)


class _LeftOff(Exception):
    """A validation was asked to stop."""


class Validation:
    """Measures a model repeatedly during training, on the same images."""

    METRICS = ("psnr_y", "ssim_y")

    def __init__(
        self,
        model: Measurable,
        baseline: Measurable | None,
        loader: PairLoader,
        shave_size: int,
        more: Metrics | None = None,
        best_metric: str = "psnr_y",
    ) -> None:
        """Takes the model in training and the images.

        The baseline, if given, is measured once. `best_metric`, one of `BEST_METRICS`,
        chooses the best checkpoint; see `measure_scale` for the others.
        """
        self.more, self.best_metric = more or {}, best_metric
        self.model, self.baseline = model, baseline
        self.loader, self.shave_size = loader, shave_size
        # Values and crops of each scale.
        self.baselines: dict[int, tuple[Values, list[np.ndarray]]] = {}

    def describe(self) -> str:
        """Identifies the images and the best metric, independent of their location."""
        images = self.loader.describe()
        if self.best_metric == "psnr_y":
            return images
        by = f"{images}, by {self.best_metric}"
        # Values by two models of natural pictures cannot be compared.
        digest = getattr(self.more[self.best_metric], "digest", None)
        return by if digest is None else f"{by} ({digest})"

    def rank(self, measured: dict[int, Measured]) -> float:
        """Ranks the result of a call by its best metric's mean; greater is better."""
        sign = BEST_METRICS[self.best_metric]
        values = [one.values[self.best_metric] for one in measured.values()]
        return sign * float(np.mean(values))

    def __call__(
        self, is_to_stop: Callable[[], bool] = lambda: False
    ) -> dict[int, Measured] | None:
        """Measures all scales; None if `is_to_stop` returned True after an image."""
        try:
            return {s: self._measure(s, is_to_stop) for s in self.loader.scales}
        except _LeftOff:
            return None

    def _measure(self, scale, is_to_stop):
        if scale not in self.baselines:
            known: tuple[Values, list[np.ndarray]] = {}, []
            if self.baseline is not None:
                known = self._look(self.baseline, scale, is_to_stop)[:2]
            self.baselines[scale] = known
        baseline, theirs = self.baselines[scale]
        values, ours, truths = self._look(self.model, scale, is_to_stop)
        versions = (theirs, ours, truths) if theirs else (ours, truths)
        return Measured(values, baseline, draw_sheet(list(zip(*versions, strict=True))))

    def _look(self, model, scale, is_to_stop):
        """Returns a model's means, its crops, and those of the truth at one scale."""
        crops, truths, seen = [], [], itertools.count()
        pairs = len(self.loader.pairs(scale))

        def keep(_, outputs, hr, __):
            if is_to_stop():
                raise _LeftOff
            size = np.minimum(outputs[0].shape[:2], hr.shape[:2])
            for place in find_places(next(seen), pairs, size):
                crops.append(cut(outputs[0], place))
                truths.append(cut(hr, place))

        (images,) = measure_scale(
            [model], self.loader, scale, self.shave_size, keep, self.more
        )
        means = average(images)
        return {m: means[m] for m in (*self.METRICS, *self.more)}, crops, truths
