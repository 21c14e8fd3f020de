"""Pictures of more than 8 bits and of more bands than colours."""

import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from imaging.pictures import load_picture
from tests.pictures import draw_picture


def draw_deep(most=65535):
    """RGB up to a largest value, with something below the highest eight bits."""
    y, x = np.mgrid[:24, :31]
    waves = np.stack([x * 2113, y * 2801, (x + y) * 1201], -1)
    return (waves * most / waves.max()).astype(np.uint16)


def check(path, samples, most, tolerance=0.51):
    pixels = load_picture(path).pixels
    assert pixels.dtype == np.uint16
    assert np.abs(pixels - samples * (65535 / most)).max() < tolerance


@pytest.mark.parametrize("most", [1000, 4095, 65535])
def test_a_ppm_keeps_its_depth_and_fills_the_range(tmp_path, most):
    rgb = draw_deep(most)
    for colour, plain, channels in (("6", "3", rgb), ("5", "2", rgb[..., :1])):
        header = f"\n# a comment\n31 24\n{most}\n".encode()
        path = tmp_path / f"{colour}.ppm"
        path.write_bytes(b"P%s" % colour.encode() + header)
        with open(path, "ab") as file:
            file.write(channels.astype(">u2").tobytes())
        check(path, channels, most)
        path = tmp_path / f"{plain}.ppm"
        text = " ".join(map(str, channels.ravel()))
        path.write_bytes(b"P%s" % plain.encode() + header + text.encode())
        check(path, channels, most)


def test_a_ppm_of_8_bits_stays_one_of_8(tmp_path):
    Image.fromarray(draw_picture(24, 31)).save(tmp_path / "a.ppm")
    pixels = load_picture(tmp_path / "a.ppm").pixels
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, draw_picture(24, 31))


def test_a_grey_jpeg_2000_keeps_16_bits(tmp_path):
    deep, path = draw_deep()[..., 0], tmp_path / "a.jp2"
    Image.fromarray(deep).save(path)
    check(path, deep[..., None], 65535)


@pytest.mark.parametrize("bits", [12, 16])
def test_a_jpeg_2000_in_colour_keeps_its_bits(tmp_path, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    deep, path = draw_deep(2**bits - 1), tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(deep, level=0, bitspersample=bits))
    check(path, deep, 2**bits - 1)


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_keeps_its_bits(tmp_path, bits):
    most, path = 2**bits - 1, str(tmp_path / "a.avif")
    deep = draw_deep(most)
    options = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    try:
        cv2.imwrite(path, deep[..., ::-1], options)
    except cv2.error:
        pytest.skip("this OpenCV has no AVIF")
    check(path, deep, most, tolerance=257 / 2)


@pytest.mark.parametrize("depth", [1, 257])
def test_a_band_without_a_meaning_is_no_transparency_at_any_depth(
    tmp_path, capsys, depth
):
    rgb = draw_picture(24, 31)
    band = np.full((24, 31, 1), 9, np.uint8)
    pixels = np.concatenate([rgb, band], -1)
    pixels = pixels if depth == 1 else pixels.astype(np.uint16) * 257
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"])
    picture = load_picture(path)
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels // depth, rgb)
    assert "has bands beside its colours without a meaning" in capsys.readouterr().err


def test_two_grey_bands_are_one_with_a_warning(tmp_path, capsys):
    bands, path = draw_picture(24, 31)[..., :2], tmp_path / "a.tif"
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="contig")
    picture = load_picture(path)
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels, bands[..., :1])
    assert "has bands beside its colours without a meaning" in capsys.readouterr().err


@pytest.mark.parametrize(("alpha", "lines"), [(0x8000, 1), (0, 0)])
def test_a_bit_of_transparency_is_said_to_be_left_out(tmp_path, capsys, alpha, lines):
    masks = struct.pack("<4I", 0x7C00, 0x3E0, 0x1F, alpha)
    header = struct.pack("<IiiHHIIiiII", 108, 8, 8, 1, 16, 3, 128, 0, 0, 0, 0)
    header += masks + bytes(108 - 56)
    pixels = np.full((8, 8), 0x7C00, np.uint16).tobytes()
    start = struct.pack("<2sIHHI", b"BM", 14 + 108 + 128, 0, 0, 14 + 108)
    path = tmp_path / "a.bmp"
    path.write_bytes(start + header + pixels)
    assert (load_picture(path).pixels == (255, 0, 0)).all()
    said = capsys.readouterr().err
    assert said.count("has one bit of transparency, which is left out") == lines


def test_a_qoi_is_read(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    path = tmp_path / "a.qoi"
    path.write_bytes(imagecodecs.qoi_encode(draw_picture(24, 31)))
    np.testing.assert_array_equal(load_picture(path).pixels, draw_picture(24, 31))
