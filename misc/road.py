"""What the demo and the tour share: commands that are shown and run, and pictures."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from console.errors import InputError  # noqa: E402
from console.files import check_target, opened_whole  # noqa: E402
from console.progress import say  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

# What a model is called in pictures.
TITLES = {"eusr": "EUSR", "4pp_eusr": "4PP-EUSR"}

# File that says that a folder is the demo's own.
MARKER = ".made_by_demo"


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
    for part in parts:
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return folder


def run(script, *arguments):
    """Prints a command and runs it.

    Raises:
        SystemExit: It failed; what it said stands above.
    """
    say(f"\n$ python {script} {' '.join(arguments)}")
    status = subprocess.run([sys.executable, script, *arguments]).returncode
    if status:
        sys.exit(status if status > 0 else 128 - status)


def name_data(folder, part):
    """The flags that name the images of one part of the sample, `train` or another."""
    return [
        f"--data_input_path={folder}/{part}/LR",
        f"--data_truth_path={folder}/{part}/HR",
    ]


def make_images(folder, scales):
    """Makes the sample's photographs and their LR images.

    Args:
        folder: The demo's.
        scales: By which to downscale.
    """
    run("misc/sample_images.py", f"--output_path={folder}")
    for part in ("train", "validate"):
        run(
            "misc/downscale_generator.py",
            f"--input_path={folder}/{part}/HR",
            f"--output_path={folder}/{part}/LR",
            "--scales=" + ",".join(map(str, scales)),
        )


def draw(rows, path):
    """Draws rows of pictures beside one another.

    Args:
        rows: list of dict, from a title to uint8 (H, W, 3).
        path: Of the PNG file.
    """
    columns = max(map(len, rows))
    size = (3 * columns, 3.3 * len(rows))
    figure, grid = plt.subplots(len(rows), columns, figsize=size, squeeze=False)
    for axes_of_row, row in zip(grid, rows, strict=True):
        for axes, (title, picture) in zip(axes_of_row, row.items(), strict=True):
            axes.imshow(picture)
            axes.set_title(title, fontsize=11)
            axes.axis("off")
    figure.tight_layout()
    with opened_whole(path) as file:
        figure.savefig(file, format="png", dpi=80)
    plt.close(figure)
