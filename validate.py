r"""Measures PSNR, SSIM and RMSE of a model and of bicubic, for each image and scale.

    python validate.py --model=eusr --scales=2,4,8 --restore_path=train \
        --data_input_path=LR --data_truth_path=HR --report=report.html

Without a checkpoint, the weights in pretrained/ are measured; `--model=bicubic` needs
none. `--data_sr_path=SR` measures existing pictures of any program.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target
from console.flags import to_list
from console.progress import say
from console.settings import PathName, Settings, is_given, option
from console.spread import SpreadSettings
from dataloaders import PAIRED
from dataloaders.paired import PairedLoader
from dataloaders.sr_pictures import SRPictures
from imaging.files import save_image
from metrics.measuring import BASELINE, SHAVE_SIZE, Metrics, average, measure_scale
from models import MODELS
from reports import outputs
from reports.gallery import Gallery

with quiet.imports():
    from metrics.optional import PictureMetrics
    from models import opening
    from models.base import Model
    from models.opening import open_model
    from training import devices
    from training.options import Precision, StepOptions

MODEL = Choice("model", MODELS, None, "The model; if not given, the checkpoint's.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")
COLUMNS = ("psnr_rgb", "rmse_rgb", "psnr_y", "ssim_y", "rmse_y")
DECIMALS = {"ssim_y": 4}
# Flags that apply to a model only.
MODEL_FLAGS = (
    *("model", "restore_path", "restore_target", "restore_global_step"),
    *("use_ema", "naturalness", "exact_path", "precision", "save_path"),
)


@dataclasses.dataclass(frozen=True)
class MeasureSettings(Settings):
    """Images to measure, and options of the measurement."""

    scales: tuple[int, ...] | None = option(
        None,
        "Scales to measure; if not given, all that the model was trained at.",
    )
    data_sr_path: PathName | None = option(
        None,
        "Folder of SR pictures to measure instead of a model, in x2/, x4/, x8/, or "
        "directly in it if all are of one scale; with the names of the HR images, or "
        "these followed by x4, SR or both.",
    )
    restore_global_step: int | None = option(
        None,
        "Step to write in the report; if not given, the checkpoint's.",
        least=0,
    )
    save_path: PathName | None = option(
        None, "Folder for the upscaled images: x2/0001.png and so on."
    )
    shave_size: int = option(
        SHAVE_SIZE,
        "HR pixels dropped at each border before measuring; many papers use the scale.",
        least=0,
    )
    cuda_device: str = option("-1", "GPU to run on; -1 for the CPU.")


SETTINGS: tuple[Any, ...] = (
    *(MeasureSettings, opening.CheckpointSettings, Precision, outputs.Outputs),
    *(PictureMetrics, SpreadSettings),
)


def main() -> None:
    """Measures, prints a table, writes report and images."""
    settings, checkpoint, options, files, metrics, spread = (
        each.from_flags() for each in SETTINGS
    )
    devices.choose(settings.cuda_device, f"--cuda_device={settings.cuda_device}")
    model, step, opened = open_measured(settings, checkpoint, options.precision)
    path = opened.restore_path
    devices.warn_if_slow(options.precision)
    scales = opening.choose_scales(model, settings.scales, model.default_scales, path)
    if settings.restore_global_step is not None:
        step = settings.restore_global_step
    loader = DATALOADER.load().from_flags(scales=scales)
    more = metrics.make()
    loader.check_measurable(settings.shave_size, more)
    loader.images = spread.take_share(loader.images, lambda pair: pair.name)
    if not loader.images:
        return
    if isinstance(model, SRPictures):
        model.find(loader.images, scales)
    if settings.save_path is not None:
        _check_save_path(settings.save_path, loader)
    say(f"Measuring {len(loader.images)} images.")
    gallery = files.make_gallery(len(scales), len(loader.images), settings.shave_size)
    report: dict[str, Any] = {
        "model": model.name,
        "step": step,
        "shave_size": settings.shave_size,
    }
    has_network = settings.data_sr_path is None
    precision = options.precision if has_network else None
    report |= {"restore_path": path, "precision": precision}
    report |= {"naturalness": opened.naturalness, "exact_path": opened.exact_path}
    report |= {"data_sr_path": settings.data_sr_path}
    report |= {"data_truth_path": loader.settings.truth_path}
    report |= {"data_input_path": loader.settings.input_path}
    report |= {"images": len(loader.images), "shard": spread.shard, "scales": {}}
    for scale in scales:
        measured = measure(
            *(model, loader, scale, settings.shave_size, settings.save_path),
            *(more, gallery),
        )
        report["scales"][str(scale)] = measured
        print_table(model.name, scale, measured, (*COLUMNS, *more))
    files.write(report, gallery)


def open_measured(
    settings: MeasureSettings, checkpoint: opening.CheckpointSettings, precision: str
) -> tuple[Model | SRPictures, int | None, opening.CheckpointSettings]:
    """Opens the model or the pictures to measure.

    Args:
        settings: Images to measure.
        checkpoint: Checkpoint of the model.
        precision: Precision of the model.

    Returns:
        The model or the pictures; the step of its checkpoint, None without a
        checkpoint; and the settings with the prefix of the checkpoint.

    Raises:
        InputError: It cannot be opened, or flags of a model were given with pictures.
    """
    if settings.data_sr_path is None:
        found = checkpoint.find(MODEL.name)
        options = StepOptions(precision=precision)
        return *found.open(MODEL.name, options), found
    given = [f"--{name}" for name in MODEL_FLAGS if is_given(name)]
    if given:
        raise InputError(
            f"--data_sr_path={settings.data_sr_path} measures existing pictures, "
            f"without a model; leave out {', '.join(given)}."
        )
    input_path = to_list(DATALOADER.load().from_flags().settings.input_path) or None
    pictures = SRPictures(settings.data_sr_path, settings.scales, input_path)
    return pictures, None, checkpoint


def _check_save_path(save_path: Path | str, loader: PairedLoader) -> None:
    """Refuses a folder that cannot be written, or that holds measured images.

    Raises:
        InputError: It is such a folder.
    """
    check_target(save_path, "--save_path", is_folder=True)
    sources = {folder.resolve() for folder in loader.folders()}
    below = {Path(pair.name).parent for pair in loader.images}
    for scale in loader.scales:
        targets = {(Path(save_path) / f"x{scale}" / part).resolve() for part in below}
        for target in sorted(targets & sources):
            raise InputError(
                f"--save_path={save_path}: {target} holds the images to measure, "
                "which would be overwritten; give another folder."
            )


def measure(
    model: Model | SRPictures,
    loader: PairedLoader,
    scale: int,
    shave_size: int,
    save_path: Path | str | None = None,
    more: Metrics | None = None,
    gallery: Gallery | None = None,
) -> dict[str, Any]:
    """Measures a model and bicubic at one scale; saves the model's images.

    Args:
        model: Model or pictures; see `open_measured`.
        loader: Loader of the images.
        scale: Upscaling factor.
        shave_size: HR pixels dropped at each border.
        save_path: Folder for the images; None to save none.
        more: Further metrics, of `metrics.optional.OptionalMetrics.make`.
        gallery: Gallery of the report; None for none.

    Returns:
        dict: `average` and `images` of the model, and `bicubic` with the same keys.
    """
    models: list[Any] = [model]
    if model.name != BASELINE:  # Bicubic itself is measured only once.
        models.append(open_model(None, BASELINE))

    def keep(name, pictures, hr, values):
        if save_path is not None:
            save_image(Path(save_path) / f"x{scale}" / f"{name}.png", pictures[0])
        if gallery is not None:
            # Bicubic first, for comparison.
            named = {m.name: p for m, p in zip(models, pictures, strict=True)}
            named = dict(reversed(named.items()))
            gallery.offer(scale, name, values[0]["psnr_y"], named, hr)

    results = measure_scale(models, loader, scale, shave_size, keep, more)
    ours, theirs = results[0], results[-1]
    return {
        "average": average(ours),
        "images": ours,
        BASELINE: {"average": average(theirs), "images": theirs},
    }


def print_table(
    name: str, scale: int, measured: dict[str, Any], columns: Sequence[str] = COLUMNS
) -> None:
    """Prints the values of each image and the averages, with bicubic's."""
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


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
