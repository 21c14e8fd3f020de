import concurrent.futures
import struct
import sys
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from imaging import files, limits
from imaging.decoding import read_size
from imaging.files import load_image, save_image, to_uint8
from imaging.listing import find_images, stream_pictures
from tests.pictures import draw_picture
from tests.scripts import run_here, succeed_here


def write(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_a_png_comes_back_as_it_was_saved(tmp_path):
    picture = draw_picture(17, 23)
    save_image(tmp_path / "new" / "a.png", picture)
    loaded = load_image(tmp_path / "new" / "a.png")
    np.testing.assert_array_equal(loaded, picture)
    assert loaded.dtype == np.uint8 and loaded.flags.c_contiguous


def test_grey_becomes_rgb(tmp_path):
    grey = draw_picture(9, 8)[..., 0]
    loaded = load_image(write(tmp_path / "a.png", grey))
    np.testing.assert_array_equal(loaded, np.stack([grey] * 3, -1))


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_16_bit_grey_is_rounded_to_8(tmp_path, ending):
    deep = np.array([[0, 128, 129, 65535], [257, 385, 386, 32896]], np.uint16)
    loaded = load_image(write(tmp_path / f"a.{ending}", deep))
    np.testing.assert_array_equal(loaded[..., 0], np.round(deep / 257))


def test_16_bit_rgb_is_rounded_to_8(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (6, 7, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    expected = np.round(deep / 257)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), expected)


def test_alpha_is_dropped_with_one_warning(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "_warned_of_alpha", [])
    picture = draw_picture(9, 8)
    alpha = np.full((9, 8, 1), 7, np.uint8)
    for name in ("a.png", "b.png"):
        write(tmp_path / name, np.concatenate([picture, alpha], -1))
        np.testing.assert_array_equal(load_image(tmp_path / name), picture)
    warnings = capsys.readouterr().err.strip().splitlines()
    assert len(warnings) == 1 and "a.png has transparency" in warnings[0]


def test_alpha_can_be_noted_in_place_of_the_warning(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "_warned_of_alpha", [])
    path = write(tmp_path / "a.png", np.zeros((9, 8, 4), np.uint8))
    with files.alpha_noted() as noted:
        load_image(path)
    assert noted == [str(path)] and capsys.readouterr().err == ""
    load_image(path)
    assert "has transparency" in capsys.readouterr().err


@pytest.mark.parametrize("load", [load_image, read_size])
def test_a_picture_that_may_not_be_read_is_named(tmp_path, monkeypatch, load):
    path = write(tmp_path / "a.png", draw_picture(9, 8))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # Root may read anything.
    with pytest.raises(InputError, match=r"a\.png: is not readable; change its perm"):
        load(path)


@pytest.mark.parametrize("load", [load_image, read_size])
def test_a_link_that_leads_nowhere_is_listed_and_named(tmp_path, load):
    link = tmp_path / "a.png"
    link.symlink_to("gone.png")
    assert find_images(tmp_path, recursive=False).images == [link]
    with pytest.raises(
        InputError, match=r"a\.png: is a link to gone\.png, which does not"
    ):
        load(link)


def test_a_picture_or_a_folder_is_expected_where_both_will_do(tmp_path):
    picture = write(tmp_path / "a.png", draw_picture(9, 8))
    assert list(stream_pictures(picture, "--x")) == [picture]
    assert list(stream_pictures(tmp_path, "--x")) == [picture]
    with pytest.raises(
        InputError, match="does not exist; expected a picture or a fold"
    ):
        list(stream_pictures(tmp_path / "none.png", "--x"))


def test_palettes_and_cmyk_become_rgb(tmp_path):
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    red.convert("P").save(tmp_path / "a.png")
    red.convert("CMYK").save(tmp_path / "b.jpg", quality=100)
    for name in ("a.png", "b.jpg"):
        assert np.abs(load_image(tmp_path / name)[0, 0] - [255.0, 0, 0]).max() < 4


def test_a_turned_photograph_is_set_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # The top of the scene is at the right side of the file.
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, 8:] = 255
    path = write(tmp_path / "a.jpg", picture, exif=exif)
    loaded = load_image(path)
    assert read_size(path) == loaded.shape[:2] == (16, 8)
    assert loaded[0].mean() < 50 and loaded[-1].mean() > 200


