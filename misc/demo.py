"""Enlarges a photograph with the weights that ship, then fine-tunes EUSR.

What `make demo` runs. Each stage is the command that a user would type, and is printed
before it runs.
"""

import dataclasses
import itertools
import json
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.progress import say, to_clock  # noqa: E402
from console.settings import PathName, Settings, option  # noqa: E402
from imaging.files import load_image  # noqa: E402
from imaging.imresize import imresize  # noqa: E402
from metrics import psnr_y  # noqa: E402

with quiet.imports():
    from misc import road
    from models import shipped

SCALES = (2, 4)

# Of the fine-tuning: enough for LR images that the weights have never seen.
SCALE = 4
TRAINING = "--input_patch_size=24 --batch_size=8 --eusr_learning_rate=2e-4".split()

# Least gain of the fine-tuning on the held-out photographs, in dB of psnr_y.
LEAST_GAIN = 2.0

# What the pictures show: photograph, top, left and side of the crop, HR pixels.
SHOWN = ("chelsea", 84, 100, 120)


@dataclasses.dataclass(frozen=True)
class DemoSettings(Settings):
    """How long the demo takes, and where it writes."""

    output_path: PathName = option("demo", "Folder to write to.")
    steps: int = option(300, "Training steps of the fine-tuning.")


def main():
    """Enlarges, fine-tunes, compares."""
    settings = DemoSettings.from_flags()
    start = time.monotonic()
    parts = ("train", "validate", "run", "SR", "SR_cv")
    folder = road.enter(settings.output_path, parts)
    road.make_images(folder, SCALES)
    enlarge(folder)
    fine_tune(folder, settings.steps)
    before, after = (
        json.loads((folder / f"{name}.json").read_text())["scales"][str(SCALE)]
        for name in ("before", "after")
    )
    tell(folder, before, after, time.monotonic() - start)


def enlarge(folder):
    """Enlarges the held-out photographs with the weights that ship, and compares.

    Args:
        folder: The demo's; `comparison.png` is written to it.
    """
    start = time.monotonic()
    for scale, model in itertools.product(SCALES, road.TITLES):
        road.run(
            "test.py",
            # EUSR is what is taken where no model is named.
            *([] if model == "eusr" else [f"--model={model}"]),
            f"--input_path={folder}/validate/LR/x{scale}",
            f"--output_path={folder}/SR/{model}_x{scale}",
            f"--scale={scale}",
            "--overwrite",
        )
    seconds = time.monotonic() - start
    rows = []
    for scale in SCALES:
        titles = {title: f"SR/{model}_x{scale}" for model, title in road.TITLES.items()}
        rows.append(compare(folder, f"LR/x{scale}", scale, titles))
    road.draw(rows, folder / "comparison.png")
    say(f"\nEnlarged in {to_clock(seconds)}: look at {folder}/comparison.png.")


def fine_tune(folder, steps):
    """Goes on with the EUSR that ships, for LR images of another kind.

    They come from OpenCV, which leaves out the antialiasing.

    Args:
        folder: The demo's.
        steps: How many to train.
    """
    for part in ("train", "validate"):
        road.run(
            "misc/downscale_generator_cv.py",
            f"--input_path={folder}/{part}/HR",
            f"--output_path={folder}/{part}/LR_cv/x{SCALE}",
            f"--scale={SCALE}",
        )
    scales = f"--scales={SCALE}"
    measure = (
        "validate.py",
        f"--data_input_path={folder}/validate/LR_cv",
        f"--data_truth_path={folder}/validate/HR",
        scales,
    )
    road.run(*measure, f"--report_path={folder}/before.json")
    road.run(
        "train.py",
        f"--data_input_path={folder}/train/LR_cv",
        f"--data_truth_path={folder}/train/HR",
        f"--cache_path={folder}/run/cache",
        f"--train_path={folder}/run",
        f"--restore_path={shipped.FOLDER.name}/eusr",
        "--restore_target=generator",
        scales,
        f"--max_steps={steps}",
        "--log_freq=50",
        *TRAINING,
        "--eusr_learning_rate_schedule=cosine",
        f"--eusr_learning_rate_decay_steps={steps}",
    )
    run = f"--restore_path={folder}/run"
    road.run(*measure, run, f"--report_path={folder}/after.json")
    road.run("freeze.py", run, scales, f"--output_path={folder}/model.pb")
    for name, more in (
        ("shipped", ()),
        ("tuned", (f"--model_name={folder}/model.pb",)),
    ):
        road.run(
            "test.py",
            *more,
            f"--input_path={folder}/validate/LR_cv/x{SCALE}",
            f"--output_path={folder}/SR_cv/{name}",
            f"--scale={SCALE}",
            "--overwrite",
        )
    titles = {"EUSR": "SR_cv/shipped", "EUSR, fine-tuned": "SR_cv/tuned"}
    row = compare(folder, f"LR_cv/x{SCALE}", SCALE, titles)
    road.draw([row], folder / "fine_tuned.png")


