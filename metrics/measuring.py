"""Measures models on whole pictures and compares them with bicubic."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Protocol

import numpy as np

from console.errors import InputError, name_some
from console.progress import track, warn
from metrics import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y

BASELINE = "bicubic"

# Metrics that can choose the best checkpoint: 1 where greater is better, -1 where less.
BEST_METRICS = {"psnr_y": 1, "niqe": -1}

# Default number of HR pixels dropped at each border.
SHAVE_SIZE = 4

# Metrics of one image.
METRICS: dict[str, Callable[..., float]] = {
    "psnr_rgb": psnr_rgb,
    "rmse_rgb": rmse_rgb,
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "mse_y": mse_y,
}

# From a column's name to a function `measure(image, shave=)`.
NoReference = Mapping[str, Callable[..., float]]
Values = dict[str, float]  # From a metric's name.
Images = dict[str, Values]  # From an image's name.
# Called with a name, the outputs of all models, the ground truth and all values.
AfterImage = Callable[[str, list[np.ndarray], np.ndarray, list[Values]], object]


class Measurable(Protocol):
    """A model that can be measured; see `models.base.Model`."""

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """Makes the SR image, uint8 (H, W, 3), of a named LR image."""


class Pairs(Sized, Iterable[tuple[str, np.ndarray, np.ndarray]], Protocol):
    """Names, LR images and HR images."""


class PairLoader(Protocol):
    """A loader of whole LR and HR images; see `dataloaders.image_set.ImageSet`."""

    scales: tuple[int, ...]

    def pairs(self, scale: int) -> Pairs:
        """All pairs of one scale."""

    def describe(self) -> str:
        """Identifies the images, independent of their location."""


def measure_scale(
    models: Sequence[Measurable],
    loader: PairLoader,
    scale: int,
    shave_size: int,
    after_image: AfterImage | None = None,
    no_reference: NoReference | None = None,
) -> list[Images]:
    """Measures every image at one scale.

    Args:
        models: The models to measure.
        loader: The loader of the images.
        scale: Upscaling factor.
        shave_size: HR pixels dropped at each border.
        after_image: Called after each image with its name, the outputs of all models,
            its ground truth (uint8 (H, W, 3) each), and the values of all models.
        no_reference: Further metrics, made by
            `metrics.no_reference.NoReferenceSettings.make`.

    Returns:
        For each model, a dict from an image's name to its values.
    """
    pairs = loader.pairs(scale)
    results: list[Images] = [{} for _ in models]
    for name, lr, hr in track(pairs, len(pairs), f"Measuring x{scale}"):
        outputs = []
        for model, images in zip(models, results, strict=True):
            outputs.append(model.make_sr(name, lr, scale))
            images[name] = measure_image(
                outputs[-1], hr, name, shave_size, no_reference
            )
        if after_image is not None:
            after_image(name, outputs, hr, [images[name] for images in results])
    _warn_of_missing(results)
    return results


def _warn_of_missing(results):
    """Warns of images that have no value; means leave them out."""
    without: dict[str, dict[str, bool]] = {}
    for images in results:
        for name, values in images.items():
            for metric, value in values.items():
                if math.isnan(value):
                    without.setdefault(metric, {})[name] = True
    for metric, names in without.items():
        warn(f"{metric} is undefined for {name_some(names)}; its mean omits them.")


def measure_image(
    sr: np.ndarray,
    hr: np.ndarray,
    name: str,
    shave_size: int,
    no_reference: NoReference | None = None,
) -> Values:
    """Measures one image.

    Args:
        sr: uint8 (H, W, 3), rounded as it would be saved.
        hr: uint8 (H', W', 3); both are cut to their common size, because an LR side
            is the HR side divided by the scale, rounded down or up.
        name: Name of the image, for messages.
        shave_size: HR pixels dropped at each border.
        no_reference: Metrics that need no ground truth; see `measure_scale`.

    Returns:
        A dict from a metric's name to its value.

    Raises:
        InputError: The image is too small for a metric.
    """
    height, width = np.minimum(sr.shape[:2], hr.shape[:2])
    sr, hr = sr[:height, :width], hr[:height, :width]
    try:
        values = {
            metric: float(measure(sr, hr, shave=shave_size))
            for metric, measure in METRICS.items()
        }
        for column, measure in (no_reference or {}).items():
            values[column] = measure(sr, shave=shave_size)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    values["rmse_y"] = values["mse_y"] ** 0.5
    return values


def average(images: Images) -> Values:
    """Averages the values of all images.

    `rmse_y` follows PIRM's rule, the root of the mean of the squared errors of all
    images. All other metrics, including `rmse_rgb`, are means of the images' values. A
    mean leaves out images without a value, such as the NIQE of a flat image.
    """
    values = {metric: _mean(metric, images) for metric in next(iter(images.values()))}
    values["rmse_y"] = float(pirm_rmse([image["mse_y"] for image in images.values()]))
    return values


def _mean(metric, images):
    values = [image[metric] for image in images.values()]
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


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
        # Values by two models of natural pictures cannot be compared.
        digest = self.no_reference[self.best_metric].digest  # type: ignore[attr-defined]
        return f"{images}, by {self.best_metric} ({digest})"

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
