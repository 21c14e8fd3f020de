import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from imaging.files import load_image, save_image
from imaging.imresize import imresize
from tests.pictures import draw_picture, write_pictures
from tests.scripts import ROOT, fail, run, succeed

SCRIPT = "misc/downscale_generator.py"


@pytest.fixture
def paths(tmp_path):
    folder = write_pictures(tmp_path / "HR", [(21, 30), (16, 24)])
    return [f"--input_path={folder}", f"--output_path={tmp_path / 'LR'}"]


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_it_writes_matlabs_result_for_each_scale(tmp_path, paths, rounding):
    said = succeed(SCRIPT, *paths, "--scales=2,8", f"--rounding={rounding}")
    folders = ", ".join(str(tmp_path / "LR" / f"x{scale}") for scale in (2, 8))
    assert said == f"Wrote 4, kept 0 that were there: {folders}\n"
    hr = draw_picture(21, 30, 0)
    for scale in (2, 8):
        cut = hr
        if rounding == "floor":
            cut = hr[: 21 // scale * scale, : 30 // scale * scale]
        lr = load_image(tmp_path / "LR" / f"x{scale}" / "0.png")
        np.testing.assert_array_equal(lr, imresize(cut, 1 / scale))


def test_finished_files_are_kept(tmp_path, paths):
    succeed(SCRIPT, *paths, "--scales=2")
    kept = tmp_path / "LR" / "x2" / "0.png"
    before = kept.stat().st_mtime_ns
    (tmp_path / "LR" / "x2" / "1.png").unlink()
    assert "Wrote 1, kept 1 " in succeed(SCRIPT, *paths, "--scales=2")
    assert kept.stat().st_mtime_ns == before


def test_a_broken_image_is_named_and_the_others_are_done(tmp_path, paths):
    (tmp_path / "HR" / "0.png").write_bytes(b"no image")
    assert "0.png: is not an image" in fail(SCRIPT, *paths, "--scales=2")
    assert [path.name for path in (tmp_path / "LR" / "x2").iterdir()] == ["1.png"]


def test_an_image_smaller_than_the_scale_is_named(tmp_path, paths):
    save_image(tmp_path / "HR" / "small.png", draw_picture(7, 40))
    assert "small.png: 40x7 is too small for x8" in fail(SCRIPT, *paths, "--scales=8")


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
    written = [path for path in tmp_path.glob("LR/*/*") if path.is_file()]
    assert 0 < len(written) < 36
    for path in written:
        assert not path.name.startswith(".")
        load_image(path)


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
    os.kill(int(writing[0].name.split(".")[2]), signal.SIGKILL)
    _, complained = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "Error: one of the processes was ended from outside" in complained


def test_what_is_there_must_be_what_would_be_made(tmp_path):
    hr = tmp_path / "HR" / "a.png"
    save_image(hr, draw_picture(21, 30))
    paths = [f"--input_path={tmp_path / 'HR'}", f"--output_path={tmp_path / 'LR'}"]
    succeed(SCRIPT, *paths, "--scales=2")
    line = fail(SCRIPT, *paths, "--scales=2", "--rounding=ceil")
    assert "a.png is 15x10, but" in line and "gives 15x11 now" in line
    save_image(hr, draw_picture(20, 30, 1))
    os.utime(hr, (time.time() + 5, time.time() + 5))
    assert "Wrote 1, kept 0" in succeed(SCRIPT, *paths, "--scales=2")


def test_two_images_that_would_become_one_file_are_refused(tmp_path, paths):
    (tmp_path / "HR" / "0.bmp").write_bytes(b"")
    assert "0.bmp and 0.png would both become 0.png" in fail(SCRIPT, *paths)
    assert not (tmp_path / "LR").exists()


def test_missing_flags_and_senseless_scales_are_named(paths):
    assert "--input_path and --output_path must be given" in fail(SCRIPT)
    assert "--scales takes whole numbers from 2 on" in fail(
        SCRIPT, *paths, "--scales=1"
    )


def test_the_input_folder_is_never_written_to(tmp_path):
    folder = write_pictures(tmp_path / "x2", [(16, 24)])
    line = fail(SCRIPT, f"--input_path={folder}", f"--output_path={tmp_path}")
    assert "is the --input_path" in line


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
    succeed(
        "misc/downscale_generator_tf.py",
        f"--input_path={tmp_path / 'HR'}",
        f"--output_path={tmp_path / 'LR'}",
        "--scale=4",
    )
    lr = load_image(tmp_path / "LR" / "a.png").astype(int)
    difference = np.abs(lr - imresize(hr, 1 / 4))
    assert difference[2:-2, 2:-2].max() == 1
    assert difference.max() > 1


@pytest.mark.parametrize("name", ["", "_cv", "_tf"])
def test_the_help_says_what_it_gives(name):
    help_text = run(f"misc/downscale_generator{name}.py", "--help").stdout
    assert "MATLAB" in help_text and "--input_path" in help_text