def compare(folder, lr_folder, scale, titles):
    """Crops what belongs beside one another, with psnr_y of the whole photographs.

    Args:
        folder: The demo's.
        lr_folder: Of the LR images, in its `validate`.
        scale: Upscaling factor.
        titles: From a title to the folder of its pictures.

    Returns:
        dict: From a title to uint8 (H, W, 3): input, bicubic, those of `titles`, truth.
    """
    name, top, left, side = SHOWN
    hr = load_image(folder / "validate" / "HR" / f"{name}.png")
    lr = load_image(folder / "validate" / lr_folder / f"{name}.png")
    truth = hr[: lr.shape[0] * scale, : lr.shape[1] * scale]
    pictures = {"bicubic": imresize(lr, scale)} | {
        title: load_image(folder / place / f"{name}.png")
        for title, place in titles.items()
    }
    named = {
        f"{title}, {psnr_y(picture, truth):.2f} dB": picture
        for title, picture in pictures.items()
    }
    pixels = np.kron(lr, np.ones((scale, scale, 1), np.uint8))
    row = {f"input, x{scale} smaller": pixels, **named, "truth": truth}
    crop = slice(top, top + side), slice(left, left + side)
    return {title: picture[crop] for title, picture in row.items()}


def tell(folder, before, after, seconds):
    """Says what came out, where it is and what to do next.

    Args:
        folder: The demo's.
        before: What was measured of the EUSR that ships, of a report.
        after: Likewise of the fine-tuned ones.
        seconds: What it all took.

    Raises:
        InputError: The fine-tuning has not gained enough.
    """
    measured = {
        "bicubic": before["bicubic"],
        "the EUSR that ships": before,
        "fine-tuned for such": after,
    }
    psnr = {name: values["average"]["psnr_y"] for name, values in measured.items()}
    told = ", ".join(f"{name} {value:.2f} dB" for name, value in psnr.items())
    gain = psnr["fine-tuned for such"] - psnr["the EUSR that ships"]
    say(
        f"\nDone in {to_clock(seconds)}. psnr_y of photographs that OpenCV made "
        f"x{SCALE} smaller:\n  {told}\n\n"
        f"  {folder}/comparison.png  enlarged by the weights that ship\n"
        f"  {folder}/fine_tuned.png  before and after the fine-tuning\n"
        f"  {folder}/run             its checkpoints; .venv/bin/tensorboard --logdir="
        f"{folder}/run\n"
        f"  {folder}/model.pb        the same, frozen\n\n"
        "Enlarge a picture of yours:\n"
        "  .venv/bin/python test.py --scale=2 --input_path=PICTURE --output_path=SR"
    )
    if gain < LEAST_GAIN:
        raise InputError(
            f"The fine-tuning gained {gain:.2f} dB, less than the expected "
            f"{LEAST_GAIN} dB: something is wrong with it."
        )


if __name__ == "__main__":
    app.run(main, (DemoSettings,))
