"""Enlarges photographs with the weights that ship, then fine-tunes EUSR for others.

`make demo` runs it. With --tour, as `make tour` runs it, it walks the whole road to
4PP-EUSR instead: a small EUSR, both score predictors and 4PP-EUSR. AVA and TID2013
cannot be shipped: both predictors are trained on distortions of the sample's
photographs, with scores that nobody gave. Everything is as small as it can be and still
show what it does. Each stage is a command that a user would type, and is printed before
it runs.
"""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import numpy as np

from console import app
from console.errors import InputError
from console.files import check_target
from console.progress import say, to_clock
from console.settings import PathName, Settings, is_given, option
from imaging.files import load_image, save_image
from imaging.imresize import imresize
from metrics import psnr_y
from misc import demo_commands
from reports.comparing import draw_side_by_side

# What a model is called in pictures.
TITLES = {"eusr": "EUSR", "4pp_eusr": "4PP-EUSR"}
# What the pictures show: photograph, top, left and side of the crop, HR pixels.
CAT, ROCKET = ("chelsea", 84, 100, 120), ("rocket", 60, 140, 100)
# Least gain of the fine-tuning on the held-out photographs, in dB of psnr_y.
LEAST_GAIN = 2.0
# Of the tour's reports.
COLUMNS = ("psnr_y", "ssim_y", "aesthetic", "subjective")

# File that says that a folder is the demo's own, and what it makes anew there.
MARKER = ".made_by_demo"
PARTS = {False: ("run", "SR", "SR_cv"), True: ("tour",)}


@dataclasses.dataclass(frozen=True)
class DemoSettings(Settings):
    """How long the demo takes, and where it writes."""

    output_path: PathName = option("demo", "Folder to write to.")
    tour: bool = option(False, "Walk the whole road to 4PP-EUSR instead.")
    steps: int | None = option(
        None,
        "Training steps of the fine-tuning, 300 if not given; of the tour's 4PP-EUSR, "
        "400.",
    )
    eusr_steps: int = option(3000, "Training steps of the tour's EUSR.")
    epochs: int = option(30, "Epochs of each of the tour's predictors.")

    def check(self):
        """See `Settings.check`: flags of the tour are given with it alone."""
        for name in ("eusr_steps", "epochs"):
            if is_given(name) and not self.tour:
                raise InputError(f"--{name} is for --tour; give it, too.")


def main():
    """Enlarges and fine-tunes, or walks the whole road."""
    settings = DemoSettings.from_flags()
    start = time.monotonic()
    folder = enter(settings.output_path, PARTS[settings.tour])
    walk = tour if settings.tour else enlarge_and_fine_tune
    walk(folder, settings, start)


def enter(output_path, parts):
    """Goes to the repository's root and makes room in the folder to write to.

    Args:
        output_path: As --output_path gave it.
        parts: Names of what an earlier run left there and this one makes anew.

    Returns:
        Path: The folder; relative to the root where it is in it, which is shorter in
        what is printed.

    Raises:
        InputError: The folder holds something that no demo wrote.
    """
    folder = Path(output_path).absolute()
    os.chdir(ROOT)
    if folder.is_relative_to(ROOT):
        folder = folder.relative_to(ROOT)
    check_target(folder, "--output_path", is_folder=True)
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise InputError(
            f"--output_path={folder} is not empty, and no demo wrote it; give another."
        )
    for part in ("train", "validate", *parts):
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return folder


def run(commands, **values):
    """Prints commands and runs them.

    Args:
        commands: One of `demo_commands`.
        **values: What stands in them in braces.

    Raises:
        SystemExit: One failed; what it said stands above.
    """
    for command in re.split(r"\n(?=\S)", commands.strip()):
        words = [word.format(**values) for word in command.split()]
        say(f"\n$ python {shlex.join(words)}")
        status = subprocess.call([sys.executable, *words])
        if status:
            sys.exit(status if status > 0 else 128 - status)


def enlarge_and_fine_tune(folder, settings, start):
    """Uses the weights that ship, then goes on with them for other LR images.

    Args:
        folder: The demo's.
        settings: `DemoSettings`.
        start: When it began, of `time.monotonic`.

    Raises:
        InputError: The fine-tuning has not gained enough.
    """
    run(demo_commands.SAMPLE, folder=folder, scales="2,4")
    begun = time.monotonic()
    for scale in (2, 4):
        run(demo_commands.ENLARGE, folder=folder, scale=scale)
    seconds = time.monotonic() - begun
    rows = [
        crop_row(
            *(folder, CAT, f"LR/x{scale}", scale),
            {TITLES[model]: folder / "SR" / f"{model}_x{scale}" for model in TITLES},
        )
        for scale in (2, 4)
    ]
    save_image(folder / "comparison.png", draw_side_by_side(rows))
    say(f"\nEnlarged in {to_clock(seconds)}: look at {folder}/comparison.png.")
    run(demo_commands.FINE_TUNE, folder=folder, steps=settings.steps or 300)
    titles = {"EUSR": "shipped", "EUSR, fine-tuned": "tuned"}
    places = {title: folder / "SR_cv" / name for title, name in titles.items()}
    row = crop_row(folder, CAT, "LR_cv/x4", 4, places)
    save_image(folder / "fine_tuned.png", draw_side_by_side([row]))
    before, after = (read_averages(folder / f"{n}.json") for n in ("before", "after"))
    tell_gain(folder, before, after["ours"], time.monotonic() - start)


