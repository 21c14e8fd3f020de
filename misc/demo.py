"""Enlarges photographs with the weights in pretrained/, then fine-tunes EUSR.

`make demo` runs it. With --tour (`make tour`), it trains everything for 4PP-EUSR
instead: a small EUSR, both score predictors and 4PP-EUSR. AVA and TID2013 cannot be
distributed, so the predictors are trained on distortions of the sample photographs,
with made-up scores. Networks and trainings are as small as possible. Each stage is a
command that a user would type; the script prints it before it runs.
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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

# Titles of the models in pictures.
TITLES = {"eusr": "EUSR", "4pp_eusr": "4PP-EUSR"}
# Upscaling factor of the pictures that are shown.
SCALE = 4
# Crops that are shown: photograph, top, left and side in HR pixels.
CAT = ("chelsea", 84, 100, 120)
SHOWN = (
    CAT,
    ("astronaut", 50, 170, 120),
    ("astronaut", 330, 200, 120),
    ("rocket", 60, 140, 100),
)
# Least gain of the fine-tuning on the validation photographs, in dB of psnr_y.
LEAST_GAIN = 2.0
# Columns of the tour's table.
COLUMNS = ("psnr_y", "ssim_y", "aesthetic", "subjective")

# File that marks the demo's folder, and the parts of it that each start replaces.
MARKER = ".made_by_demo"
PARTS = {False: ("run", "SR", "SR_cv"), True: ("tour",)}


@dataclasses.dataclass(frozen=True)
class DemoSettings(Settings):
    """The demo to run, its length and its folder."""

    output_path: PathName = option("demo", "Folder to write to.")
    tour: bool = option(False, "Train everything for 4PP-EUSR instead.")
    steps: int | None = option(
        None,
        "Training steps of the fine-tuning, 300 if not given, or of the tour's "
        "4PP-EUSR, 400.",
    )
    eusr_steps: int = option(3000, "Training steps of the tour's EUSR.")
    epochs: int = option(30, "Epochs of each of the tour's predictors.")

    def check(self) -> None:
        """See `Settings.check`: flags of the tour need --tour."""
        for name in ("eusr_steps", "epochs"):
            if is_given(name) and not self.tour:
                raise InputError(f"--{name} is for --tour; add --tour or leave it out.")


def main() -> None:
    """Runs the demo or the tour."""
    settings = DemoSettings.from_flags()
    start = time.monotonic()
    folder = enter(settings.output_path, PARTS[settings.tour])
    walk = tour if settings.tour else enlarge_and_fine_tune
    walk(folder, settings, start)


def enter(output_path: Path | str, parts: Sequence[str]) -> Path:
    """Changes to the repository's root and removes parts of the output folder.

    Returns:
        The folder; if it is inside the root, as a relative path, which prints shorter.

    Raises:
        InputError: The folder holds files that no demo wrote.
    """
    folder = Path(output_path).absolute()
    os.chdir(ROOT)
    if folder.is_relative_to(ROOT):
        folder = folder.relative_to(ROOT)
    check_target(folder, "--output_path", is_folder=True)
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise InputError(
            f"--output_path={folder} is not empty, and no demo wrote it; give another "
            "folder."
        )
    for part in ("train", "validate", *parts):
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return folder


def run(commands: str, **values: Any) -> None:
    """Prints commands of `demo_commands` and runs them; exits if one fails.

    Args:
        commands: A constant of `demo_commands`.
        **values: Values of the names in braces.
    """
    for command in re.split(r"\n(?=\S)", commands.strip()):
        words = [word.format(**values) for word in command.split()]
        say(f"\n$ python {shlex.join(words)}")
        status = subprocess.call([sys.executable, *words])
        if status:
            sys.exit(status if status > 0 else 128 - status)


def enlarge_and_fine_tune(folder: Path, settings: DemoSettings, start: float) -> None:
    """Enlarges with the weights in pretrained/, then fine-tunes for other LR images.

    Raises:
        InputError: The fine-tuning gained too little.
    """
    run(demo_commands.SAMPLE, folder=folder, scales="4")
    begun = time.monotonic()
    run(demo_commands.ENLARGE, folder=folder)
    places = {title: folder / "SR" / model for model, title in TITLES.items()}
    rows = [crop_row(folder, shown, "LR/x4", places) for shown in SHOWN]
    seconds = time.monotonic() - begun
    save_image(folder / "comparison.png", draw_side_by_side(rows))
    say(f"\nEnlarged in {to_clock(seconds)}: look at {folder}/comparison.png.")
    run(demo_commands.FINE_TUNE, folder=folder, steps=settings.steps or 300)
    titles = {"EUSR": "shipped", "EUSR, fine-tuned": "tuned"}
    places = {title: folder / "SR_cv" / name for title, name in titles.items()}
    row = crop_row(folder, CAT, "LR_cv/x4", places)
    save_image(folder / "fine_tuned.png", draw_side_by_side([row]))
    before, after = (read_averages(folder / f"{n}.json") for n in ("before", "after"))
    averages = before["bicubic"], before["ours"], after["ours"]
    bicubic, ours, tuned = (values["psnr_y"] for values in averages)
    say(
        f"\nDone in {to_clock(time.monotonic() - start)}. psnr_y at x4, on "
        f"photographs downscaled by OpenCV:\n  bicubic {bicubic:.2f} dB, EUSR in "
        f"pretrained/ {ours:.2f} dB, fine-tuned {tuned:.2f} dB\n\n"
        f"  {folder}/comparison.png  enlarged with the weights in pretrained/\n"
        f"  {folder}/fine_tuned.png  before and after the fine-tuning\n"
        f"  {folder}/run             checkpoints; .venv/bin/tensorboard --logdir="
        f"{folder}/run\n"
        f"  {folder}/model.pb        the fine-tuned network, frozen\n\n"
        "To enlarge your own picture:\n"
        "  .venv/bin/python test.py --scale=2 --input_path=PICTURE --output_path=SR"
    )
    if tuned - ours < LEAST_GAIN:
        raise InputError(
            f"the fine-tuning gained {tuned - ours:.2f} dB; expected at least "
            f"{LEAST_GAIN} dB. The training does not work as it should."
        )


def tour(folder: Path, settings: DemoSettings, start: float) -> None:
    """Trains EUSR, both predictors and 4PP-EUSR; see `enlarge_and_fine_tune`."""
    values: dict[str, Any] = {"folder": folder, "tour": folder / "tour"}
    run(demo_commands.SAMPLE, folder=folder, scales="2,4,8")
    run(demo_commands.TOUR_EUSR, **values, eusr_steps=settings.eusr_steps)
    predictor = {**values, "epochs": settings.epochs}
    for seed, kind in enumerate(("aesthetic", "subjective"), 1):
        run(demo_commands.TOUR_PREDICTOR, **predictor, kind=kind, seed=seed)
    run(demo_commands.TOUR_FOUR_PASS, **values, steps=settings.steps or 400)
    averages: dict[str, dict[str, float]] = {}
    for model in TITLES:
        run(demo_commands.TOUR_MEASURE, **values, model=model)
        found = read_averages(folder / "tour" / f"{model}.json")
        averages |= {"bicubic": found["bicubic"], model: found["ours"]}
    places = {f"{TITLES[m]} (tour)": folder / "tour" / "SR" / m / "x4" for m in TITLES}
    rows = [crop_row(folder, shown, "LR/x4", places) for shown in SHOWN]
    save_image(folder / "perceptual.png", draw_side_by_side(rows))
    seconds = to_clock(time.monotonic() - start)
    say(f"\nDone in {seconds}. Averages on the validation photographs, at x4:")
    say("  " + " " * 10 + "".join(f"{title:>12}" for title in COLUMNS))
    for name, average in averages.items():
        say(f"  {name:10}" + "".join(f"{average[key]:12.2f}" for key in COLUMNS))
    say(
        f"\n  {folder}/perceptual.png  crops side by side\n"
        f"  {folder}/tour            checkpoints and predictors; .venv/bin/tensorboard "
        f"--logdir={folder}/tour\n\n"
        "The scores of this tour are made up, and its trainings are far too short. "
        "TRAINING.md has the same stages at full size."
    )


def read_averages(path: Path) -> dict[str, dict[str, float]]:
    """Reads the averages of `ours` and `bicubic` at x4 from a report."""
    found = json.loads(path.read_text())["scales"]["4"]
    return {"ours": found["average"], "bicubic": found["bicubic"]["average"]}


def crop_row(
    folder: Path,
    shown: tuple[str, int, int, int],
    lr_folder: str,
    places: Mapping[str, Path],
) -> tuple[str, dict[str, np.ndarray]]:
    """Crops pictures to show side by side, with psnr_y of the whole photographs.

    Args:
        folder: The demo's folder.
        shown: The photograph and its crop, for example `CAT`.
        lr_folder: Folder of the LR images, smaller by `SCALE`, below `validate`.
        places: From a title to the folder of its pictures.

    Returns:
        A row of `draw_side_by_side`: input, bicubic, the pictures of `places`, truth.
    """
    name, top, left, side = shown
    hr = load_image(folder / "validate" / "HR" / f"{name}.png")
    lr = load_image(folder / "validate" / lr_folder / f"{name}.png")
    truth = hr[: lr.shape[0] * SCALE, : lr.shape[1] * SCALE]
    pictures = {"bicubic": imresize(lr, SCALE)}
    for title, place in places.items():
        pictures[title] = load_image(place / f"{name}.png")
    row = {
        f"input, x{SCALE} smaller": np.kron(lr, np.ones((SCALE, SCALE, 1), np.uint8)),
        **{f"{n}, {psnr_y(p, truth):.2f} dB": p for n, p in pictures.items()},
        "truth": truth,
    }
    crop = slice(top, top + side), slice(left, left + side)
    return "", {title: picture[crop] for title, picture in row.items()}


if __name__ == "__main__":
    app.run(main, (DemoSettings,))
