"""Measures a model on whole pictures, beside bicubic."""

import dataclasses
import math

import numpy as np

from console.errors import InputError, name_some
from console.progress import track, warn
from metrics import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y

BASELINE = "bicubic"

# What the best checkpoint may be chosen by: 1 where more is better, -1 where less is.
BEST_METRICS = {"psnr_y": 1, "niqe": -1}

# HR pixels dropped at each border, if nothing else is said.
SHAVE_SIZE = 4

# Of one image.
METRICS = {
    "psnr_rgb": psnr_rgb,
    "rmse_rgb": rmse_rgb,
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "mse_y": mse_y,
}


def measure_scale(
    models, loader, scale, shave_size, after_image=None, no_reference=None
):
    """Measures every image at one scale.

    Args:
        models: What is measured, one after the other; each has `make_sr`.
        loader: Has `pairs(scale)`.
        scale: Upscaling factor.
        shave_size: HR pixels dropped at each border.
        after_image: Called with an image's name, the outputs of all models, its truth
            (uint8 (H, W, 3) each), and the values of all models.
        no_reference: As of `metrics.no_reference.NoReferenceSettings.make`; None for
            none.

    Returns:
        list: For each model a dict from an image's name to its values.
    """
    pairs = loader.pairs(scale)
    results = [{} for _ in models]
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
    """Names images without a value: no mean counts them."""
    without = {}
    for images in results:
        for name, values in images.items():
            for metric, value in values.items():
                if math.isnan(value):
                    without.setdefault(metric, {})[name] = True
    for metric, names in without.items():
        warn(f"no {metric} of {name_some(names)}, which its mean leaves out.")


def measure_image(sr, hr, name, shave_size, no_reference=None):
    """Measures one image.

    Args:
        sr: uint8 (H, W, 3), rounded as it would be saved.
        hr: uint8 (H', W', 3); both are cut to their common size, because an LR side
            may be the HR side over the scale, rounded down or up.
        name: Of the image, for messages.
        shave_size: HR pixels dropped at each border.
        no_reference: What is measured besides, without the truth; see `measure_scale`.

    Returns:
        dict: From a metric's name to its value.

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


def average(images):
    """Averages the values of all images.

    `rmse_y` by PIRM's rule, the root of the mean of the images' squared errors; the
    others, `rmse_rgb` too, are means of the images' values. An image without a value
    (NIQE of one that is flat all over) is left out of that mean.
    """
    first = next(iter(images.values()))
    values = {metric: _mean(metric, images) for metric in first}
    values["rmse_y"] = float(pirm_rmse([image["mse_y"] for image in images.values()]))
    return values


def _mean(metric, images):
    values = [image[metric] for image in images.values()]
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a validation found at one scale.

    Attributes:
        values: From `psnr_y`, `ssim_y` and what else is measured to the model's mean.
        baseline: The same of bicubic.
        pictures: From `output` and `truth` to a few uint8 (H, W, 3).
    """

    values: dict
    baseline: dict
    pictures: dict

    def describe(self):
        """Both beside each other, for the log."""
        decimals = {"ssim_y": 4}
        texts = []
        for name, ours in self.values.items():
            theirs, digits = self.baseline[name], decimals.get(name, 3)
            of_whom = "" if texts else f"{BASELINE} "
            texts.append(f"{name} {ours:.{digits}f} ({of_whom}{theirs:.{digits}f})")
        return "  ".join(texts)


class _LeftOff(Exception):
    """A validation was asked to leave off."""


class Validation:
    """Measures a model in training, now and then, on the same images."""

    METRICS = ("psnr_y", "ssim_y")
    PICTURES, SIDE = 3, 256

    def __init__(
        self,
        model,
        baseline,
        loader,
        shave_size,
        no_reference=None,
        best_metric="psnr_y",
    ):
        """Takes what is measured, what it is held against, and the images.

        Args:
            model: A `models.base.Model`.
            baseline: Another; measured once.
            loader: Has `scales` and `pairs(scale)`.
            shave_size: HR pixels dropped at each border.
            no_reference: What is measured besides; see `measure_scale`.
            best_metric: By which the best checkpoint is chosen, one of `BEST_METRICS`.
        """
        self.no_reference, self.best_metric = no_reference or {}, best_metric
        self.model, self.baseline = model, baseline
        self.loader, self.shave_size = loader, shave_size
        self.baselines = {}

    def describe(self):
        """Says what the best is the best of: the images, wherever they lie; a str."""
        images = self.loader.describe()
        if self.best_metric == "psnr_y":
            return images
        # Values by two models of natural pictures cannot be compared.
        digest = self.no_reference[self.best_metric].digest
        return f"{images}, by {self.best_metric} ({digest})"

    def rank(self, measured):
        """How good the model is: the mean over scales of what decides.

        Args:
            measured: What a call returned.

        Returns:
            float: Greater is better.
        """
        sign = BEST_METRICS[self.best_metric]
        values = [one.values[self.best_metric] for one in measured.values()]
        return sign * float(np.mean(values))

    def __call__(self, is_to_stop=lambda: False):
        """Measures all scales.

        Args:
            is_to_stop: Asked after each image; says whether to leave off.

        Returns:
            dict: From a scale to its `Measured`; None if it left off.
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
            images = self._means([self.baseline], scale, ask)
            self.baselines[scale] = images
        pictures = {"output": [], "truth": []}

        def keep(_, outputs, hr, __):
            ask()
            if len(pictures["truth"]) < self.PICTURES:
                (sr,) = outputs
                pictures["output"].append(self._crop(sr, hr))
                pictures["truth"].append(self._crop(hr, sr))

        values = self._means([self.model], scale, keep)
        return Measured(values, self.baselines[scale], pictures)

    def _means(self, models, scale, after_image=None):
        images = measure_scale(
            models, self.loader, scale, self.shave_size, after_image, self.no_reference
        )[0]
        means = average(images)
        return {metric: means[metric] for metric in (*self.METRICS, *self.no_reference)}

    def _crop(self, image, other):
        """The middle of an image, at most SIDE x SIDE, where both have pixels."""
        size = np.minimum(image.shape[:2], other.shape[:2])
        top, left = np.maximum(size - self.SIDE, 0) // 2
        bottom, right = np.minimum([top + self.SIDE, left + self.SIDE], size)
        return image[top:bottom, left:right]
