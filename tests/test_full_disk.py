"""Training on a disk that is too small, or that may not be written to."""

import shlex
import shutil
import subprocess
import sys

import pytest

from imaging.saving import FORMATS
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
# `$2` is where it is mounted, `$3` how often to run the rest.
MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SCRIPT = 'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; times=$3; shift 3; '
SCRIPT += 'for _ in $(seq "$times"); do "$@"; done'


def on_disk(options, folder, command, times=1):
    """Runs a command on such a disk; skips where none can be had."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    folder.mkdir()
    done = subprocess.run(
        [*MOUNT, SCRIPT, "-", options, str(folder), str(times), *command],
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
    done = on_disk("size=2m", disk, train(tmp_path, f"--train_path={disk}"), times=2)
    # The second start finds the disk as full as the first has left it.
    first, second = done.stderr.strip().splitlines()
    assert first.startswith(f"Error: {disk}: no space left on the disk")
    assert second.startswith("Error: ") and "no space left" in second
    saved = [line for line in done.stdout.splitlines() if "Saved" in line]
    assert len(saved) > 2
    assert f"Resuming from {saved[-1].removeprefix('Saved ')}." in done.stdout


def test_a_folder_that_may_not_be_written_to_is_told_at_once(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("ro", disk, train(tmp_path, f"--train_path={disk}/run"))
    line = f"Error: --train_path={disk}/run: {disk} cannot be written to.\n"
    assert (done.stdout, done.stderr) == ("", line)


def test_weights_that_do_not_fit_get_a_line_and_leave_nothing(tmp_path):
    disk = tmp_path / "disk"
    command = [sys.executable, "-c", SAVE, str(disk / "a.h5")]
    listing = ["sh", "-c", '"$@"; ls -A "$(dirname "$4")"', "-", *command]
    done = on_disk("size=1m", disk, listing)
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"Error: {disk / 'a.h5'}: no space left on the disk")
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["weights", "tf1"])
def test_an_export_that_does_not_fit_leaves_a_line_and_nothing_else(tmp_path, name):
    disk = tmp_path / "disk"
    export = (
        *(sys.executable, str(ROOT / "freeze.py"), f"--format={name}"),
        f"--restore_path={ROOT / 'pretrained' / 'eusr'}",
        f"--output_path={disk / 'model.ckpt-1'}",
    )
    both = f"{shlex.join(export)}; ls -A {disk}"
    done = on_disk("size=1m", disk, ["sh", "-c", both])
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"Error: {disk}/model.ckpt-1: no space left on the disk")
    assert done.stdout == ""


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
    *told, left_behind = done.stdout.splitlines()
    assert len(told) == len(FORMATS) + 4 and left_behind == "[]"
    for line in told:
        assert "no space left on the disk; free some and run again" in line


# On a disk of 40 kB, which none of them fits.
OTHERS = """
import sys
from pathlib import Path
import numpy as np
from console import app, quiet
with quiet.imports():
    from console import made
    from dataloaders import cache
    from misc import draw_tradeoff
    from misc.jax_training import archives
    from reports.outputs import Outputs
    from score_predictors.evaluate import draw_scatter
    from training.arguments import write_arguments
disk = Path(sys.argv[1])
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
draw = np.random.default_rng(0).uniform(20, 40, (500, 2))
images = {f"image {n}": {"psnr_y": a, "niqe": b} for n, (a, b) in enumerate(draw)}
result = {"average": images["image 0"], "images": images}
report = {"model": "eusr", "step": 1, "shave_size": 4, "restore_path": None}
report |= {"precision": "float32", "data_truth_path": "HR", "images": 500}
report |= {"data_input_path": None, "degradation": None, "data_sr_path": None}
report |= {"naturalness": None, "exact_path": None}
report |= {"scales": {"4": {**result, "bicubic": result}}}
known = made.Made(disk)

def write(**names):
    outputs = {"report_path": None, "csv_path": None, "report": None} | names
    paths = {n: path and str(disk / path) for n, path in outputs.items()}
    outputs = Outputs(**paths, report_images=0)
    outputs.write(report, outputs.make_gallery(1, 500, 4))

def fill_cache():
    cache.check_room = lambda plans: None  # Another program may fill the disk later.
    shapes = [noise.shape]
    cache.open_cache(cache.Plan(disk / "a.pixels", [], shapes, lambda _: noise))

def remember():
    for path in map(Path, ["a" * 200] * 1000):
        known.add(disk / path, "b", ["a", 1, 1])

points = {n: {"psnr_y": a, "niqe": b} for n, (a, b) in enumerate(draw)}
scores = [{"target": a, "predicted": b} for a, b in draw]
for work in (
    lambda: write(report_path="a.json"),
    lambda: write(csv_path="a.csv"),
    lambda: write(report="a.html"),
    lambda: draw_tradeoff.draw(points, None, disk / "a.png"),
    lambda: draw_scatter(scores * 9, disk / "b.png"),
    lambda: archives.write(disk / "w-1.npz", {"a": noise}, {}),
    lambda: archives.write(disk / "w-1.npz", {"a": noise}, {}, 20_000),
    lambda: write_arguments(disk / "arguments.json", {"a": "a" * 100_000}),
    fill_cache,
    remember,
):
    try:
        print(app.tell(work))
    except SystemExit as error:
        print(error, [path.name for path in disk.iterdir()])
lines = (disk / made.NAME).read_text().splitlines()
read = made.Made(disk).records.execute("SELECT count(*) FROM records").fetchone()[0]
print(read == len([line for line in lines if line.endswith("}")]) > 50)
"""


def test_no_output_of_any_kind_is_cut_off_by_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("size=40k", disk, [sys.executable, "-c", OTHERS, str(disk)])
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if "Cach" not in line]
    assert len(lines) == 11
    *told, memory, is_readable = lines
    for line in told:
        assert "no space left on the disk; free some and run again" in line
        assert line.endswith("[]"), line
    assert "no space left" in memory and memory.endswith("['.made.jsonl']")
    assert is_readable == "True"
