"""Training on a disk that is too small, or that may not be written to."""

import shlex
import shutil
import subprocess
import sys

import pytest

from tests.pictures import write_pictures
from tests.scripts import ROOT
from tests.small import SMALL_FLAGS

# Weights of 1.6 MB, larger than the disk; only what writes them is of interest.
SAVE = """
import sys
from console import app, quiet
with quiet.imports():
    import keras
    from score_predictors import weight_files
network = keras.Sequential([keras.Input((400,)), keras.layers.Dense(1000)])
app.tell(lambda: weight_files.save(sys.argv[1], network, {}))
"""

# A disk of our own, in a namespace that no other process sees. `$1` are its options,
# `$2` is where it is mounted, the rest is what is run, twice.
MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SCRIPT = 'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; shift 2; "$@"; "$@"'


def on_disk(options, folder, command):
    """Runs a command twice on such a disk; skips where none can be had."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    folder.mkdir()
    done = subprocess.run(
        [*MOUNT, SCRIPT, "-", options, str(folder), *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no disk can be mounted here")
    return done


def train(tmp_path, *flags):
    write_pictures(tmp_path / "HR", [(40, 52), (44, 40)])
    return [
        *(sys.executable, str(ROOT / "train.py"), "--save_freq=1", "--max_steps=200"),
        *(f"--data_truth_path={tmp_path / 'HR'}", f"--cache_path={tmp_path / 'cache'}"),
        *("--scales=2,4", "--batch_size=2", "--input_patch_size=8", *SMALL_FLAGS),
        *flags,
    ]


def test_a_full_disk_gets_a_line_and_the_older_checkpoints_stay_whole(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("size=2m", disk, train(tmp_path, f"--train_path={disk}"))
    # The second start finds the disk as full as the first has left it.
    first, second = done.stderr.strip().splitlines()
    assert first.startswith(f"Error: {disk}: no space left on the disk")
    assert second.startswith("Error: ") and "no space left" in second
    saved = [line for line in done.stdout.splitlines() if "Saved" in line]
    assert len(saved) > 2
    assert f"Going on with {saved[-1].removeprefix('Saved ')}." in done.stdout


def test_a_folder_that_may_not_be_written_to_is_told_at_once(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("ro", disk, train(tmp_path, f"--train_path={disk}/run"))
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and done.stdout == ""
    for line in lines:
        assert line == f"Error: --train_path={disk}/run: {disk} cannot be written to."


def test_weights_that_do_not_fit_get_a_line_and_leave_nothing(tmp_path):
    disk = tmp_path / "disk"
    command = [sys.executable, "-c", SAVE, str(disk / "a.h5")]
    listing = ["sh", "-c", '"$@"; ls -A "$(dirname "$4")"', "-", *command]
    done = on_disk("size=1m", disk, listing)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and done.stdout == ""
    for line in lines:
        assert line.startswith(f"Error: {disk / 'a.h5'}: no space left on the disk")


@pytest.mark.parametrize("name", ["export_weights", "export_tf1_checkpoint"])
def test_an_export_that_does_not_fit_leaves_a_line_and_nothing_else(tmp_path, name):
    disk = tmp_path / "disk"
    export = (
        *(sys.executable, str(ROOT / "misc" / f"{name}.py")),
        f"--restore_path={ROOT / 'pretrained' / 'eusr'}",
        f"--output_path={disk / 'model.ckpt-1'}",
    )
    both = f"{shlex.join(export)}; ls -A {disk}"
    done = on_disk("size=1m", disk, ["sh", "-c", both])
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and done.stdout == ""
    for line in lines:
        assert line.startswith(f"Error: {disk}/model.ckpt-1: no space left on the disk")


# On a disk of 8 kB; what writes them is the same for a picture of any size.
PICTURES = """
import sys
from pathlib import Path
import numpy as np
from console import app
from imaging.files import save_image
from imaging.pictures import Picture
from imaging.saving import FORMATS, save_picture
noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
for name in (*FORMATS, "alpha.bmp", "deep.png", "plain.png", "plain.bmp"):
    path = Path(sys.argv[1]) / f"a.{name}"
    alpha = noise[..., :1] if "alpha" in name else None
    pixels = noise.astype(np.uint16) * 257 if "deep" in name else noise
    try:
        if "plain" in name:
            app.tell(lambda: save_image(path, noise))
        else:
            app.tell(lambda: save_picture(path, Picture(pixels, alpha)))
    except SystemExit as error:
        print(name, error)
print(list(Path(sys.argv[1]).iterdir()))
"""


def test_a_picture_of_no_kind_is_cut_off_by_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("size=8k", disk, [sys.executable, "-c", PICTURES, str(disk)])
    assert done.stderr == ""
    # Twice, and each time nothing is left behind.
    lines = done.stdout.splitlines()
    told = [line for line in lines if line != "[]"]
    assert len(told) == 2 * 11 and lines.count("[]") == 2
    for line in told:
        assert "no space left on the disk; make room and run again" in line
