r"""Measures a model: PSNR, SSIM and RMSE beside bicubic's, for each image and scale.

    python validate.py --model=eusr --scales=2,4,8 --restore_path=train \
        --data_input_path=LR --data_truth_path=HR --report_path=report.json

`--model=bicubic` needs no checkpoint.
"""

import json
from pathlib import Path

import numpy as np
from absl import flags

from console import app, quiet
from console.errors import InputError
from console.files import written_whole
from console.flags import Choice, define_count, define_numbers
from console.progress import say, track
from dataloaders import PAIRED
from imaging.files import save_image, to_uint8
from imaging.tiles import upscale_image
from metrics import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y
from models import MODELS

with quiet.imports():
    from models.opening import open_model
    from training import devices

FLAGS = flags.FLAGS
MODEL = Choice("model", MODELS, None, "The model; a checkpoint knows its own.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")
BASELINE = "bicubic"

# Of one image; the first is what images are compared by in the log.
METRICS = {
    "psnr_rgb": psnr_rgb,
    "rmse_rgb": rmse_rgb,
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
    "mse_y": mse_y,
}
COLUMNS = ("psnr_rgb", "rmse_rgb", "psnr_y", "ssim_y", "rmse_y")
DECIMALS = {"ssim_y": 4}


def define_flags():
    """Declares the flags that are not the loader's."""
    define_numbers("scales", (2, 4, 8), "Scales to measure.")
    flags.DEFINE_string(
        "restore_path", None, "The checkpoint; a folder means its newest."
    )
    flags.DEFINE_string("restore_target", None, "Only part of it to restore.")
    define_count(
        "restore_global_step",
        None,
        "Step to name in the report; the checkpoint knows its own.",
        least=0,
    )
    flags.DEFINE_string(
        "save_path", None, "Folder for the upscaled images: x2/0001.png and so on."
    )
    flags.DEFINE_string(
        "report_path", None, "JSON file for all numbers, those of each image too."
    )
    define_count(
        "shave_size",
        4,
        "HR pixels dropped at each border before measuring; many papers use the scale.",
        least=0,
    )
    flags.DEFINE_string("cuda_device", "-1", "GPU to run on; -1 for the CPU.")


def main():
    """Measures, prints a table, writes report and images."""
    devices.choose(FLAGS.cuda_device)
    model, step = open_model(FLAGS.model, FLAGS.restore_path, FLAGS.restore_target)
    app.check_scales(FLAGS.scales, model)
    if FLAGS.restore_global_step is not None:
        step = FLAGS.restore_global_step
    baseline, _ = open_model(BASELINE, None)
    loader = DATALOADER.load(FLAGS.dataloader).from_flags(scales=FLAGS.scales)
    report = {"model": model.name, "step": step, "shave_size": FLAGS.shave_size}
    report["restore_path"] = FLAGS.restore_path
    report["scales"] = {}
    for scale in FLAGS.scales:
        measured = measure_scale(model, baseline, loader, scale)
        report["scales"][str(scale)] = measured
        print_table(model.name, scale, measured)
    if FLAGS.report_path is not None:
        with written_whole(FLAGS.report_path) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")
        say(f"Wrote {FLAGS.report_path}")


def measure_scale(model, baseline, loader, scale):
    """Measures every image at one scale.

    Args:
        model: What is measured.
        baseline: What it is held against.
        loader: Has `pairs(scale)`.
        scale: Upscaling factor.

    Returns:
        dict: `average` and `images` of the model, and `bicubic` with the same two.
    """
    results = {m.name: {} for m in (model, baseline)}
    pairs = loader.pairs(scale)
    for name, lr, hr in track(pairs, len(pairs), f"Measuring x{scale}"):
        for m in (model, baseline):
            if name in results[m.name]:
                continue  # The baseline itself is measured once.
            sr = to_uint8(upscale_image(m.stages(scale), lr))
            results[m.name][name] = measure_image(sr, hr, name)
            if m is model and FLAGS.save_path is not None:
                save_image(Path(FLAGS.save_path) / f"x{scale}" / f"{name}.png", sr)
    ours, theirs = (results[m.name] for m in (model, baseline))
    return {
        "average": average(ours),
        "images": ours,
        BASELINE: {"average": average(theirs), "images": theirs},
    }


def measure_image(sr, hr, name):
    """Measures one image.

    Args:
        sr: uint8 (H, W, 3), rounded as it would be saved.
        hr: uint8 (H', W', 3); both are cut to their common size, because an LR side
            may be the HR side over the scale, rounded down or up.
        name: Of the image, for messages.

    Returns:
        dict: From a metric's name to its value.

    Raises:
        InputError: The image is too small for a metric.
    """
    height, width = np.minimum(sr.shape[:2], hr.shape[:2])
    sr, hr = sr[:height, :width], hr[:height, :width]
    try:
        values = {
            metric: float(measure(sr, hr, shave=FLAGS.shave_size))
            for metric, measure in METRICS.items()
        }
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    values["rmse_y"] = values["mse_y"] ** 0.5
    return values


def average(images):
    """Averages the values of all images.

    `rmse_y` by PIRM's rule, the root of the mean of the images' squared errors; the
    others, `rmse_rgb` too, are means of the images' values.
    """
    values = {
        metric: float(np.mean([image[metric] for image in images.values()]))
        for metric in METRICS
    }
    values["rmse_y"] = float(pirm_rmse([image["mse_y"] for image in images.values()]))
    return values


def print_table(name, scale, measured):
    """Prints each image's values, then the averages, each beside bicubic's."""
    theirs = measured[BASELINE]
    width = max(len("image"), len("average"), *map(len, measured["images"]))
    header = "  ".join(f"{column:>8}  {BASELINE:>7}" for column in COLUMNS)
    say(f"\n{name} x{scale}\n{'image':{width}}  {header}")
    for image, values in measured["images"].items():
        say(_row(image, width, values, theirs["images"][image]))
    say(_row("average", width, measured["average"], theirs["average"]))


def _row(title, width, ours, theirs):
    cells = []
    for column in COLUMNS:
        decimals = DECIMALS.get(column, 3)
        cells.append(f"{ours[column]:8.{decimals}f}  {theirs[column]:7.{decimals}f}")
    return f"{title:{width}}  {'  '.join(cells)}"


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL, DATALOADER))
