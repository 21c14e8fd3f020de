"""Walks the whole road to 4PP-EUSR on a few photographs; what `make tour` runs.

A small EUSR, both score predictors and 4PP-EUSR, each by the command that a user would
type, which is printed before it runs. AVA and TID2013 cannot be shipped: both
predictors are trained on distortions of the sample's photographs, with scores that
nobody gave. Everything is as small as it can be and still show what it does.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.progress import say, to_clock  # noqa: E402
from console.settings import PathName, Settings, option  # noqa: E402
from imaging.files import load_image  # noqa: E402
from imaging.imresize import imresize  # noqa: E402
from metrics import psnr_y  # noqa: E402

with quiet.imports():
    from misc import road

SCALES = (2, 4, 8)
SCALE = "4"

NETWORK = "--eusr_conv_features=16 --eusr_shared_blocks=4".split()
PREDICTOR = (
    "--dataloader=tid2013 --mobilenetv2_alpha=0.35 --mobilenetv2_weights=none "
    "--mobilenetv2_dropout=0 --input_patch_size=64 --batch_size=16 "
    "--learning_rate=5e-4 --learning_rate_schedule=cosine"
).split()

# What the picture shows: photograph, top, left and side of the crop, HR pixels.
SHOWN = [("chelsea", 84, 100, 120), ("rocket", 60, 140, 100)]

# Of the report.
COLUMNS = ("psnr_y", "ssim_y", "aesthetic", "subjective")


@dataclasses.dataclass(frozen=True)
class TourSettings(Settings):
    """How long the tour takes, and where it writes."""

    output_path: PathName = option("demo", "Folder to write to.")
    eusr_steps: int = option(3000, "Training steps of EUSR.")
    epochs: int = option(30, "Epochs of each predictor.")
    steps: int = option(400, "Training steps of 4PP-EUSR.")


def main():
    """Runs every stage, then compares."""
    settings = TourSettings.from_flags()
    start = time.monotonic()
    folder = road.enter(settings.output_path, ("train", "validate", "tour"))
    tour = folder / "tour"
    road.make_images(folder, SCALES)
    train_eusr(folder, tour, settings.eusr_steps)
    for kind, seed in (("aesthetic", 1), ("subjective", 2)):
        train_predictor(folder, tour, kind, seed, settings.epochs)
    train_four_pass(folder, tour, settings.steps)
    reports = {name: measure(folder, tour, name) for name in ("eusr", "4pp_eusr")}
    draw(folder, tour)
    tell(folder, reports, time.monotonic() - start)


def train_eusr(folder, tour, steps):
    """Trains a small EUSR."""
    road.run(
        "train.py",
        *road.name_data(folder, "train"),
        f"--cache_path={tour}/cache",
        f"--train_path={tour}/eusr",
        "--batch_size=8",
        "--input_patch_size=16",
        f"--max_steps={steps}",
        "--log_freq=500",
        *NETWORK,
        "--eusr_learning_rate=2e-3",
        "--eusr_learning_rate_schedule=cosine",
        f"--eusr_learning_rate_decay_steps={steps}",
    )


def train_predictor(folder, tour, kind, seed, epochs):
    """Makes scored images, trains a predictor on them and freezes it.

    Args:
        folder: The demo's.
        tour: What is the tour's own in it.
        kind: The predictor's name.
        seed: Of its images and its training.
        epochs: Of its training.
    """
    scored = f"{tour}/{kind}"
    road.run(
        "misc/sample_scores.py",
        f"--input_path={folder}/train/HR",
        f"--output_path={scored}",
        f"--seed={seed}",
    )
    road.run(
        "score_predictors/train.py",
        *PREDICTOR,
        f"--tid2013_image_path={scored}/distorted_images",
        "--tid2013_validate_range=0,25",
        "--tid2013_train_range=25,0",
        f"--epochs={epochs}",
        f"--seed={seed}",
        f"--train_path={tour}",
        f"--weight_filename={kind}.h5",
    )
    road.run(
        "score_predictors/freeze.py",
        f"--restore_path={tour}/{kind}.h5",
        f"--output_path={tour}/{kind}.pb",
    )


def train_four_pass(folder, tour, steps):
    """Trains 4PP-EUSR from the EUSR, against the predictors."""
    road.run(
        "train.py",
        "--model=4pp_eusr",
        *road.name_data(folder, "train"),
        f"--cache_path={tour}/cache",
        f"--train_path={tour}/4pp_eusr",
        f"--restore_path={tour}/eusr",
        "--restore_target=generator",
        "--input_patch_size=24",
        f"--max_steps={steps}",
        "--log_freq=100",
        *NETWORK,
        "--ema_decay=0.99",
        "--eusr_learning_rate=5e-5",
        "--eusr_learning_rate_discriminator=1e-4",
        "--eusr_learning_rate_schedule=cosine",
        f"--eusr_learning_rate_decay_steps={steps}",
        f"--eusr_aesthetic_nima_path={tour}/aesthetic.pb",
        f"--eusr_subjective_nima_path={tour}/subjective.pb",
    )


def measure(folder, tour, name):
    """Measures a model; what was reported at x4."""
    road.run(
        "validate.py",
        f"--restore_path={tour}/{name}",
        *road.name_data(folder, "validate"),
        f"--scales={SCALE}",
        f"--aesthetic_model={tour}/aesthetic.pb",
        f"--subjective_model={tour}/subjective.pb",
        f"--report_path={tour}/{name}.json",
        f"--save_path={tour}/SR/{name}",
    )
    return json.loads((tour / f"{name}.json").read_text())["scales"][SCALE]


def draw(folder, tour):
    """Draws bicubic, EUSR, 4PP-EUSR and truth beside one another."""
    rows = []
    for name, top, left, side in SHOWN:
        hr = load_image(folder / "validate" / "HR" / f"{name}.png")
        lr = load_image(folder / "validate" / "LR" / f"x{SCALE}" / f"{name}.png")
        pictures = {"bicubic": imresize(lr, int(SCALE))}
        for model, title in road.TITLES.items():
            path = tour / "SR" / model / f"x{SCALE}" / f"{name}.png"
            pictures[f"{title} (tour)"] = load_image(path)
        height, width = pictures["bicubic"].shape[:2]
        truth = hr[:height, :width]
        crop = slice(top, top + side), slice(left, left + side)
        row = {
            f"{title}, {psnr_y(picture, truth):.2f} dB": picture[crop]
            for title, picture in pictures.items()
        }
        rows.append(row | {"truth": truth[crop]})
    road.draw(rows, folder / "perceptual.png")


def tell(folder, reports, seconds):
    """Says what came out, where it is and what to do next."""
    say(f"\nDone in {to_clock(seconds)}. On photographs that they were not trained on:")
    averages = {"bicubic": reports["eusr"]["bicubic"]["average"]}
    averages |= {name: report["average"] for name, report in reports.items()}
    say("  " + " " * 10 + "".join(f"{title:>12}" for title in COLUMNS))
    for name, average in averages.items():
        say(f"  {name:10}" + "".join(f"{average[key]:12.2f}" for key in COLUMNS))
    say(
        f"\n  {folder}/perceptual.png  crops side by side\n"
        f"  {folder}/tour            checkpoints and predictors; .venv/bin/tensorboard "
        f"--logdir={folder}/tour\n\n"
        "Nobody gave the scores that these predictors know, and minutes are too few "
        "for all of this: TRAINING.md is the same road at full size."
    )


if __name__ == "__main__":
    app.run(main, (TourSettings,))
