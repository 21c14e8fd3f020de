"""Which damaged pictures are taken, and with which words."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from imaging import mending
from imaging.chunks import Inserting, make_chunk
from imaging.files import load_image
from imaging.pictures import load_picture
from tests.pictures import draw_picture
from tests.scripts import run_here

NO_END = "the end of the file is missing."


def encode(name, pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name, **options)
    return buffer.getvalue()


def encode_deep():
    deep = draw_picture(24, 31).astype(np.uint16) * 255
    return deep, cv2.imencode(".png", deep[..., ::-1])[1].tobytes()


def add_bad_text(png):
    """Adds a comment with a wrong checksum before the pixels, and one behind them."""
    bad = make_chunk(b"tEXt", b"Comment\0text")[:-1] + b"?"
    return png[:33] + bad + png[33:-12] + bad + png[-12:]


@pytest.fixture
def allowed(monkeypatch):
    monkeypatch.setattr(mending, "_allowed", {})
    mending.DamageSettings(allow_damaged=True).take()


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}])
def test_a_jpeg_without_its_end_is_whole(tmp_path, capsys, cut, options):
    whole = encode("JPEG", draw_picture(50, 70), quality=90, **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:-cut])
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    np.testing.assert_array_equal(load_image(path), expected)
    assert capsys.readouterr().err == f"Warning: {path}: {NO_END}\n"


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("cut", [8, 20, 400])
def test_a_jpeg_without_its_last_pixels_is_refused(tmp_path, cut, progressive):
    whole = encode("JPEG", draw_picture(50, 70), quality=90, progressive=progressive)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:-cut])
    with pytest.raises(InputError, match="is truncated or damaged"):
        load_image(path)


def test_a_png_without_its_end_is_whole(tmp_path, capsys):
    pixels, (deep, encoded) = draw_picture(24, 31), encode_deep()
    cases = ((pixels, encode("PNG", pixels)), (deep, encoded))
    for name, (expected, whole) in zip(("8.png", "16.png"), cases, strict=True):
        # The last chunk, and also the checksum of the pixels.
        for cut in (12, 14):
            path = tmp_path / name
            path.write_bytes(whole[:-cut])
            np.testing.assert_array_equal(load_picture(path).pixels, expected)
            assert capsys.readouterr().err == f"Warning: {path}: {NO_END}\n"


def test_a_wrong_checksum_beside_the_pixels_is_a_warning(tmp_path, capfd):
    pixels, (deep, encoded) = draw_picture(24, 31), encode_deep()
    for name, expected, whole in (
        ("8.png", pixels, encode("PNG", pixels)),
        ("16.png", deep, encoded),
    ):
        path = tmp_path / name
        path.write_bytes(add_bad_text(whole))
        np.testing.assert_array_equal(load_picture(path).pixels, expected)
        line = f"Warning: {path}: its part tEXt has a wrong checksum.\n"
        assert capfd.readouterr().err == line * 2  # And nothing of libpng.


def test_a_whole_picture_gives_no_warning(tmp_path, capsys):
    for ending in ("png", "jpg"):
        path = tmp_path / f"a.{ending}"
        Image.fromarray(draw_picture(24, 31)).save(path)
        # Other programs append data of their own.
        path.write_bytes(path.read_bytes() + b"more" * 99)
        assert load_image(path).shape == (24, 31, 3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", ["png", "jpg", "gif"])
def test_half_a_picture_is_taken_if_that_is_allowed(tmp_path, capsys, allowed, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(draw_picture(150, 200)).save(path, interlace=0)
    expected = load_image(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pixels = load_picture(path).pixels
    assert pixels.shape == expected.shape
    np.testing.assert_array_equal(pixels[:30], expected[:30])
    assert (pixels[-30:] != expected[-30:]).any()
    assert "a part of the picture is missing" in capsys.readouterr().err


def test_half_a_picture_of_16_bits_is_taken_with_8(tmp_path, capsys, allowed):
    deep, whole = encode_deep()
    path = tmp_path / "a.png"
    path.write_bytes(whole[: len(whole) // 2])
    pixels = load_picture(path).pixels
    assert np.abs(pixels[:6] - deep[:6] / 257).max() < 1
    assert "a part of the picture is missing" in capsys.readouterr().err


def test_a_wrong_checksum_of_the_pixels_is_taken_if_that_is_allowed(
    tmp_path, capsys, monkeypatch
):
    pixels = draw_picture(24, 31)
    whole = encode("PNG", pixels)
    path = tmp_path / "a.png"
    path.write_bytes(whole[:-16] + b"\0\0\0\0" + whole[-12:])
    with pytest.raises(InputError, match="is truncated or damaged"):
        load_image(path)
    monkeypatch.setattr(mending, "_allowed", {"damaged": True})
    np.testing.assert_array_equal(load_image(path), pixels)
    assert "its part IDAT has a wrong checksum" in capsys.readouterr().err


def test_the_script_has_a_flag_for_it(tmp_path, monkeypatch):
    # Which the script changes for the whole process.
    monkeypatch.setattr(mending, "_allowed", {"damaged": False})
    path = tmp_path / "a.png"
    whole = encode("PNG", draw_picture(24, 31))
    path.write_bytes(whole[: len(whole) // 2])
    flags = (f"--input_path={path}", f"--output_path={tmp_path / 'SR'}")
    command = ("test.py", "--model=bicubic", "--scale=2", *flags)
    done = run_here(*command)
    assert done.returncode == 1 and "is truncated or damaged" in done.stderr
    assert run_here(*command, "--allow_damaged").returncode == 0
    assert load_image(tmp_path / "SR" / "a.png").shape == (48, 62, 3)


def test_a_png_of_apples_own_kind_is_told(tmp_path):
    png = encode("PNG", draw_picture(24, 31))
    path = tmp_path / "a.png"
    path.write_bytes(png[:8] + make_chunk(b"CgBI", b"P\0 \6") + png[8:])
    with pytest.raises(InputError, match="only Apple's programs read .*pngcrush"):
        load_picture(path)


def test_text_that_pillow_refuses_loses_no_picture(tmp_path, capsys):
    bomb = b"c\0\0" + zlib.compress(bytes(70_000_000))
    rgb = draw_picture(24, 31)
    with open(tmp_path / "a.png", "wb") as file:
        Image.fromarray(rgb).save(Inserting(file, [(b"zTXt", bomb)]), "PNG")
    np.testing.assert_array_equal(load_picture(tmp_path / "a.png").pixels, rgb)
    assert capsys.readouterr().err == ""
