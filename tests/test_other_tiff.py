"""TIFFs that Pillow and OpenCV do not read, written by tifffile."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from console.errors import InputError
from imaging import tiff
from imaging.decoding import read_size
from imaging.metadata import Metadata
from imaging.pictures import load_picture
from imaging.tiff_pages import find_pages
from tests.kinds_of_pictures import SRGB
from tests.pictures import draw_picture

RGB = draw_picture(24, 31)
DEEP = RGB.astype(np.uint16) * 257 // 3 * 3
ALPHA = np.arange(24 * 31).reshape(24, 31, 1).astype(np.uint8)


def load(path, pixels, **options):
    """Writes a TIFF and loads it."""
    options = {"photometric": "rgb"} | options
    tifffile.imwrite(path, pixels, **options)
    assert read_size(path) == (24, 31)
    return load_picture(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


@pytest.mark.parametrize("pixels", [RGB, DEEP])
@pytest.mark.parametrize("compression", ["zstd", "lzma", "webp", "png", "jpegxl"])
def test_every_compression_is_read(path, pixels, compression, capfd):
    if compression == "webp" and pixels is DEEP:
        compression = "lerc"  # WebP has 8 bits only.
    args = {"lossless": True} if compression == "webp" else None
    picture = load(path, pixels, compression=compression, compressionargs=args)
    assert picture.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_are_16_bits(path, dtype, channels):
    pixels = (RGB[..., :channels] / 255).astype(dtype)
    kind = "rgb" if channels == 3 else "minisblack"
    picture = load(path, np.squeeze(pixels), photometric=kind)
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels / 65535 - pixels).max() < 2**-16


def test_floats_of_another_range_are_refused_and_a_little_more_is_clipped(path):
    pixels = RGB.astype(np.float32)
    pixels[0, 0] = 0, 128, 255
    with pytest.raises(InputError, match="has floats from 0 to 255; expected 0 to 1"):
        load(path, pixels)
    picture = load(path, pixels / 250 - 0.01)
    assert picture.pixels[0, 0, 0] == 0 and picture.pixels[0, 0, 2] == 65535


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_odd_depths_fill_the_range(path, bits, channels):
    if bits == 14 and channels == 3:
        bits = 9
    samples = (DEEP >> (16 - bits))[..., :channels]
    kind = "rgb" if channels == 3 else "minisblack"
    squeezed = np.squeeze(samples)
    picture = load(path, squeezed, photometric=kind, bitspersample=bits)
    expected = np.rint(samples * (65535 / (2**bits - 1)))
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32])
def test_whole_numbers_of_other_types_are_read_where_they_fit(path, dtype):
    grey = (RGB[..., 0] // 2).astype(dtype)
    picture = load(path, grey, photometric="minisblack")
    assert picture.pixels.dtype == (np.uint8 if dtype == np.int8 else np.uint16)
    np.testing.assert_array_equal(picture.pixels[..., 0], grey)
    grey[0, 0] = 70_000 if dtype == np.uint32 else -1
    name = np.dtype(dtype).name
    with pytest.raises(
        InputError, match=f"has numbers of the type {name}, .* to .*16 "
    ):
        load(path, grey, photometric="minisblack")


def test_cmyk_of_16_bits_becomes_rgb_of_8(path, capsys):
    black = np.zeros((24, 31, 1), np.uint16)
    pixels = np.concatenate([65535 - RGB.astype(np.uint16) * 257, black], -1)
    picture = load(path, pixels, photometric="separated")
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert "has CMYK of 16 bits, which becomes RGB of 8." in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["cfa", "dng", "nef", "cr2"])
def test_a_raw_photograph_is_told(path, kind):
    options = {"photometric": "minisblack", "metadata": None}
    if kind == "cfa":
        options |= {"photometric": "cfa", "extratags": [(33421, "H", 2, (2, 2), True)]}
    elif kind == "dng":
        options["extratags"] = [(50706, "B", 4, (1, 4, 0, 0), True)]
    with tifffile.TiffWriter(path) as file:
        is_nef = kind == "nef"
        file.write(RGB[..., 0], subfiletype=int(is_nef), subifds=int(is_nef), **options)
        if is_nef:
            file.write(DEEP[..., 0], **options)
    if kind == "cr2":
        exif = Image.Exif()
        exif[271] = "Maker"
        with open(path, "w+b") as file:  # With a directory at its end.
            tiff.write(file, RGB, Metadata(exif=exif))
            file.seek(8)
            file.write(b"CR")
    with pytest.raises(InputError, match="is a raw photograph; develop it to TIFF"):
        load_picture(path)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_each_page_is_read(path, byteorder, bigtiff, capsys):
    pages = [RGB, RGB[:, :20], DEEP[..., 0], RGB[..., 0] > 99, RGB / np.float32(255)]
    with tifffile.TiffWriter(path, byteorder=byteorder, bigtiff=bigtiff) as file:
        for page in pages:
            kind = "rgb" if page.ndim == 3 else "minisblack"
            file.write(np.ascontiguousarray(page), photometric=kind)
        thumbnail = RGB[::4, ::4].copy()
        file.write(thumbnail, photometric="rgb", subfiletype=1)
        planes = np.moveaxis(DEEP, -1, 0).copy()
        file.write(planes, photometric="rgb", planarconfig="separate")
    assert find_pages(path) == [0, 1, 2, 3, 4, 6]
    load_picture(path)
    assert "has 6 pages or frames" in capsys.readouterr().err
    expected = [*pages[:3], 255 * pages[3].astype(np.uint8), DEEP // 257 * 257.0, DEEP]
    for index, pixels in zip(find_pages(path), expected, strict=True):
        loaded = load_picture(path, index).pixels
        off = np.abs(np.squeeze(loaded).astype(float) - pixels).max()
        assert off <= (257 * 2 if index == 4 else 0), index
        assert read_size(path, index) == pixels.shape[:2]


def test_cmyk_with_alpha_becomes_rgb_with_alpha(path):
    black = np.zeros((24, 31, 1), np.uint8)
    pixels = np.concatenate([255 - RGB, black, ALPHA], -1)
    options = {"photometric": "separated", "extrasamples": ["unassalpha"]}
    picture = load(path, pixels, **options)
    is_seen = ALPHA[..., 0] > 0
    np.testing.assert_array_equal(picture.pixels[is_seen], RGB[is_seen])
    np.testing.assert_array_equal(picture.alpha, ALPHA)


def test_alpha_that_is_multiplied_in_is_divided_out(path):
    full = np.maximum(ALPHA, 64)
    pixels = np.concatenate([np.rint(RGB * (full / 255)).astype(np.uint8), full], -1)
    options = {"extrasamples": ["assocalpha"], "compression": "png"}
    picture = load(path, pixels, **options)
    assert np.abs(picture.pixels.astype(int) - RGB).max() <= 2
    np.testing.assert_array_equal(picture.alpha, full)


@pytest.mark.parametrize("last", [0, 1])
def test_pages_that_lead_back_end(path, last, capsys):
    with tifffile.TiffWriter(path) as file:
        for _ in range(3):
            file.write(RGB, photometric="rgb")
    with tifffile.TiffFile(path) as file:
        starts = [page.offset for page in file.pages]
        (tags,) = struct.unpack_from("<H", path.read_bytes(), starts[last + 1])
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, starts[last + 1] + 2 + 12 * tags, starts[last])
    path.write_bytes(data)
    np.testing.assert_array_equal(load_picture(path).pixels, RGB)
    assert len(find_pages(path)) == last + 2
    assert f"has {last + 2} pages or frames" in capsys.readouterr().err


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_page_behind_its_thumbnail_is_meant(path, capsys, is_marked):
    with tifffile.TiffWriter(path) as file:
        file.write(RGB[::4, ::4].copy(), photometric="rgb", subfiletype=int(is_marked))
        file.write(RGB, photometric="rgb")
    assert read_size(path) == (24, 31)
    np.testing.assert_array_equal(load_picture(path).pixels, RGB)
    said = capsys.readouterr().err
    assert ("has 2 pages or frames; only the largest is used" in said) != is_marked


def test_a_palette_behind_its_thumbnail_is_read(path):
    table = np.arange(768).reshape(256, 3).T.astype(np.uint16) * 85
    with tifffile.TiffWriter(path) as file:
        options = {"photometric": "palette", "colormap": table}
        file.write(RGB[::4, ::4, 0].copy(), subfiletype=1, **options)
        file.write(RGB[..., 0].copy(), **options)
    expected = (table.T >> 8)[RGB[..., 0]]
    np.testing.assert_array_equal(load_picture(path).pixels, expected)


def test_the_first_of_equal_pages_is_used(path, capsys):
    with tifffile.TiffWriter(path) as file:
        for page in (RGB, RGB[:, :-2].copy(), np.pad(RGB, ((0, 2), (0, 2), (0, 0)))):
            file.write(page, photometric="rgb")
    np.testing.assert_array_equal(load_picture(path).pixels, RGB)
    assert "has 3 pages or frames; only the first is used" in capsys.readouterr().err


def test_bands_beside_the_colours_are_said_to_be_left_out(path, capsys):
    pixels = np.concatenate([DEEP, DEEP[..., :2]], -1)
    picture = load(path, pixels, extrasamples=["unassalpha", "unspecified"])
    np.testing.assert_array_equal(picture.alpha, DEEP[..., :1])
    assert "has bands beside its colours without a m" in capsys.readouterr().err


def test_it_is_upright_and_keeps_profile_exif_and_resolution(path):
    turned = np.rot90(DEEP).copy()
    tags = [(274, "H", 1, 6, True), (271, "s", 0, "A maker", True)]
    options = {"compression": "zstd", "iccprofile": SRGB, "extratags": tags}
    options |= {"resolution": (300, 300), "resolutionunit": "INCH"}
    picture = load(path, turned, **options)
    np.testing.assert_array_equal(picture.pixels, DEEP)
    assert picture.metadata.icc_profile == SRGB
    assert picture.metadata.dpi == (300, 300)
    assert picture.metadata.exif[271] in ("A maker", b"A maker")


def test_a_missing_library_is_named(path, monkeypatch):
    tifffile.imwrite(path, DEEP, photometric="rgb", compression="zstd")

    def refuse(*_, **__):
        raise ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)
    with pytest.raises(InputError, match="compressed by ZSTD; .* install imagecodecs"):
        load_picture(path)


def test_half_of_such_a_file_is_refused_in_one_line(path, capfd):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, DEEP, photometric="rgb", compression="zstd")
    whole = buffer.getvalue()
    for length in (9, 100, len(whole) // 2, len(whole) - 50):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="replace or remove it"):
            load_picture(path)
    assert capfd.readouterr().err == ""


def test_libtiff_writes_nothing_to_the_screen(path, capfd):
    Image.fromarray(RGB).save(path, compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        start = image.tag_v2[273][0]
    data[start + 50 : start + 90] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(InputError, match="is truncated or damaged"):
        load_picture(path)
    assert capfd.readouterr().err == ""


def test_an_ordinary_tiff_is_not_rewritten(path, monkeypatch):
    monkeypatch.setattr("imaging.decoding.rewrite_tiff", None)
    Image.fromarray(RGB).save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(load_picture(path).pixels, RGB)
    np.testing.assert_array_equal(load(path, DEEP, compression="zlib").pixels, DEEP)
