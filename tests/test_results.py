"""Results: backgrounds, formats that cannot hold them, times, and skipped pictures."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from imaging.colour_profiles import make_profile
from imaging.pictures import Picture, load_picture
from tests.kinds_of_pictures import draw
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here
from tests.test_pictures import upscale


def test_transparency_needs_a_background_in_a_format_without_it(tmp_path):
    Image.fromarray(draw(4)).save(tmp_path / "a.png")
    Image.fromarray(draw()).save(tmp_path / "b.png")
    Image.fromarray(draw(4)).save(tmp_path / "png_as.jpg", format="PNG")
    flags = tmp_path, tmp_path / "SR", "--output_format=jpg"
    done = upscale(*flags, command=run_here)
    assert done.returncode == 1 and done.stderr.count("\n") == 2
    reason = "has transparency, which JPEG does not support; use --background=white"
    for name in ("a.png", "png_as.jpg"):
        assert f"left out: {tmp_path / name}: {reason}" in done.stderr
    assert [path.stem for path in (tmp_path / "SR").glob("[!.]*")] == ["b"]
    # What was left out is made, and nothing else.
    said = upscale(*flags, "--background=white")
    assert "Kept 1 of 3 results" in said and "Upscaled 2 of 2" in said
    assert "Kept 3 of 3 results" in upscale(*flags, "--background=white")
    done = upscale(*flags, "--background=#000", command=run_here)
    assert done.returncode == 1 and "not made: 2 of 3 results" in done.stderr
    assert re.search("--background=white.* instead of .*--background=#000", done.stderr)


def test_a_background_stands_where_a_picture_is_transparent(tmp_path):
    rgba = np.zeros((12, 30, 4), np.uint8)
    rgba[:, :10] = 200, 100, 0, 255
    rgba[:, 10:20, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba[..., 2:]).save(tmp_path / "grey.png")
    flags = "--output_format=jpg", "--background=#ff8000", "--jpeg_quality=100"
    upscale(tmp_path, tmp_path / "SR", *flags)
    for name, opaque in (("a", [200, 100, 0]), ("grey", [0, 0, 0])):
        with Image.open(tmp_path / "SR" / f"{name}.jpg") as image:
            pixels = np.asarray(image).astype(int)
        assert pixels.shape == (24, 60, 3)
        assert np.abs(pixels[12, 5] - opaque).max() <= 4
        assert np.abs(pixels[12, 55] - [255, 128, 0]).max() <= 4
        # Half of the background and half of black.
        if name == "grey":
            assert np.abs(pixels[12, 30] - [127, 64, 0]).max() <= 4
    upscale(tmp_path, tmp_path / "kept", "--background=white")
    assert load_picture(tmp_path / "kept" / "a.png").has_transparency()
    for colour in ("whit", "#ff800080"):
        line = upscale(
            tmp_path, tmp_path / "no", f"--background={colour}", command=fail_here
        )
        assert f"--background={colour}: expected a colour" in line


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_grey_picture_on_grey_stays_grey(depth):
    most = np.iinfo(depth).max
    grey, alpha = np.zeros((2, 1, 3, 1), depth)
    alpha[0, :, 0] = 0, most // 5, most
    flat = Picture(grey, alpha).flatten((255, 255, 255))
    assert flat.alpha is None and flat.pixels.dtype == depth
    assert flat.pixels[0, :, 0].tolist() == [most, most - most // 5, 0]


def test_what_is_too_large_for_its_format_becomes_a_png(tmp_path):
    Image.fromarray(draw_picture(3, 2100)).save(tmp_path / "long.png")
    Image.fromarray(draw()).save(tmp_path / "b.png")

    def start(*flags):
        every = (tmp_path, tmp_path / "SR", "--output_format=webp", *flags)
        return upscale(*every, command=run_here, scale=8)

    done = start()
    assert done.returncode == 0 and "Upscaled 2 of 2 pictures" in done.stdout
    told = "16800x24 pixels are too many for WEBP, which holds at most 16383 a side;"
    assert f"{told} the result becomes" in done.stderr
    names = sorted(path.name for path in (tmp_path / "SR").glob("[!.]*"))
    assert names == ["b.webp", "long.webp.png"]
    with Image.open(tmp_path / "SR" / "long.webp.png") as image:
        assert (image.format, image.size) == ("PNG", (16800, 24))
    assert "Kept 2 of 2 results" in start().stdout
    assert "Upscaled 2 of 2 pictures" in start("--compare").stdout
    # A file of somebody else's is not written over.
    (tmp_path / "SR" / "long.webp.png").write_text("somebody's")
    done = start()
    assert done.returncode == 1 and "long.webp.png: exists; --overwrite" in done.stderr
    assert start("--overwrite").returncode == 0


def test_colours_that_jpeg_xl_does_not_hold_become_a_png(tmp_path):
    profile = make_profile({b"gAMA": (55_556).to_bytes(4, "big")}, 3)
    Image.fromarray(draw()).save(tmp_path / "a.png", icc_profile=profile)
    flags = tmp_path, tmp_path / "SR", "--output_format=jxl"
    done = upscale(*flags, command=run_here)
    assert done.returncode == 0 and done.stderr.count("\n") == 1
    assert "a.png: JPEG XL is written in sRGB and Display P3 only" in done.stderr
    assert load_picture(tmp_path / "SR" / "a.jxl.png").metadata.icc_profile == profile
    assert "Kept 1 of 1 results" in upscale(*flags)


def test_no_other_result_makes_room_for_what_is_too_large(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(draw_picture(3, 2100)).save(folder / "a.webp")
    Image.fromarray(draw()).save(folder / "a.webp.png")
    flags = folder, tmp_path / "SR", "--overwrite"
    done = upscale(*flags, command=run_here, scale=8)
    assert done.returncode == 1 and "Upscaled 1 of 2" in done.stdout
    assert "a.webp.png: is that of another picture" in done.stderr
    with Image.open(tmp_path / "SR" / "a.webp.png") as image:
        assert image.width != 16800


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "bmp"])
def test_a_result_may_keep_the_time_of_its_picture(tmp_path, ending):
    source, target = tmp_path / f"a.{ending}", tmp_path / "SR" / f"a.{ending}"
    Image.fromarray(draw()).save(source)
    os.utime(source, (1_000_000_000, 1_100_000_000))
    upscale(source, tmp_path / "SR", "--keep_times")
    assert target.stat().st_mtime == 1_100_000_000
    assert "Kept 1 of 1 results" in upscale(source, tmp_path / "SR")
    upscale(source, tmp_path / "SR", "--overwrite")
    assert target.stat().st_mtime > 1_700_000_000


def test_large_pictures_may_be_skipped(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, size in (("wide", (4, 41)), ("tall", (41, 4)), ("small", (40, 40))):
        Image.fromarray(draw_picture(*size)).save(folder / f"{name}.png")
    (folder / "broken.png").write_text("no picture")
    flags = folder, tmp_path / "SR", "--skip_larger_than=40"
    done = upscale(*flags, command=run_here)
    assert "Skipped 2 of 4 pictures, with a side of more than 40" in done.stdout
    assert "Upscaled 1 of 2 pictures" in done.stdout
    assert done.returncode == 1 and "broken.png: is not an image" in done.stderr
    (folder / "broken.png").unlink()
    said = upscale(folder, tmp_path / "none", "--skip_larger_than=39")
    assert "Skipped 3 of 3 pictures" in said and "Upscaled" not in said