# How often np.rot90 turns the stored picture upright, by its EXIF orientation.
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_it_is_upright_whatever_its_format_and_depth(
    tmp_path, orientation, turns, ending, depth
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = draw_picture(9, 14)[..., 0]
    stored = grey.astype(depth) * (257 if depth == np.uint16 else 1)
    path = write(tmp_path / f"a.{ending}", stored, exif=exif)
    loaded = load_image(path)
    np.testing.assert_array_equal(loaded[..., 0], np.rot90(grey, turns))
    assert read_size(path) == loaded.shape[:2]


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "CMYK"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_turned_tiff_is_not_scrambled(tmp_path, mode, compression):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(draw_picture(9, 14)).convert(mode)
    stored.save(tmp_path / "a.tiff", exif=exif, compression=compression)
    expected = np.rot90(np.asarray(stored.convert("RGB")), 3)
    np.testing.assert_array_equal(load_image(tmp_path / "a.tiff"), expected)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_wider_pixels_are_refused_rather_than_clipped(tmp_path, dtype):
    path = write(tmp_path / "a.tiff", draw_picture(9, 8)[..., 0].astype(dtype) * 400)
    with pytest.raises(InputError, match="numbers of the type int32|has floats from"):
        load_image(path)


def test_only_its_depth_makes_a_picture_deep(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "_warned_of_alpha", [])
    cmyk = Image.fromarray(draw_picture(74, 53)).convert("CMYK")
    cmyk.save(tmp_path / "a.tiff", compression="tiff_lzw")
    with Image.open(tmp_path / "a.tiff") as image:
        # Not a depth: where the file keeps its table happens to hold these digits.
        assert "16" in str(image.tile[0][3][-1])
    expected = np.asarray(cmyk.convert("RGB"))
    np.testing.assert_array_equal(load_image(tmp_path / "a.tiff"), expected)
    # OpenCV gives four channels for it, of which none is transparency.
    assert capsys.readouterr().err == ""


def test_only_images_are_listed_in_order_whatever_their_case(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.txt", ".hidden.png", "d.Bmp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in find_images(tmp_path, recursive=False).images] == [
        "a.jpeg",
        "b.PNG",
        "d.Bmp",
    ]


def test_a_folder_that_is_missing_empty_or_a_file_is_named_with_its_flag(tmp_path):
    for path, reason in (
        (tmp_path / "none", "does not exist"),
        (tmp_path, "no images"),
        (write(tmp_path / "x.gif", draw_picture(4, 4)), "is a file"),
    ):
        with pytest.raises(InputError, match=f"--input_path={path}: {reason}"):
            find_images(path, "--input_path", recursive=False)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff"])
def test_half_a_file_is_never_half_a_picture(tmp_path, ending):
    path = write(tmp_path / f"a.{ending}", draw_picture(64, 64))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"a\.{ending}: .*replace or remove it"):
        load_image(path)


def test_a_changed_byte_of_a_png_is_noticed(tmp_path):
    path = write(tmp_path / "a.png", draw_picture(24, 53))
    whole = path.read_bytes()
    start = whole.index(b"IDAT") + 4
    # Up to the checksum of the pixels and the end chunk, of 4 and 12 bytes.
    for place in range(start, len(whole) - 16, 7):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 85]) + whole[place + 1 :]
        )
        with pytest.raises(InputError, match="replace or remove it"):
            load_image(path)