def tell_gain(folder, before, after, seconds):
    """Says what the fine-tuning gained, where it is and what to do next.

    Args:
        folder: The demo's.
        before: As of `read_averages`.
        after: Of the fine-tuned EUSR.
        seconds: What it all took.

    Raises:
        InputError: It has not gained enough.
    """
    bicubic, ours, tuned = (
        values["psnr_y"] for values in (before["bicubic"], before["ours"], after)
    )
    say(
        f"\nDone in {to_clock(seconds)}. psnr_y of photographs that OpenCV made x4 "
        f"smaller:\n  bicubic {bicubic:.2f} dB, the EUSR that ships {ours:.2f} dB, "
        f"fine-tuned for such {tuned:.2f} dB\n\n"
        f"  {folder}/comparison.png  enlarged by the weights that ship\n"
        f"  {folder}/fine_tuned.png  before and after the fine-tuning\n"
        f"  {folder}/run             its checkpoints; .venv/bin/tensorboard --logdir="
        f"{folder}/run\n"
        f"  {folder}/model.pb        the same, frozen\n\n"
        "Enlarge a picture of yours:\n"
        "  .venv/bin/python test.py --scale=2 --input_path=PICTURE --output_path=SR"
    )
    if tuned - ours < LEAST_GAIN:
        raise InputError(
            f"The fine-tuning gained {tuned - ours:.2f} dB, less than the expected "
            f"{LEAST_GAIN} dB: something is wrong with it."
        )


def tour(folder, settings, start):
    """Trains all that 4PP-EUSR needs, and 4PP-EUSR; see above for the arguments."""
    values = {"folder": folder, "tour": folder / "tour"}
    run(demo_commands.SAMPLE, folder=folder, scales="2,4,8")
    run(demo_commands.TOUR_EUSR, **values, eusr_steps=settings.eusr_steps)
    for seed, kind in enumerate(("aesthetic", "subjective"), 1):
        run(
            demo_commands.TOUR_PREDICTOR,
            **values,
            kind=kind,
            seed=seed,
            epochs=settings.epochs,
        )
    run(demo_commands.TOUR_FOUR_PASS, **values, steps=settings.steps or 400)
    averages = {}
    for model in TITLES:
        run(demo_commands.TOUR_MEASURE, **values, model=model)
        found = read_averages(folder / "tour" / f"{model}.json")
        averages |= {"bicubic": found["bicubic"], model: found["ours"]}
    places = {f"{TITLES[m]} (tour)": folder / "tour" / "SR" / m / "x4" for m in TITLES}
    rows = [crop_row(folder, shown, "LR/x4", 4, places) for shown in (CAT, ROCKET)]
    save_image(folder / "perceptual.png", draw_side_by_side(rows))
    seconds = to_clock(time.monotonic() - start)
    say(f"\nDone in {seconds}. On photographs that they were not trained on:")
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


def read_averages(path):
    """What a report found at x4: averages of `ours` and of `bicubic`."""
    found = json.loads(path.read_text())["scales"]["4"]
    return {"ours": found["average"], "bicubic": found["bicubic"]["average"]}


def crop_row(folder, shown, lr_folder, scale, places):
    """Crops what belongs beside one another, with psnr_y of the whole photographs.

    Args:
        folder: The demo's.
        shown: Photograph and crop, as `CAT`.
        lr_folder: Of the LR images, in its `validate`.
        scale: Upscaling factor.
        places: From a title to the folder of its pictures.

    Returns:
        A row of `draw_side_by_side`: input, bicubic, those of `places`, truth.
    """
    name, top, left, side = shown
    hr = load_image(folder / "validate" / "HR" / f"{name}.png")
    lr = load_image(folder / "validate" / lr_folder / f"{name}.png")
    truth = hr[: lr.shape[0] * scale, : lr.shape[1] * scale]
    pictures = {"bicubic": imresize(lr, scale)}
    for title, place in places.items():
        pictures[title] = load_image(place / f"{name}.png")
    row = {
        f"input, x{scale} smaller": np.kron(lr, np.ones((scale, scale, 1), np.uint8)),
        **{f"{n}, {psnr_y(p, truth):.2f} dB": p for n, p in pictures.items()},
        "truth": truth,
    }
    crop = slice(top, top + side), slice(left, left + side)
    return "", {title: picture[crop] for title, picture in row.items()}


if __name__ == "__main__":
    app.run(main, (DemoSettings,))
