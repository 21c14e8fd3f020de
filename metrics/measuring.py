"""Measures models on whole pictures."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from console.errors import InputError, name_some
from console.progress import say, track, warn
from metrics import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y

BASELINE = "bicubic"

# Columns of tables, and their decimals where these are not 3.
COLUMNS = ("psnr_rgb", "rmse_rgb", "psnr_y", "ssim_y", "rmse_y")
DECIMALS = {"ssim_y": 4}

# Default number of HR pixels dropped at each border.
SHAVE_SIZE = 4

# From a column's name to a function `measure(sr, hr, shave=)` of two pictures, uint8
# (H, W, 3), and the pixels to drop at each border.
Metrics = Mapping[str, Callable[..., float]]

# Metrics that are always measured.
METRICS: Metrics = {
    "psnr_rgb": psnr_rgb,
    "rmse_rgb": rmse_rgb,
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "mse_y": mse_y,
}

Values = dict[str, float]  # From a metric's name.
Images = dict[str, Values]  # From an image's name.
# Called with a name, the outputs of all models and the ground truth, uint8 (H, W, 3)
# each, and the values of all models.
AfterImage = Callable[[str, list[np.ndarray], np.ndarray, list[Values]], object]


class Measurable(Protocol):
    """A model that can be measured; see `models.base.Model`."""

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """Makes the SR image, uint8 (H, W, 3), of a named LR image."""


class PairLoader(Protocol):
    """A loader of whole LR and HR images; see `dataloaders.image_set.ImageSet`."""

    scales: tuple[int, ...]

    def pairs(self, scale: int) -> Any:
        """Names, LR images and HR images of one scale; has a length."""

    def describe(self) -> str:
        """Identifies the images, independent of their location."""


def measure_scale(
    models: Sequence[Measurable],
    loader: PairLoader,
    scale: int,
    shave_size: int,
    after_image: AfterImage | None = None,
    more: Metrics | None = None,
) -> list[Images]:
    """Measures every image at one scale.

    Args:
        models: The models to measure.
        loader: The loader of the images.
        scale: Upscaling factor.
        shave_size: HR pixels dropped at each border.
        after_image: Called after each image; see `AfterImage`.
        more: Further metrics, of `metrics.optional.OptionalMetrics.make`.

    Returns:
        The images of each model.
    """
    pairs = loader.pairs(scale)
    results: list[Images] = [{} for _ in models]
    for name, lr, hr in track(pairs, len(pairs), f"Measuring x{scale}"):
        outputs = [model.make_sr(name, lr, scale) for model in models]
        values = [measure_image(sr, hr, name, shave_size, more) for sr in outputs]
        for images, of_model in zip(results, values, strict=True):
            images[name] = of_model
        if after_image is not None:
            after_image(name, outputs, hr, values)
    warn_of_missing(results)
    return results


def warn_of_missing(results: Iterable[Images]) -> None:
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
    more: Metrics | None = None,
) -> Values:
    """Measures one image.

    Args:
        sr: uint8 (H, W, 3), rounded as it would be saved.
        hr: uint8 (H', W', 3); both are cut to their common size, because an LR side
            is the HR side divided by the scale, rounded down or up.
        name: Name of the image, for messages.
        shave_size: HR pixels dropped at each border.
        more: Further metrics; see `measure_scale`.

    Raises:
        InputError: The image is too small for a metric.
    """
    height, width = np.minimum(sr.shape[:2], hr.shape[:2])
    sr, hr = sr[:height, :width], hr[:height, :width]
    try:
        values = {
            metric: float(measure(sr, hr, shave=shave_size))
            for metric, measure in {**METRICS, **(more or {})}.items()
        }
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
    means: Values = {}
    for metric in next(iter(images.values())):
        values = [image[metric] for image in images.values()]
        there = [value for value in values if not math.isnan(value)]
        means[metric] = float(np.mean(there)) if there else math.nan
    means["rmse_y"] = pirm_rmse([image["mse_y"] for image in images.values()])
    return means


def print_table(
    name: str, scale: int, measured: dict[str, dict], columns: Sequence[str] = COLUMNS
) -> None:
    """Prints the values of each image and the averages, with bicubic's.

    `measured` has `average` and `images`, and `bicubic` with the same keys.
    """
    theirs = measured[BASELINE]
    width = max(len("image"), len("average"), *map(len, measured["images"]))
    header = "  ".join(f"{column:>10}  {BASELINE:>7}" for column in columns)
    say(f"\n{name} x{scale}\n{'image':{width}}  {header}")
    for image, values in measured["images"].items():
        say(_row(image, width, values, theirs["images"][image], columns))
    say(_row("average", width, measured["average"], theirs["average"], columns))


def _row(title, width, ours, theirs, columns):
    cells = []
    for column in columns:
        decimals = DECIMALS.get(column, 3)
        cells.append(f"{ours[column]:10.{decimals}f}  {theirs[column]:7.{decimals}f}")
    return f"{title:{width}}  {'  '.join(cells)}"
