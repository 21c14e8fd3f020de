"""Walks the whole EUSR road on a few photographs; what `make demo` runs.

Each stage is the command that a user would type, and is printed before it runs.
"""

import json
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402
from absl import flags  # noqa: E402

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.flags import define_count, define_path  # noqa: E402
from console.progress import say, to_clock  # noqa: E402
from imaging.files import load_image  # noqa: E402
from imaging.imresize import imresize  # noqa: E402
from metrics import psnr_y  # noqa: E402

with quiet.imports():
    from misc import road

FLAGS = flags.FLAGS
SCALES = (2, 4)

# A network of 1/40 of EUSR's weights learns enough in two minutes on two cores.
NETWORK = (
    "--eusr_model_scales=2,4 --eusr_conv_features=16 --eusr_shared_blocks=4 "
    "--eusr_learning_rate=1e-3 --eusr_learning_rate_schedule=cosine"
).split()

# Least gain over bicubic on the held-out photographs, in dB of psnr_y.
LEAST_GAIN = {2: 0.3, 4: 0.0}

# What the comparison shows: photograph, top, left and side of the crop, HR pixels.
SHOWN = ("chelsea", 84, 100, 120)


def define_flags():
    """Declares the flags."""
    define_path("output_path", "demo", "Folder to write to.")
    define_count("steps", 4000, "Training steps.")


def main():
    """Runs every stage, then compares."""
    start = time.monotonic()
    folder = road.enter(FLAGS.output_path, ("train", "validate", "run", "SR"))
    walk(folder, FLAGS.steps)
    gains = read_gains(folder / "report.json")
    draw_comparison(folder)
    tell(folder, gains, time.monotonic() - start)


def walk(folder, steps):
    """Runs the commands of the road, one after the other.

    Args:
        folder: The demo's.
        steps: How many to train.
    """
    scales = "--scales=" + ",".join(map(str, SCALES))
    road.make_images(folder, SCALES)
    road.run(
        "train.py",
        *road.name_data(folder, "train"),
        f"--cache_path={folder}/run/cache",
        f"--train_path={folder}/run",
        scales,
        "--batch_size=8",
        "--input_patch_size=24",
        f"--max_steps={steps}",
        "--log_freq=500",
        *NETWORK,
        f"--eusr_learning_rate_decay_steps={steps}",
    )
    road.run(
        "validate.py",
        *road.name_data(folder, "validate"),
        scales,
        f"--restore_path={folder}/run",
        f"--report_path={folder}/report.json",
    )
    road.run(
        "freeze.py", f"--restore_path={folder}/run", f"--output_path={folder}/model.pb"
    )
    for scale in SCALES:
        road.run(
            "test.py",
            f"--model_name={folder}/model.pb",
            f"--input_path={folder}/validate/LR/x{scale}",
            f"--output_path={folder}/SR/x{scale}",
            f"--scale={scale}",
        )


def read_gains(path):
    """Reads how far each scale is above bicubic, in dB of psnr_y.

    Returns:
        dict: From a scale to (psnr_y, gain).
    """
    scales = json.loads(path.read_text())["scales"]
    gains = {}
    for scale in SCALES:
        ours = scales[str(scale)]["average"]["psnr_y"]
        theirs = scales[str(scale)]["bicubic"]["average"]["psnr_y"]
        gains[scale] = (ours, ours - theirs)
    return gains


def draw_comparison(folder):
    """Draws input, bicubic, ours and truth beside one another, a row for each scale.

    Args:
        folder: The demo's; `comparison.png` is written to it.
    """
    name, top, left, side = SHOWN
    hr = load_image(folder / "validate" / "HR" / f"{name}.png")
    rows = []
    for scale in SCALES:
        lr = load_image(folder / "validate" / "LR" / f"x{scale}" / f"{name}.png")
        sr = load_image(folder / "SR" / f"x{scale}" / f"{name}.png")
        truth = hr[: sr.shape[0], : sr.shape[1]]
        bicubic = imresize(lr, scale)
        pictures = {
            f"input, x{scale} smaller": np.kron(
                lr, np.ones((scale, scale, 1), np.uint8)
            ),
            f"bicubic, {psnr_y(bicubic, truth):.2f} dB": bicubic,
            f"EUSR (demo), {psnr_y(sr, truth):.2f} dB": sr,
            "truth": truth,
        }
        crop = slice(top, top + side), slice(left, left + side)
        rows.append({title: picture[crop] for title, picture in pictures.items()})
    road.draw(rows, folder / "comparison.png")


def tell(folder, gains, seconds):
    """Says what came out, where it is and what to do next.

    Raises:
        InputError: The network is not far enough above bicubic.
    """
    say(f"\nDone in {to_clock(seconds)}. On photographs that it was not trained on:")
    for scale, (psnr, gain) in gains.items():
        say(f"  x{scale}: psnr_y {psnr:.2f} dB, {gain:+.2f} dB against bicubic")
    say(
        f"\n  {folder}/comparison.png  crops side by side\n"
        f"  {folder}/model.pb        the frozen network\n"
        f"  {folder}/SR              enlarged photographs\n"
        f"  {folder}/run             checkpoints; .venv/bin/tensorboard --logdir="
        f"{folder}/run\n\n"
        "Enlarge a picture of yours:\n"
        f"  .venv/bin/python test.py --model_name={folder}/model.pb --scale=2 "
        "--input_path=PICTURE --output_path=SR\n"
        "A network worth using is trained on DIV2K: TRAINING.md says how."
    )
    for scale, (_, gain) in gains.items():
        if gain <= LEAST_GAIN[scale]:
            raise InputError(
                f"x{scale} gained {gain:.2f} dB over bicubic, less than the expected "
                f"{LEAST_GAIN[scale]} dB: something is wrong with the training."
            )


if __name__ == "__main__":
    app.run(main, define_flags)
