r"""Measures PSNR, SSIM and RMSE of a model and of bicubic, for each image and scale.

    python validate.py --model=eusr --scales=2,4,8 --restore_path=train \
        --data_input_path=LR --data_truth_path=HR --report=report.html

Without a checkpoint, the weights in pretrained/ are measured; `--model=bicubic` needs
none. `--data_sr_path=SR` measures existing pictures of any program.
"""

import dataclasses
from pathlib import Path
from typing import Any

from console import app, quiet
from console.choices import Choice
from console.cluster_messages import Share
from console.errors import InputError
from console.files import check_target
from console.flags import to_list
from console.progress import lines_caught, say
from console.ray_engine import working
from console.settings import PathName, Settings, is_given, option
from console.spread import SpreadSettings
from dataloaders import PAIRED
from dataloaders.sr_pictures import SRPictures
from metrics import sharing
from metrics.measuring import (
    BASELINE,
    COLUMNS,
    SHAVE_SIZE,
    average,
    measure_scale,
    print_table,
)
from models import MODELS
from reports import outputs

with quiet.imports():
    from metrics.optional import PictureMetrics
    from models import opening
    from models.opening import open_model
    from training import devices
    from training.options import Precision, StepOptions

MODEL = Choice("model", MODELS, None, "The model; if not given, the checkpoint's.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")
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
        None, "Step to write in the report; if not given, the checkpoint's.", least=0
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
    settings, checkpoint, options, files, metrics, spread = _read_flags()
    model, step, opened, loader, scales, more = _prepare(
        settings, checkpoint, options, metrics
    )
    if settings.restore_global_step is not None:
        step = settings.restore_global_step
    loader.images = spread.take_share(loader.images, lambda pair: pair.name)
    if not loader.images:
        return
    if settings.save_path is not None:
        _check_save_path(settings.save_path, loader)
    say(f"Measuring {len(loader.images)} images.")
    gallery = files.make_gallery(len(scales), len(loader.images), settings.shave_size)
    report: dict[str, Any] = {
        "model": model.name,
        "step": step,
        "shave_size": settings.shave_size,
        "restore_path": opened.restore_path,
        "precision": options.precision if settings.data_sr_path is None else None,
        "naturalness": opened.naturalness,
        "exact_path": opened.exact_path,
        "data_sr_path": settings.data_sr_path,
        "data_truth_path": loader.settings.truth_path,
        "data_input_path": loader.settings.input_path,
        "degradation": loader.describe_degradation(),
        "images": len(loader.images),
        "shard": spread.shard,
        "scales": {},
    }
    shared = {}
    if spread.cluster is not None:
        shared = _measure_on_cluster(spread, settings, opened, loader, scales, gallery)
    for scale in scales:
        measured = shared.get(scale) or _measure(
            model, loader, scale, settings, more, gallery
        )
        report["scales"][str(scale)] = measured
        print_table(model.name, scale, measured, (*COLUMNS, *more))
    files.write(report, gallery)


def _read_flags(is_driver: bool = True) -> list[Any]:
    """Reads the settings, and chooses the device."""
    settings = [each.from_flags() for each in SETTINGS]
    device = settings[0].cuda_device
    if settings[-1].cluster is not None and device != "-1":
        # Each process of a cluster has one GPU, and the driver none.
        device = "-1" if is_driver else "0"
    devices.choose(device, f"--cuda_device={device}")
    return settings


def _prepare(settings, checkpoint, options, metrics):
    """Opens the model, the images and the metrics."""
    model, step, opened = _open_measured(settings, checkpoint, options.precision)
    path = opened.restore_path
    devices.warn_if_slow(options.precision)
    scales = opening.choose_scales(model, settings.scales, model.default_scales, path)
    loader = DATALOADER.load().from_flags(scales=scales)
    more = metrics.make()
    loader.check_measurable(settings.shave_size, more)
    if isinstance(model, SRPictures):
        model.find(loader.images, scales)
    return model, step, opened, loader, scales, more


def _measure_on_cluster(spread, settings, opened, loader, scales, gallery):
    """Measures all images by the processes of --cluster; see `_measure`."""
    folders = sorted(loader.folders())
    way, has_gpu = _tell_way(settings, opened, loader), settings.cuda_device != "-1"
    start = working(
        *(spread, make_worker, folders, "Measuring", way, has_gpu), settings.save_path
    )
    with start as crew:
        found = sharing.measure_on_cluster(crew, loader.images, scales, gallery)
    return {scale: _summarize(results) for scale, results in found.items()}


def make_worker(_: Share) -> sharing.Measuring:
    """Opens the model in a process of --cluster."""
    settings, checkpoint, options, files, metrics, spread = _read_flags(False)
    with lines_caught():  # The driver says them.
        model, _, opened, loader, scales, more = _prepare(
            settings, checkpoint, options, metrics
        )
        loader.images = spread.take_share(loader.images, lambda pair: pair.name)
    gallery = files.make_gallery(len(scales), len(loader.images), settings.shave_size)
    wholes = {scale: loader.pairs(scale) for scale in scales}

    def load(pair, scale):
        return wholes[scale].load(pair)

    return sharing.Measuring(
        *(_list_models(model), load, settings.shave_size, settings.save_path),
        *(more, gallery, _tell_way(settings, opened, loader)),
    )


def _tell_way(settings, opened, loader):
    """Tells the weights and the images, which are the same on all machines."""
    weights = settings.data_sr_path or opened.identify() or MODEL.name
    digest = loader.degradation and loader.degradation.digest
    return f"{weights}, {loader.describe()}, {loader.describe_degradation()}, {digest}"


def _open_measured(settings, checkpoint, precision):
    """Opens the model or the pictures to measure.

    Returns:
        The model or the pictures; the step of its checkpoint, None without a
        checkpoint; and the settings with the prefix of the checkpoint.
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


def _check_save_path(save_path, loader):
    """Refuses a folder that cannot be written, or that holds measured images."""
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


def _measure(model, loader, scale, settings, more, gallery):
    """Measures a model and bicubic at one scale; saves the model's images.

    Returns:
        dict: `average` and `images` of the model, and `bicubic` with the same keys.
    """
    models = _list_models(model)

    def keep(name, pictures, hr, values):
        if settings.save_path is not None:
            sharing.save_output(settings.save_path, scale, name, pictures[0])
        if gallery is not None:
            named = sharing.name_pictures(models, pictures)
            gallery.offer(scale, name, values[0]["psnr_y"], named, hr)

    size = settings.shave_size
    return _summarize(measure_scale(models, loader, scale, size, keep, more))


def _list_models(model):
    """Lists the model and bicubic; bicubic itself is measured only once."""
    return [model] if model.name == BASELINE else [model, open_model(None, BASELINE)]


def _summarize(results):
    """Averages the values; see `_measure`."""
    ours, theirs = results[0], results[-1]
    return {
        "average": average(ours),
        "images": ours,
        BASELINE: {"average": average(theirs), "images": theirs},
    }


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
