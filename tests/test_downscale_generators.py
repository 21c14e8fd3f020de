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
    assert "Wrote 4 images" in said
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
    assert "Wrote 1 images, kept 1." in succeed(SCRIPT, *paths, "--scales=2")
    assert kept.stat().st_mtime_ns == before


def test_a_broken_image_is_named_and_the_others_are_done(tmp_path, paths):
    (tmp_path / "HR" / "0.png").write_bytes(b"no image")
    assert "0.png: is not an image" in fail(SCRIPT, *paths, "--scales=2")
    assert [path.name for path in (tmp_path / "LR" / "x2").iterdir()] == ["1.png"]


def test_an_image_smaller_than_the_scale_is_named(tmp_path, paths):
    save_image(tmp_path / "HR" / "small.png", draw_picture(7, 40))
    assert "small.png: 40x7 is too small for x8" in fail(SCRIPT, *paths, "--scales=8")


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
    lr = load_image(tmp_path / "LR" / "1.png")
    hr = draw_picture(16, 24, 1)
    expected = cv2.resize(hr, (12, 8), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(lr, expected)
    assert np.any(lr != imresize(hr, 1 / 2))


def test_tensorflows_differs_from_matlabs_as_its_help_says(tmp_path):
    hr = draw_picture(120, 160)
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
