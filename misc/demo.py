"""Walks the whole EUSR road on a few photographs; what `make demo` runs.

Each stage is the command that a user would type, and is printed before it runs.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import matplotlib  # noqa: E402

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from console import app  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.files import written_whole  # noqa: E402
from console.progress import say, to_clock  # noqa: E402
from imaging.files import load_image  # noqa: E402
from imaging.imresize import imresize  # noqa: E402
from metrics import psnr_y  # noqa: E402

FOLDER = Path("demo")
SCALES = (2, 4)
STEPS = 4000

# A network of 1/100 of EUSR's weights learns enough in a minute on two cores.
NETWORK = (
    "--eusr_model_scales=2,4 --eusr_conv_features=16 --eusr_shared_blocks=4 "
    "--eusr_learning_rate=1e-3 --eusr_learning_rate_schedule=cosine "
    f"--eusr_learning_rate_decay_steps={STEPS}"
).split()

# Least gain over bicubic on the held-out photographs, in dB of psnr_y.
LEAST_GAIN = {2: 0.3, 4: 0.0}

# What the comparison shows: photograph, top, left and side of the crop, HR pixels.
SHOWN = ("chelsea", 84, 100, 120)


def main():
    """Runs every stage, then compares."""
    start = time.monotonic()
    os.chdir(ROOT)
    for part in ("train", "validate", "run", "SR"):
        shutil.rmtree(FOLDER / part, ignore_errors=True)
    walk()
    gains = read_gains(FOLDER / "report.json")
    draw_comparison(FOLDER / "comparison.png")
    tell(gains, time.monotonic() - start)


def walk():
    """Runs the commands of the road, one after the other."""
    data = [
        f"--data_truth_path={FOLDER}/{{0}}/HR",
        f"--data_input_path={FOLDER}/{{0}}/LR",
    ]
    train, validate = (
        [flag.format(part) for flag in data] for part in ("train", "validate")
    )
    scales = "--scales=" + ",".join(map(str, SCALES))
    run("misc/sample_images.py", f"--output_path={FOLDER}")
    for part in ("train", "validate"):
        run(
            "misc/downscale_generator.py",
            f"--input_path={FOLDER}/{part}/HR",
            f"--output_path={FOLDER}/{part}/LR",
            scales,
        )
    run(
        "train.py",
        *train,
        f"--cache_path={FOLDER}/run/cache",
        f"--train_path={FOLDER}/run",
        scales,
        "--batch_size=8",
        "--input_patch_size=24",
        f"--max_steps={STEPS}",
        "--log_freq=500",
        *NETWORK,
    )
    run(
        "validate.py",
        *validate,
        scales,
        f"--restore_path={FOLDER}/run",
        f"--report_path={FOLDER}/report.json",
    )
    model = f"{FOLDER}/model.pb"
    run("freeze.py", f"--restore_path={FOLDER}/run", f"--output_path={model}")
    for scale in SCALES:
        run(
            "test.py",
            f"--model_name={model}",
            f"--input_path={FOLDER}/validate/LR/x{scale}",
            f"--output_path={FOLDER}/SR/x{scale}",
            f"--scale={scale}",
        )


def run(script, *arguments):
    """Prints a command and runs it.

    Raises:
        SystemExit: It failed; what it said stands above.
    """
    say(f"\n$ python {script} {' '.join(arguments)}")
    status = subprocess.run([sys.executable, script, *arguments]).returncode
    if status:
        sys.exit(status if status > 0 else 128 - status)


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


def draw_comparison(path):
    """Draws input, bicubic, ours and truth beside one another, a row for each scale.

    Args:
        path: The PNG file to write.
    """
    name, top, left, side = SHOWN
    hr = load_image(FOLDER / "validate" / "HR" / f"{name}.png")
    figure, rows = plt.subplots(len(SCALES), 4, figsize=(12, 3.3 * len(SCALES)))
    for scale, row in zip(SCALES, rows, strict=True):
        lr = load_image(FOLDER / "validate" / "LR" / f"x{scale}" / f"{name}.png")
        sr = load_image(FOLDER / "SR" / f"x{scale}" / f"{name}.png")
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
        for axes, (title, picture) in zip(row, pictures.items(), strict=True):
            axes.imshow(picture[top : top + side, left : left + side])
            axes.set_title(title, fontsize=11)
            axes.axis("off")
    figure.tight_layout()
    with written_whole(path) as aside:
        figure.savefig(aside, dpi=100)
    plt.close(figure)


def tell(gains, seconds):
    """Says what came out, where it is and what to do next.

    Raises:
        InputError: The network is not far enough above bicubic.
    """
    say(f"\nDone in {to_clock(seconds)}. On photographs that it was not trained on:")
    for scale, (psnr, gain) in gains.items():
        say(f"  x{scale}: psnr_y {psnr:.2f} dB, {gain:+.2f} dB against bicubic")
    say(
        f"\n  {FOLDER}/comparison.png  crops side by side\n"
        f"  {FOLDER}/model.pb        the frozen network\n"
        f"  {FOLDER}/SR              enlarged photographs\n"
        f"  {FOLDER}/run             checkpoints; .venv/bin/tensorboard --logdir="
        f"{FOLDER}/run\n\n"
        "Enlarge a picture of yours:\n"
        f"  .venv/bin/python test.py --model_name={FOLDER}/model.pb --scale=2 "
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
    sys.exit(app.tell(main))
