"""HEIC, JPEG XL and AVIF: read and written with their depth, colours and EXIF."""

import importlib
import io

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from console.errors import InputError
from imaging.colour_profiles import make_profile
from imaging.decoding import read_size
from imaging.pictures import Picture, load_picture
from imaging.plugins import states_colours
from imaging.saving import find_obstacle, save_picture
from tests.kinds_of_pictures import EXIF_IFD, SRGB, TAKEN, TAKEN_TAG, make_exif
from tests.pictures import draw_picture
from upscaling.output import Output

RGB = draw_picture(24, 32)
DEEP = RGB.astype(np.uint16) * 257
P3 = make_profile({b"cICP": bytes([12, 13, 0, 1])}, 3)
ALPHA = np.linspace(0, 255, 24 * 32).astype(np.uint8).reshape(24, 32, 1)


def convert(source, ending):
    """Loads a picture and saves it in another format; returns what that holds."""
    target = source.with_name(f"result.{ending}")
    save_picture(target, load_picture(source), quality=100)
    return load_picture(target)


def is_refused(path, picture):
    """Whether imagecodecs cannot write a JPEG XL; checks that saving says so."""
    if path.suffix != ".jxl" or states_colours():
        return False
    if find_obstacle(path, picture, picture.size) is None:
        return False
    with pytest.raises(InputError, match="needs Python 3.12"):
        save_picture(path, picture)
    return True


def write(path, pixels):
    """Writes a file of the kind of its ending, by the kind's own library."""
    if path.suffix == ".jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
    elif path.suffix == ".heic":
        mode = "RGB;16" if pixels.dtype == np.uint16 else "RGB"
        image = pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
        image.save(path, quality=-1, chroma=444, matrix_coefficients=0)
    else:
        bits = 10 if pixels.dtype == np.uint16 else 8
        samples = pixels >> 6 if bits == 10 else pixels
        path.write_bytes(
            imagecodecs.avif_encode(samples, level=100, bitspersample=bits)
        )


@pytest.mark.parametrize("pixels", [RGB, DEEP])
@pytest.mark.parametrize("ending", ["heic", "jxl", "avif"])
def test_it_is_read_and_written_with_its_depth(tmp_path, ending, pixels):
    path = tmp_path / f"a.{ending}"
    write(path, pixels)
    assert read_size(path) == (24, 32)
    most = np.iinfo(pixels.dtype).max
    before = load_picture(path)
    if is_refused(path, before):
        return
    after = convert(path, ending)
    assert before.pixels.dtype == after.pixels.dtype == pixels.dtype
    # The colours of AVIF and the result of HEIC have half of the resolution.
    for picture, off in ((before, 0.02), (after, 0.05)):
        assert np.abs(picture.pixels / most - pixels / most).mean() < off


@pytest.mark.parametrize("ending", ["heic", "jxl", "avif"])
@pytest.mark.parametrize("depth", [1, 257])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_kept(tmp_path, ending, depth, channels):
    dtype = np.uint8 if depth == 1 else np.uint16
    pixels, alpha = (each.astype(dtype) * depth for each in (RGB, ALPHA))
    path = tmp_path / f"a.{ending}"
    picture = Picture(pixels[..., :channels], alpha)
    if is_refused(path, picture):
        return
    save_picture(path, picture, quality=100)
    picture = load_picture(path)
    assert np.abs(picture.alpha.astype(float) - alpha).max() / depth < 3


@pytest.mark.parametrize("ending", ["heic", "avif", "jxl"])
def test_profile_and_exif_travel(tmp_path, ending):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, icc_profile=P3, exif=make_exif(), quality=95)
    if is_refused(tmp_path / f"b.{ending}", load_picture(path)):
        return
    after = convert(path, ending).metadata
    assert after.exif[0x010F] in ("A maker", b"A maker")
    assert after.exif.get_ifd(EXIF_IFD)[TAKEN_TAG] == TAKEN
    # JPEG XL says it in a number, of which its reader makes a profile.
    assert after.icc_profile == P3 or ending == "jxl"
    obstacle = find_obstacle("a.jxl", Picture(RGB, metadata=after), (24, 32))
    # Without its colours, JPEG XL was written in sRGB.
    assert (obstacle is None) == (states_colours() or ending == "jxl")


