"""Training on a disk that is too small, or that may not be written to."""

import re

import pytest

from imaging.saving import FORMATS
from tests import forked
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

# A disk of our own, in a namespace that no other process sees. The words behind are its
# options, where it is mounted, how often to run the rest, and a script and its flags.
ON_DISK = """
import ctypes, os, runpy, sys, traceback
_, options, folder, times, *sys.argv = sys.argv
libc, users = ctypes.CDLL(None), (os.getuid(), os.getgid())
NEW_USERS_AND_MOUNTS, PRIVATE = 0x10000000 | 0x20000, 0x4000 | 0x40000
if libc.unshare(NEW_USERS_AND_MOUNTS):
    sys.exit(99)
maps = {"setgroups": "deny", "uid_map": f"0 {users[0]} 1", "gid_map": f"0 {users[1]} 1"}
try:
    for file, text in maps.items():
        with open(f"/proc/self/{file}", "w") as opened:
            opened.write(text)
except OSError:
    sys.exit(99)
libc.mount(None, b"/", None, PRIVATE, None)
read_only = int(options == "ro")
size = b"" if read_only else options.encode()
if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", read_only, size):
    sys.exit(99)
for _ in range(int(times)):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(0)
for name in os.listdir(folder):
    print("left:", name)
"""


def on_disk(options, folder, command, times=1):
    """Runs a script or a program on such a disk; skips where none can be had.

    Returns:
        What it says on stdout and on stderr, and the names of the files on the disk.
    """
    folder.mkdir()
    script, *flags = map(str, command)
    if "\n" in script:
        (folder.parent / "program.py").write_text(script)
        script = folder.parent / "program.py"
    done = forked.run(["-c", ON_DISK, options, folder, times, script, *flags])
    if done.returncode == 99:
        pytest.skip("no disk can be mounted here")
    said, *left = re.split(r"^left: (.*)\n", done.stdout, flags=re.MULTILINE)
    return said, done.stderr, left[::2]


def train(tmp_path, *flags):
    write_pictures(tmp_path / "HR", [(40, 52), (44, 40)])
    return [
        *(ROOT / "train.py", "--save_freq=1", "--max_steps=200"),
        *(f"--data_truth_path={tmp_path / 'HR'}", f"--cache_path={tmp_path / 'cache'}"),
        *("--scales=2", "--batch_size=2", "--input_patch_size=8", *SMALL_FLAGS),
        *flags,
    ]


def test_a_full_disk_gets_a_line_and_the_older_checkpoints_stay_whole(tmp_path):
    disk = tmp_path / "disk"
    command = train(tmp_path, f"--train_path={disk}")
    said, complained, _ = on_disk("size=2m", disk, command, times=2)
    # The second start finds the disk as full as the first has left it.
    first, second = complained.strip().splitlines()
    assert first.startswith(f"Error: {disk}: no space left on the disk")
    assert second.startswith("Error: ") and "no space left" in second
    saved = [line for line in said.splitlines() if "Saved" in line]
    assert len(saved) > 2
    assert f"Resuming from {saved[-1].removeprefix('Saved ')}." in said


def test_a_folder_that_may_not_be_written_to_is_told_at_once(tmp_path):
    disk = tmp_path / "disk"
    done = on_disk("ro", disk, train(tmp_path, f"--train_path={disk}/run"))
    line = f"Error: --train_path={disk}/run: {disk} cannot be written to.\n"
    assert done == ("", line, [])


def test_weights_that_do_not_fit_get_a_line_and_leave_nothing(tmp_path):
    disk = tmp_path / "disk"
    said, complained, left = on_disk("size=1m", disk, [SAVE, disk / "a.h5"])
    (line,) = complained.strip().splitlines()
    assert line.startswith(f"Error: {disk / 'a.h5'}: no space left on the disk")
    assert (said, left) == ("", [])


@pytest.mark.parametrize("name", ["weights", "tf1"])
def test_an_export_that_does_not_fit_leaves_a_line_and_nothing_else(tmp_path, name):
    disk = tmp_path / "disk"
    export = (
        *(ROOT / "freeze.py", f"--format={name}"),
        f"--restore_path={ROOT / 'pretrained' / 'eusr'}",
        f"--output_path={disk / 'model.ckpt-1'}",
    )
    said, complained, left = on_disk("size=1m", disk, export)
    (line,) = complained.strip().splitlines()
    assert line.startswith(f"Error: {disk}/model.ckpt-1: no space left on the disk")
    assert (said, left) == ("", [])


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
"""


def test_a_picture_of_no_kind_is_cut_off_by_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    said, complained, left = on_disk("size=8k", disk, [PICTURES, disk])
    assert (complained, left) == ("", [])
    told = said.splitlines()
    assert len(told) == len(FORMATS) + 4
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
    said, complained, _ = on_disk("size=40k", disk, [OTHERS, disk])
    assert complained == ""
    lines = [line for line in said.splitlines() if "Cach" not in line]
    assert len(lines) == 11
    *told, memory, is_readable = lines
    for line in told:
        assert "no space left on the disk; free some and run again" in line
        assert line.endswith("[]"), line
    assert "no space left" in memory and memory.endswith("['.made.jsonl']")
    assert is_readable == "True"
