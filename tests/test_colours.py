"""Colours that a file says by a profile or by numbers come out as they went in."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging.chunks import Inserting
from imaging.colour_profiles import make_profile, name_colours, to_channels
from imaging.pictures import Picture, load_picture
from imaging.plugins import states_colours
from imaging.saving import find_obstacle, save_picture
from tests.kinds_of_pictures import SRGB
from tests.pictures import draw_picture

RGB = draw_picture(24, 32)
LINEAR, P3, PQ = (
    *((b"gAMA", struct.pack(">L", 100_000)), (b"cICP", bytes([12, 13, 0, 1]))),
    (b"cICP", bytes([9, 16, 0, 1])),
)
CHRM = struct.pack(">8L", *(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))


def write(path, *chunks, pixels=RGB):
    with open(path, "wb") as file:
        Image.fromarray(pixels).save(Inserting(file, chunks), "PNG")
    return path


def convert(path, ending):
    target = path.with_name(f"result.{ending}")
    save_picture(target, load_picture(path), quality=100)
    return target


def show(profile, *colour):
    """What a program with colour management shows in sRGB."""
    image = Image.new("RGB" if len(colour) > 1 else "L", (1, 1), colour)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    shown = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    return shown.getpixel((0, 0))


@pytest.mark.parametrize(
    ("chunks", "colour", "expected"),
    [
        ([LINEAR], (55, 128, 188), (128, 188, 223)),
        ([(b"gAMA", struct.pack(">L", 55_556))], (128,) * 3, (146,) * 3),
        # Pure red of sRGB, in the numbers of Display P3.
        ([P3], (234, 51, 35), (255, 0, 0)),
        (
            [(b"cHRM", CHRM), (b"gAMA", struct.pack(">L", 45_455))],
            (234, 51, 35),
            (255, 0, 0),
        ),
        # 203 candelas per square metre are white.
        ([PQ], (148,) * 3, (255,) * 3),
        ([(b"cICP", bytes([9, 18, 0, 1]))], (191,) * 3, (255,) * 3),
    ],
)
@pytest.mark.parametrize("ending", ["jpg", "webp", "tif", "avif"])
def test_numbers_become_a_profile(tmp_path, chunks, colour, expected, ending):
    with Image.open(convert(write(tmp_path / "a.png", *chunks), ending)) as image:
        shown = show(image.info["icc_profile"], *colour)
    assert np.abs(np.subtract(shown, expected)).max() <= 1


@pytest.mark.parametrize("depth", [8, 16])
def test_chunks_travel_to_a_png_as_they_are(tmp_path, depth):
    light = (b"mDCV", bytes(range(24))), (b"cLLI", bytes(8))
    chunks = [
        PQ,
        *light,
        LINEAR,
        (b"cHRM", CHRM),
        (b"pHYs", struct.pack(">LLB", 2, 1, 0)),
    ]
    path = write(tmp_path / "a.png", *chunks)
    picture = load_picture(path)
    if depth == 16:
        picture = Picture(RGB.astype(np.uint16), metadata=picture.metadata)
    save_picture(path, picture)
    data = path.read_bytes()
    for kind, content in chunks:
        assert data.count(struct.pack(">L", len(content)) + kind + content) == 1
    np.testing.assert_array_equal(load_picture(path).pixels, picture.pixels)


@pytest.mark.parametrize(
    "chunk", [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">L", 45_455))]
)
def test_srgb_needs_no_profile(tmp_path, chunk):
    path = convert(write(tmp_path / "a.png", chunk), "jpg")
    assert "icc_profile" not in Image.open(path).info


def test_hdr_is_told_and_stays(tmp_path, capsys):
    path = write(tmp_path / "a.png", PQ)
    picture = load_picture(path)
    deep = Picture(RGB.astype(np.uint16) * 257, metadata=picture.metadata)
    kinds = ["heic", "jxl", "avif", "jpg"]
    if not states_colours():  # Of Python 3.11; such pictures become PNG.
        kinds.remove("jxl")
        assert "needs Python 3.12" in find_obstacle("b.jxl", deep, (24, 32))
    for ending in kinds:
        path = tmp_path / f"b.{ending}"
        save_picture(path, deep)
        assert load_picture(path).metadata.tells_hdr(), ending
        said = capsys.readouterr().err
        assert f"b.{ending}: is an HDR picture" in said
        assert ("does not hold its more than 8 bits" in said) == (ending == "jpg")
    save_picture(tmp_path / "b.gif", deep)
    assert "is an HDR picture" not in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif", "heic"])
def test_a_profile_has_the_channels_of_its_file(tmp_path, ending):
    grey = make_profile(dict([LINEAR]), 1)
    alpha = np.full((24, 32, 1), 99, np.uint8)
    for depth in (np.uint8, np.uint16):
        most = np.iinfo(depth).max // 255
        for pixels in (RGB, RGB[..., :1]):
            for clear in (None, alpha.astype(depth) * most):
                if ending == "jpg" and clear is not None:
                    continue
                picture = Picture(pixels.astype(depth) * most, clear)
                metadata = load_picture(write(tmp_path / "a.png", LINEAR)).metadata
                object.__setattr__(metadata, "icc_profile", grey)
                object.__setattr__(picture, "metadata", metadata)
                path = tmp_path / f"a.{ending}"
                save_picture(path, picture)
                with Image.open(path) as image:
                    profile = image.info["icc_profile"]
                    is_grey = image.mode in ("L", "LA", "I;16")
                    if ending == "png":  # Pillow opens its grey with alpha as RGBA.
                        is_grey = pixels.shape[-1] == 1
                assert profile[16:20] == (b"GRAY" if is_grey else b"RGB "), image.mode


def test_a_profile_of_grey_has_the_tones_of_that_of_rgb_and_back():
    linear = make_profile(dict([LINEAR]), 3)
    assert show(to_channels(linear, 1), 128) == (188,) * 3
    assert show(to_channels(to_channels(linear, 1), 3), 128, 128, 128) == (188,) * 3
    assert to_channels(SRGB, 3) == SRGB
    assert to_channels(b"x" * 300, 1) is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_bmp_is_converted_to_srgb_with_a_word(tmp_path, capsys, channels):
    pixels = np.full((9, 8, channels), 128, np.uint8)
    path = write(tmp_path / "a.png", LINEAR, pixels=np.squeeze(pixels))
    result = load_picture(convert(path, "bmp"))
    assert (result.pixels == 188).all()
    assert result.alpha is None or (result.alpha == 128).all()
    assert "colours in sRGB, because BMP has no" in capsys.readouterr().err
    plain = write(tmp_path / "a.png", pixels=np.squeeze(pixels))
    assert (load_picture(convert(plain, "bmp")).pixels == 128).all()
    assert capsys.readouterr().err == ""


def test_what_jpeg_xl_names_is_known():
    assert name_colours(SRGB) == name_colours(to_channels(SRGB, 1)) == ("SRGB", "SRGB")
    assert name_colours(make_profile(dict([P3]), 3)) == ("P3", "SRGB")
    assert name_colours(make_profile(dict([PQ]), 3)) == ("BT2100", "PQ")
    assert name_colours(make_profile({b"cHRM": CHRM}, 3)) == ("P3", "SRGB")
    assert name_colours(make_profile(dict([LINEAR]), 3)) == ("SRGB", "LINEAR")
    assert name_colours(make_profile({b"gAMA": struct.pack(">L", 55_556)}, 3)) is None


@pytest.mark.parametrize("length", range(128, 588, 20))
def test_a_damaged_profile_is_passed_on(length):
    for profile in (SRGB[:length], SRGB[:length] + b"x" * (588 - length)):
        name_colours(profile)
        assert to_channels(profile, 3) == profile


@pytest.mark.parametrize("content", [bytes(32), CHRM[:8] * 4, CHRM[:7]])
def test_primaries_that_cannot_be_lose_no_picture(tmp_path, content):
    path = write(tmp_path / "a.png", (b"cHRM", content))
    assert "icc_profile" not in Image.open(convert(path, "jpg")).info