def test_a_profile_that_jpeg_xl_does_not_name_is_an_obstacle(tmp_path):
    path = tmp_path / "a.png"
    wide = make_profile({b"gAMA": (55556).to_bytes(4, "big")}, 3)
    for profile, expected in ((SRGB, None), (None, None), (wide, "JPEG XL is written")):
        Image.fromarray(RGB).save(path, icc_profile=profile)
        found = find_obstacle("a.jxl", load_picture(path), (48, 64))
        assert (found or "").startswith(expected or "") and bool(found) == bool(
            expected
        )


def test_heic_of_thin_pictures_is_as_long_as_its_encoder_takes(tmp_path):
    path = tmp_path / "a.heic"
    for height, width in ((31, 4208), (32, 4209)):
        picture = Picture(np.zeros((height, width, 3), np.uint8))
        assert find_obstacle(path, picture, (height, width)) is None
        save_picture(path, picture)
    assert "31 pixels are too many for HEIF" in find_obstacle(path, picture, (31, 4209))
    with pytest.raises(InputError, match="at most 4208 a side"):
        save_picture(path, Picture(picture.pixels[:31]))


def test_an_avif_of_10_bits_needs_a_newer_opencv(monkeypatch):
    deep = Picture(DEEP)
    assert find_obstacle("a.avif", deep, (24, 32)) is None
    monkeypatch.delattr(cv2, "imencodeWithMetadata")
    assert "writes no AVIF of more than 8 bits" in find_obstacle("a.avif", deep, (9, 9))


def test_a_jpeg_in_jpeg_xl_is_turned_once(tmp_path):
    jpeg = io.BytesIO()
    Image.fromarray(RGB).save(jpeg, "JPEG", exif=make_exif(6), quality=95)
    path = tmp_path / "a.jxl"
    path.write_bytes(imagecodecs.jpegxl_encode_jpeg(jpeg.getvalue(), usecontainer=True))
    pixels = load_picture(path).pixels.astype(int)
    assert np.abs(pixels - np.rot90(RGB, 3)).mean() < 5


@pytest.mark.parametrize("ending", ["heic", "jxl"])
def test_a_missing_library_is_named(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a.{ending}"
    write(path, RGB)
    load, package = importlib.import_module, {"heic": "heif", "jxl": "jxl-plugin"}

    def refuse(name):
        if name.startswith("pillow_"):
            raise ImportError
        return load(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    expected = f"needs pillow-{package[ending]}.*pip install pillow-"
    with pytest.raises(InputError, match=expected):
        load_picture(path)
    with pytest.raises(InputError, match=f"--output_format={ending}: .*{expected}"):
        Output(tmp_path / "SR", output_format=ending).check()


@pytest.mark.parametrize("ending", ["heic", "jxl"])
def test_half_a_file_is_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    write(path, RGB)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="replace or remove it"):
        load_picture(path)


@pytest.mark.parametrize("size", [(1, 1), (8, 24), (200, 320), (999, 35), (3000, 2)])
def test_a_jpeg_xl_that_claims_to_be_huge_is_not_decoded(tmp_path, monkeypatch, size):
    path = tmp_path / "a.jxl"
    path.write_bytes(imagecodecs.jpegxl_encode(np.zeros(size, np.uint8)))
    sizes = []
    monkeypatch.setattr(
        "imaging.plugins.check_size",
        lambda _, width, height: sizes.append((height, width)),
    )
    read_size(path)
    assert sizes == [size]


def test_frames_and_floats_of_jpeg_xl_are_told(tmp_path, capsys):
    path = tmp_path / "a.jxl"
    frames = np.stack([RGB, RGB[::-1]])
    path.write_bytes(imagecodecs.jpegxl_encode(frames, lossless=True))
    np.testing.assert_array_equal(load_picture(path).pixels, RGB)
    assert "a.jxl has 2 frames; only the first is used" in capsys.readouterr().err
    floats = RGB.astype(np.float32) / 200
    path.write_bytes(imagecodecs.jpegxl_encode(floats, lossless=True))
    pixels = load_picture(path).pixels
    assert np.abs(pixels / 65535 - np.minimum(floats, 1)).max() < 1e-3
    assert "beyond black and white, which are clipped" in capsys.readouterr().err