def test_more_than_a_gigapixel_is_refused_in_one_line(tmp_path, monkeypatch):
    # As in a process in which no script has changed it.
    start = {"pixels": limits.MOST_PIXELS, "advice": limits.CUT}
    monkeypatch.setattr(limits, "_limit", start)

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 40_000, 30_000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    for read in (read_size, load_image):
        with pytest.raises(InputError) as caught:
            read(path)
        assert "a.png: claims to have 40000x30000 pixels" in str(caught.value)
        assert "more than 1,000,000,000; cut it into pieces" in str(caught.value)


def test_the_limit_of_pixels_is_a_flags(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in" / "a.png", draw_picture(24, 53))
    # Which the script changes for the whole process.
    monkeypatch.setattr(limits, "_limit", dict(limits._limit))
    flags = (f"--input_path={path.parent}", f"--output_path={tmp_path / 'out'}")
    command = ("test.py", "--model=bicubic", "--scale=2", *flags)
    done = run_here(*command, "--max_pixels=1271")
    assert done.returncode == 1
    assert "53x24 pixels, more than 1,271; --max_pixels raises the" in done.stderr
    assert not (tmp_path / "out").exists()
    succeed_here(*command, "--max_pixels=1272")
    assert (tmp_path / "out" / "a.png").is_file()


def test_loading_in_threads_leaves_warnings_as_they_are(tmp_path):
    path = write(tmp_path / "a.png", draw_picture(24, 53))
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(load_image, [path] * 400))
        assert warnings.filters == before
    finally:
        sys.setswitchinterval(interval)
        warnings.filters[:] = before


@pytest.mark.parametrize("content", [b"", b"just text"])
def test_what_is_no_image_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (load_image, read_size):
        with pytest.raises(InputError, match="is empty|is not an image"):
            read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0\0\x18ftypheic", "is not an image that can be read (12 bytes)"),
        (b"\0\0\0\x18ftypisom", "is a video (MP4); extract its frames"),
        (b"\xff\x0a\xfa", "is not an image that can be read (3 bytes)"),
        (b"#?RADIANCE\n", "is a Radiance HDR picture; convert"),
        (b"\0" * 128 + b"DICM", "is a DICOM picture; convert"),
        (b"Pf\n1 1\n-1\n\0\0\0\0", "is a PFM picture; convert it to PNG"),
        (b"BM" + bytes(60), "is a BMP of a rare kind, or damaged; convert it to PNG"),
        (b"8BPS\0\1", "is a Photoshop document that is not read; save it as"),
        (b"%PDF-1.4\n", "is a PDF document; export"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg/>", "is an SVG drawing; export"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "is a web page; download it again"),
        (b"<HTML>", "is a web page"),
        (b"\x1f\x8b\x08", "is a gzip archive; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"\x89PNG\r\n\x1a\n", "is not an image that can be read (8 bytes)"),
        (b"\xff\xd8\xff\xe0", "is not an image that can be read (4 bytes)"),
        (b"\0\0\0\x18ftypavif", "is not an image that can be read (12 bytes)"),
        (b"<a>", "is not an image that can be read"),
    ],
)
def test_a_file_of_another_kind_is_told_by_what_it_is(tmp_path, content, said):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_image(path)
    assert said in str(error.value)


def test_an_icon_may_not_hold_more_than_it_says(tmp_path, monkeypatch):
    path = tmp_path / "a.icns"
    Image.fromarray(draw_picture(48, 48)).save(path)
    assert load_image(path).shape[2] == 3
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="has too many pixels, more"):
        load_image(path)


def test_half_rounds_up_and_the_range_is_kept():
    values = np.array([-3.0, 0.49, 0.5, 1.5, 254.5, 300.0])
    assert to_uint8(values).tolist() == [0, 0, 1, 2, 255, 255]


def test_nothing_is_left_behind_when_writing_fails(tmp_path, monkeypatch):
    old = draw_picture(5, 5)
    save_image(tmp_path / "a.png", old)

    def fail(self, file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save_image(tmp_path / "a.png", draw_picture(6, 6))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), old)
