"""Results of a size in pixels, and --scale=1."""

import numpy as np
import pytest
from PIL import Image

from imaging.files import load_image, save_image
from imaging.imresize import imresize
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here, succeed_here
from upscaling.enlarging import Enlarger
from upscaling.sizes import SizeSettings

WIDE, TALL = (30, 40), (50, 20)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    save_image(tmp_path / "in" / "wide.png", draw_picture(*WIDE))
    save_image(tmp_path / "in" / "tall.png", draw_picture(*TALL))
    return tmp_path


def command(folder, *flags, output="out"):
    return (
        *("test.py", "--model=bicubic", f"--input_path={folder / 'in'}"),
        *(f"--output_path={folder / output}", *flags),
    )


@pytest.mark.parametrize(
    ("wanted", "wide", "tall"),
    [
        ({"width": 100}, (75, 100), (250, 100)),
        ({"height": 45}, (45, 60), (45, 18)),
        ({"longest_side": 80}, (60, 80), (80, 32)),
        ({"megapixels": 0.0048}, (60, 80), (110, 44)),
        ({}, (120, 160), (200, 80)),
        ({"scale": 1}, WIDE, TALL),
    ],
)
def test_a_size_is_that_of_the_result_and_keeps_the_proportions(wanted, wide, tall):
    settings = SizeSettings(**wanted)
    for size, expected in ((WIDE, wide), (TALL, tall)):
        enlarger = Enlarger(None, 16, settings.find_scale(size))
        assert enlarger.find_size(size) == expected


def test_each_side_is_exact_for_pictures_of_any_size():
    for wanted in (1, 999, 1000, 1920):
        settings = SizeSettings(longest_side=wanted)
        for length in range(1, 400):
            enlarger = Enlarger(None, 16, settings.find_scale((1, length)))
            assert enlarger.find_size((1, length))[1] == wanted


def test_each_picture_of_a_folder_gets_its_own_scale(folder):
    said = succeed_here(*command(folder, "--longest_side=100", "--compare"))
    assert "Upscaled 2 of 2 pictures to --longest_side=100." in said
    for name, size, expected in (("wide", WIDE, (75, 100)), ("tall", TALL, (100, 40))):
        result = load_image(folder / "out" / f"{name}.png")
        assert result.shape == (*expected, 3)
        # The next larger scale that bicubic has is x3 for x2.5.
        scale = 3 if name == "wide" else 2
        both = imresize(imresize(draw_picture(*size), scale), size=expected)
        assert np.abs(result.astype(int) - both).max() <= 1
        assert (folder / "out" / f"{name}.png.compare.png").is_file()


def test_a_picture_may_come_out_as_large_as_it_was_or_smaller(folder):
    said = succeed_here(*command(folder, "--scale=1", "--compare"))
    assert "--scale=1: pictures are enlarged by 2, then resized." in said
    assert "Upscaled 2 of 2 pictures by 1." in said
    result = load_image(folder / "out" / "wide.png")
    lr = draw_picture(*WIDE)
    expected = imresize(imresize(lr, 2), 0.5)
    assert np.abs(result.astype(int) - expected).max() <= 1
    succeed_here(*command(folder, "--width=10", "--compare", output="small"))
    assert load_image(folder / "small" / "wide.png").shape == (8, 10, 3)


def test_tiles_do_not_show_at_a_size(folder):
    (folder / "in" / "tall.png").unlink()
    flags = "--height=100", "--self_ensemble"
    succeed_here(*command(folder, *flags))
    succeed_here(*command(folder, *flags, "--tile_size=8", output="tiles"))
    one, other = (
        load_image(folder / name / "wide.png").astype(int) for name in ("out", "tiles")
    )
    assert one.shape == (100, 133, 3) and np.abs(one - other).max() <= 1


def test_the_memory_of_results_knows_the_size(folder):
    succeed_here(*command(folder, "--megapixels=0.01"))
    said = succeed_here(*command(folder, "--megapixels=0.010", "--tile_size=64"))
    assert "Kept 2 of 2 results" in said
    done = run_here(*command(folder, "--width=100"))
    assert done.returncode == 1
    assert "made by bicubic --megapixels=0.01 instead of bicubic --width=100" in (
        done.stderr
    )
    assert "instead of bicubic --scale=4" in run_here(*command(folder)).stderr


def test_a_picture_too_small_for_a_size_is_left_out(folder):
    Image.new("RGB", (4, 5)).save(folder / "in" / "dot.png")
    done = run_here(*command(folder, "--width=100"))
    assert done.returncode == 1 and "Upscaled 2 of 3 pictures" in done.stdout
    assert "dot.png: --width=100: enlarges it by 25, but the model supports x2" in (
        done.stderr
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--width=9", "--scale=2"), "--scale and --width were given; give one of"),
        (("--width=9", "--height=9"), "--width and --height were given"),
        (("--megapixels=-1",), "--megapixels=-1: expected more than 0"),
        (("--longest_side=0",), "expected a whole number of at least 1"),
    ],
)
def test_a_mistaken_size_gets_a_line(folder, flags, said):
    assert said in fail_here(*command(folder, *flags))
    assert not (folder / "out").exists()
