import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from console.made import NAME
from imaging.files import load_image, save_image
from imaging.imresize import imresize
from imaging.listing import EXTENSIONS
from metrics import psnr_y
from misc import downscale_generator_cv, downscale_generator_tf
from tests.pictures import draw_picture, write_pictures
from tests.scripts import ROOT, fail_here, run, run_here, succeed, succeed_here
from tests.shared_data import SHARED, needs_shared

SCRIPT = "misc/downscale_generator.py"


@pytest.fixture
def paths(tmp_path):
    folder = write_pictures(tmp_path / "HR", [(21, 30), (16, 24)])
    return [f"--input_path={folder}", f"--output_path={tmp_path / 'LR'}"]


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_it_writes_matlabs_result_for_each_scale(tmp_path, paths, rounding):
    said = succeed(SCRIPT, *paths, "--scales=2,8", f"--rounding={rounding}")
    folders = ", ".join(str(tmp_path / "LR" / f"x{scale}") for scale in (2, 8))
    assert said == f"Wrote 4, kept 0 existing images: {folders}\n"
    hr = draw_picture(21, 30, 0)
    for scale in (2, 8):
        cut = hr
        if rounding == "floor":
            cut = hr[: 21 // scale * scale, : 30 // scale * scale]
        lr = load_image(tmp_path / "LR" / f"x{scale}" / "0.png")
        np.testing.assert_array_equal(lr, imresize(cut, 1 / scale))


def test_finished_files_are_kept(tmp_path, paths):
    succeed_here(SCRIPT, *paths, "--scales=2")
    kept = tmp_path / "LR" / "x2" / "0.png"
    before = kept.stat().st_mtime_ns
    (tmp_path / "LR" / "x2" / "1.png").unlink()
    assert "Wrote 1, kept 1 " in succeed_here(SCRIPT, *paths, "--scales=2")
    assert kept.stat().st_mtime_ns == before


def test_a_broken_image_is_named_and_the_others_are_done(tmp_path, paths):
    (tmp_path / "HR" / "0.png").write_bytes(b"no image")
    assert "0.png: is not an image" in fail_here(SCRIPT, *paths, "--scales=2")
    assert [path.name for path in (tmp_path / "LR" / "x2").glob("*.png")] == ["1.png"]


def test_an_image_smaller_than_the_scale_is_named(tmp_path, paths):
    save_image(tmp_path / "HR" / "small.png", draw_picture(7, 40))
    assert "small.png: 40x7 is too small for x8" in fail_here(
        SCRIPT, *paths, "--scales=8"
    )


@pytest.mark.skipif(os.name != "posix", reason="sends the signal that Ctrl-C sends")
def test_ctrl_c_ends_all_processes_with_one_line_and_leaves_no_half_file(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    for index in range(12):
        save_image(tmp_path / "HR" / f"{index}.png", noise)
    started = subprocess.Popen(
        [sys.executable, SCRIPT, f"--input_path={tmp_path / 'HR'}"]
        + [f"--output_path={tmp_path / 'LR'}", "--num_processes=2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("LR/*/[0-9]*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    # To the whole group, as a terminal does.
    os.killpg(started.pid, signal.SIGINT)
    # Returns once nobody can write there any more, the workers included.
    said, complained = started.communicate(timeout=60)
    assert (started.returncode, said, complained) == (130, "", "Stopped.\n")
    assert {path.name for path in tmp_path.glob("LR/*/.*")} <= {NAME}
    written = list(tmp_path.glob("LR/*/*.png"))
    assert 0 < len(written) < 36
    for path in written:
        load_image(path)


def find_workers(pid):
    """The processes that a process has started to work for it."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    children = [int(child) for child in text.split()]
    return [
        child
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux lists them")
def test_a_process_that_is_killed_ends_the_work_with_a_line(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    for index in range(12):
        save_image(tmp_path / "HR" / f"{index}.png", noise)
    started = subprocess.Popen(
        [sys.executable, SCRIPT, f"--input_path={tmp_path / 'HR'}"]
        + [f"--output_path={tmp_path / 'LR'}", "--num_processes=2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writing = []
    while not writing and started.poll() is None:
        writing = list(tmp_path.glob("LR/*/.*.part.png"))
    os.kill(find_workers(started.pid)[0], signal.SIGKILL)
    _, complained = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "Error: a process was killed" in complained


def test_what_is_there_must_be_what_would_be_made(tmp_path):
    hr = tmp_path / "HR" / "a.png"
    save_image(hr, draw_picture(21, 30))
    paths = [f"--input_path={tmp_path / 'HR'}", f"--output_path={tmp_path / 'LR'}"]
    succeed_here(SCRIPT, *paths, "--scales=2")
    line = fail_here(SCRIPT, *paths, "--scales=2", "--rounding=ceil")
    assert "a.png, made by downscale_generator.py --rounding=floor at x2" in line
    save_image(hr, draw_picture(20, 30, 1))
    assert "Wrote 1, kept 0" in succeed_here(SCRIPT, *paths, "--scales=2")


def downscale(folder, *flags, script=SCRIPT):
    """Runs a helper in this process; returns its last line."""
    flags = [f"--input_path={folder / 'HR'}", f"--output_path={folder / 'LR'}", *flags]
    if script == SCRIPT:
        flags += ["--num_processes=1", "--scales=2"]
    done = run_here(script, *flags)
    return (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("name", ["cv", "tf"])
def test_what_a_helper_made_is_not_taken_for_another_scale_or_helper(tmp_path, name):
    script = f"misc/downscale_generator_{name}.py"
    write_pictures(tmp_path / "HR", [(16, 24)])
    assert "Wrote 1, kept 0" in downscale(tmp_path, "--scale=2", script=script)
    assert "Wrote 0, kept 1" in downscale(tmp_path, "--scale=2", script=script)
    line = downscale(tmp_path, "--scale=4", script=script)
    assert f"holds 0.png, made by downscale_generator_{name}.py at x2;" in line
    (tmp_path / "LR").rename(tmp_path / "x2")
    line = downscale(tmp_path, f"--output_path={tmp_path}")
    assert f"x2 holds 0.png, made by downscale_generator_{name}.py at x2;" in line


def test_a_file_of_unknown_origin_is_kept_if_it_is_the_same_and_never_overwritten(
    tmp_path,
):
    write_pictures(tmp_path / "HR", [(16, 24), (16, 24), (16, 24)])
    downscale(tmp_path)
    folder = tmp_path / "LR" / "x2"
    (folder / NAME).unlink()  # As of a folder from before there was such a file.
    (folder / "2.png").unlink()
    before = (folder / "0.png").stat().st_mtime_ns
    assert "Wrote 1, kept 2" in downscale(tmp_path)
    assert (folder / "0.png").stat().st_mtime_ns == before
    # Now they are known, and need not be compared again.
    (tmp_path / "HR" / "0.png").touch()
    assert "Wrote 1, kept 2" in downscale(tmp_path)

    save_image(folder / "1.png", draw_picture(8, 12, 5))
    foreign = (folder / "1.png").read_bytes()
    (folder / "2.png").unlink()
    line = downscale(tmp_path)
    assert "1.png differs from" in line and "It is kept" in line
    assert (folder / "1.png").read_bytes() == foreign
    assert not (folder / "2.png").exists()


def test_folders_are_looked_through_and_what_is_left_out_is_said(tmp_path, paths):
    save_image(tmp_path / "HR" / "city" / "1.png", draw_picture(16, 24))
    save_image(tmp_path / "HR" / "x2" / "1.png", draw_picture(8, 12))
    (tmp_path / "HR" / "a.jp2").touch()
    paths[1] = f"--output_path={tmp_path / 'HR' / 'LR'}"
    for count in ("Wrote 6, kept 0", "Wrote 0, kept 6"):
        said = succeed_here(SCRIPT, *paths, "--scales=2,4", "--num_processes=1")
        assert f"Left out of {tmp_path / 'HR'}: 1 .jp2, " in said and "x2/" in said
        assert said.count("Left out") == 1 and count in said
    folder = tmp_path / "HR" / "LR" / "x4"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    assert names == ["0.png", "1.png", "city/1.png"]


def test_a_damaged_file_that_nobody_knows_is_named(tmp_path):
    write_pictures(tmp_path / "HR", [(16, 24)])
    target = tmp_path / "LR" / "x2" / "0.png"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"half")
    assert "0.png cannot be read as" in downscale(tmp_path)
    target.unlink()
    (target.parent / NAME).write_text("{half")
    assert "Wrote 1, kept 0" in downscale(tmp_path)


def test_transparency_is_told_once_by_the_parent(tmp_path, paths):
    for index in range(4):
        picture = np.zeros((16, 24, 4), np.uint8)
        Image.fromarray(picture).save(tmp_path / "HR" / f"{index}.png")
    done = run(SCRIPT, *paths, "--scales=2", "--num_processes=2")
    assert done.returncode == 0
    assert done.stderr.count("has transparency") == 1


def test_an_unreadable_image_is_named_and_the_others_are_done(tmp_path, monkeypatch):
    write_pictures(tmp_path / "HR", [(16, 24), (16, 24)])
    refused, opened = tmp_path / "HR" / "0.png", open

    def refuse(path, *arguments, **options):
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr("builtins.open", refuse)
    said = downscale(tmp_path)
    assert "Wrote 1, kept 0" in said and "Error: " in said
    assert "0.png: is not readable" in said


def test_where_nothing_was_made_no_folder_is_named(tmp_path):
    write_pictures(tmp_path / "HR", [(1, 24)])
    said = downscale(tmp_path)
    assert said == f"Error: {tmp_path}/HR/0.png: 24x1 is too small for x2."


def test_an_output_path_that_cannot_be_is_named_with_its_flag(tmp_path):
    write_pictures(tmp_path / "HR", [(16, 24)])
    (tmp_path / "LR").touch()
    line = downscale(tmp_path)
    assert line.startswith("Error: --output_path=") and "is a file, not a fold" in line
    for script in ("misc/demo.py", "misc/sample_images.py"):
        line = run_here(script, f"--output_path={tmp_path / 'LR'}").stderr
        assert "is a file; give the name of a folder" in line


def test_two_images_that_would_become_one_file_are_refused(tmp_path, paths):
    (tmp_path / "HR" / "0.bmp").write_bytes(b"")
    assert "0.bmp and 0.png would both become 0.png" in fail_here(SCRIPT, *paths)
    assert not (tmp_path / "LR").exists()


def test_missing_flags_and_senseless_scales_are_named(paths):
    assert "--input_path and --output_path must be given" in fail_here(SCRIPT)
    for scales in ("1", "2,2", "4,2,4"):
        line = run_here(SCRIPT, *paths, f"--scales={scales}").stderr
        assert (
            f"--scales={scales}: expected different whole numbers of at least 2" in line
        )


def test_the_input_folder_is_never_written_to(tmp_path):
    folder = write_pictures(tmp_path / "x2", [(16, 24)])
    line = fail_here(SCRIPT, f"--input_path={folder}", f"--output_path={tmp_path}")
    assert "is also the --input_path" in line


def test_opencvs_is_opencvs_and_not_matlabs(tmp_path, paths):
    succeed("downscale_generator_cv.py", *paths, "--scale=2", cwd=ROOT / "misc")
    # 21 rows: without the cut, the LR image would drift from its pair.
    for name, hr in (("0", draw_picture(21, 30, 0)), ("1", draw_picture(16, 24, 1))):
        lr = load_image(tmp_path / "LR" / f"{name}.png")
        height, width = (length // 2 for length in hr.shape[:2])
        hr = hr[: height * 2, : width * 2]
        expected = cv2.resize(hr, (width, height), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_array_equal(lr, expected)
        assert np.any(lr != imresize(hr, 1 / 2))


def test_tensorflows_differs_from_matlabs_as_its_help_says(tmp_path):
    hr = draw_picture(120, 160)
    # Far from black and white, where MATLAB would clip between its passes.
    assert hr.min() > 0 and hr.max() < 255
    save_image(tmp_path / "HR" / "a.png", hr)
    succeed_here(
        "misc/downscale_generator_tf.py",
        f"--input_path={tmp_path / 'HR'}",
        f"--output_path={tmp_path / 'LR'}",
        "--scale=4",
    )
    lr = load_image(tmp_path / "LR" / "a.png").astype(int)
    difference = np.abs(lr - imresize(hr, 1 / 4))
    assert difference[2:-2, 2:-2].max() == 1
    assert difference.max() > 1


def test_matlabs_helper_finds_the_same_files_and_says_how_it_differs():
    program = (ROOT / "misc" / "downscale_generator_matlab.m").read_text()
    (endings,) = re.findall(r"endings = \{(.*)\}", program)
    assert {*re.findall(r"'([^']*)'", endings), ".webp"} == set(EXTENSIONS)
    assert "strcmpi(ending, endings)" in program  # On Linux too, `.PNG` is one.
    for exception in ("EXIF", "16 bits", "palette", "grey", "WebP"):
        assert exception in program.partition("if ~exist")[0]


@pytest.mark.parametrize("name", ["", "_cv", "_tf"])
def test_the_help_says_what_it_gives(name):
    help_text = run_here(f"misc/downscale_generator{name}.py", "--help").stdout
    assert "MATLAB" in help_text and "--input_path" in help_text


def read_row(program):
    """A row of the documented table, as (scale, (mean, largest difference), gain)."""
    document = (ROOT / "docs" / "measurements.md").read_text()
    (cells,) = re.findall(rf"^\| `{program}`[^|]*\| (.*) \|$", document, re.MULTILINE)
    *differences, gain2, gain4 = cells.split(" | ")
    differences = [each.split(", ") for each in differences]
    return zip((2, 4), differences, (gain2, gain4), strict=True)


# Where `downscale_generator_matlab.m` under Octave wrote B100's, in x2 and x4.
OCTAVE = os.environ.get("OCTAVE_PATH")
PROGRAMS = {
    "downscale_generator_tf.py": downscale_generator_tf.downscale,
    "downscale_generator_cv.py": downscale_generator_cv.downscale,
    "downscale_generator_matlab.m": None,
}


@needs_shared
@pytest.mark.parametrize("program", PROGRAMS)
def test_b100_differs_from_matlabs_as_training_says(program):
    if program.endswith(".m") and OCTAVE is None:
        pytest.skip("OCTAVE_PATH names no folder of LR images that Octave made")
    folder = SHARED / "data" / "B100"
    for scale, (mean, largest), gain in read_row(program):
        differences, gains = [], []
        for path in sorted((folder / "HR").glob("*.png")):
            hr = load_image(path)
            matlab = load_image(
                folder / "LR" / f"x{scale}" / f"{path.stem}x{scale}.png"
            )
            if program.endswith(".m"):
                lr = load_image(f"{OCTAVE}/x{scale}/{path.name}")
            else:
                lr = PROGRAMS[program](hr, scale)
            # Octave's have a row more where HR is no multiple of the scale.
            lr = lr[: matlab.shape[0], : matlab.shape[1]]
            differences.append(np.abs(lr.astype(int) - matlab))
            of_this, of_matlab = (
                psnr_y(sr, hr[: sr.shape[0], : sr.shape[1]], 4)
                for sr in (imresize(lr, scale), imresize(matlab, scale))
            )
            gains.append(of_this - of_matlab)
        means = [difference.mean() for difference in differences]
        assert f"{np.mean(means):.3f}" == mean
        assert str(max(difference.max() for difference in differences)) == largest
        assert f"{np.mean(gains):+.3f}" == gain
