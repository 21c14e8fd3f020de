"""Measures a model repeatedly during training and compares it with bicubic."""

import dataclasses
from collections.abc import Callable

import numpy as np

from metrics.measuring import (
    BASELINE,
    Measurable,
    NoReference,
    PairLoader,
    Values,
    average,
    measure_scale,
)

# Metrics that can choose the best checkpoint: 1 where greater is better, -1 where less.
BEST_METRICS = {"psnr_y": 1, "niqe": -1, "grid": -1}


@dataclasses.dataclass(frozen=True)
class Measured:
    """The results of a validation at one scale.

    Attributes:
        values: From each metric's name to the model's mean.
        baseline: The same for bicubic; empty if it was not measured.
        pictures: From `output` and `truth` to a few pictures, uint8 (H, W, 3).
    """

    values: Values
    baseline: Values
    pictures: dict[str, list[np.ndarray]]

    def describe(self) -> str:
        """Formats the values of the model and of bicubic for the log."""
        decimals = {"ssim_y": 4}
        texts: list[str] = []
        for name, ours in self.values.items():
            digits, of_whom = decimals.get(name, 3), "" if texts else f"{BASELINE} "
            theirs = self.baseline.get(name)
            beside = "" if theirs is None else f" ({of_whom}{theirs:.{digits}f})"
            texts.append(f"{name} {ours:.{digits}f}{beside}")
        return "  ".join(texts)


class _LeftOff(Exception):
    """A validation was asked to stop."""


class Validation:
    """Measures a model repeatedly during training, on the same images."""

    METRICS = ("psnr_y", "ssim_y")
    PICTURES, SIDE = 3, 256

    def __init__(
        self,
        model: Measurable,
        baseline: Measurable | None,
        loader: PairLoader,
        shave_size: int,
        no_reference: NoReference | None = None,
        best_metric: str = "psnr_y",
    ) -> None:
        """Takes the model, the baseline and the images.

        Args:
            model: The model in training.
            baseline: The model to compare with; measured once. None for none.
            loader: The loader of the images.
            shave_size: HR pixels dropped at each border.
            no_reference: Further metrics; see `measure_scale`.
            best_metric: Chooses the best checkpoint; one of `BEST_METRICS`.
        """
        self.no_reference, self.best_metric = no_reference or {}, best_metric
        self.model, self.baseline = model, baseline
        self.loader, self.shave_size = loader, shave_size
        self.baselines: dict[int, Values] = {}

    def describe(self) -> str:
        """Identifies the images and the best metric, independent of their location."""
        images = self.loader.describe()
        if self.best_metric == "psnr_y":
            return images
        by = f"{images}, by {self.best_metric}"
        # Values by two models of natural pictures cannot be compared.
        digest = getattr(self.no_reference[self.best_metric], "digest", None)
        return by if digest is None else f"{by} ({digest})"

    def rank(self, measured: dict[int, Measured]) -> float:
        """Ranks the model by the mean of the best metric over all scales.

        Args:
            measured: The result of a call.

        Returns:
            The rank; greater is better.
        """
        sign = BEST_METRICS[self.best_metric]
        values = [one.values[self.best_metric] for one in measured.values()]
        return sign * float(np.mean(values))

    def __call__(
        self, is_to_stop: Callable[[], bool] = lambda: False
    ) -> dict[int, Measured] | None:
        """Measures all scales.

        Args:
            is_to_stop: Called after each image; True stops the validation.

        Returns:
            A dict from a scale to its `Measured`; None if the validation was stopped.
        """
        try:
            return {s: self._measure(s, is_to_stop) for s in self.loader.scales}
        except _LeftOff:
            return None

    def _measure(self, scale, is_to_stop):
        def ask(*_):
            if is_to_stop():
                raise _LeftOff

        if scale not in self.baselines:
            base = self.baseline
            means = {} if base is None else self._average(base, scale, ask)
            self.baselines[scale] = means
        pictures: dict[str, list[np.ndarray]] = {"output": [], "truth": []}

        def keep(_, outputs, hr, __):
            ask()
            if len(pictures["truth"]) < self.PICTURES:
                (sr,) = outputs
                pictures["output"].append(self._crop(sr, hr))
                pictures["truth"].append(self._crop(hr, sr))

        values = self._average(self.model, scale, keep)
        return Measured(values, self.baselines[scale], pictures)

    def _average(self, model, scale, after_image):
        """Returns the mean of each metric of a model at one scale."""
        (images,) = measure_scale(
            [model], self.loader, scale, self.shave_size, after_image, self.no_reference
        )
        means = average(images)
        return {metric: means[metric] for metric in (*self.METRICS, *self.no_reference)}

    def _crop(self, image, other):
        """Crops the middle of the area common to both images, at most SIDE x SIDE."""
        size = np.minimum(image.shape[:2], other.shape[:2])
        top, left = np.maximum(size - self.SIDE, 0) // 2
        bottom, right = np.minimum([top + self.SIDE, left + self.SIDE], size)
        return image[top:bottom, left:right]
