"""What test.py makes of pictures of every kind, read by other libraries."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from console.made import NAME
from imaging.files import load_image
from imaging.imresize import imresize
from imaging.pictures import load_picture
from tests.kinds_of_pictures import (
    EXIF_IFD,
    HEIGHT,
    KINDS,
    SRGB,
    TAKEN,
    TAKEN_TAG,
    WIDTH,
    WIDTH_TAG,
    draw,
    draw_deep,
    make_exif,
)
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here, succeed_here
from tests.shared_data import SHARED, needs_shared


def upscale(source, target, *flags, command=succeed_here, scale=2):
    return command(
        "test.py",
        "--model=bicubic",
        f"--scale={scale}",
        f"--input_path={source}",
        f"--output_path={target}",
        *flags,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with a picture of each kind, and that of their enlargements."""
    folder = tmp_path_factory.mktemp("kinds")
    source, target = folder / "bilder & große", folder / "SR"
    for name, kind in KINDS.items():
        path = source / name.partition(".")[2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind.write(path)
    done = upscale(source, target, command=run_here)
    assert done.returncode == 0, done.stderr
    assert f"Upscaled {len(KINDS)} of {len(KINDS)} pictures by 2." in done.stdout
    warnings = done.stderr.strip().splitlines()
    assert len(warnings) == 1 and "pages.tif has 3 pages" in warnings[0]
    return source, target


def find(folder, name):
    return folder / name.partition(".")[2] / name


def test_there_is_a_result_for_each_and_nothing_else(folders):
    source, target = folders
    names = {path.relative_to(source) for path in source.rglob("*.*")}
    assert len(names) == len(KINDS) >= 30
    there = {p.relative_to(target) for p in target.rglob("*") if p.is_file()}
    assert there == {*names, Path(NAME)}


@pytest.mark.parametrize("name", KINDS)
def test_the_same_kind_comes_out(folders, name):
    source, target = (find(folder, name) for folder in folders)
    kind = KINDS[name]
    with Image.open(source) as before, Image.open(target) as after:
        assert (after.mode, after.format) == (kind.mode, before.format)
        sides = (2 * WIDTH, 2 * HEIGHT)
        assert after.size == (sides[::-1] if kind.is_turned else sides)
        assert (after.info.get("icc_profile") == SRGB) == kind.has_profile
        exif = after.getexif()
        assert exif.get(0x0112, 1) == 1
        inner = exif.get_ifd(EXIF_IFD)
        assert (exif.get(0x010F) == "A maker") == kind.has_exif
        if kind.has_exif and after.format != "TIFF":  # Where Pillow writes none of it.
            assert inner == {TAKEN_TAG: TAKEN, WIDTH_TAG: after.size[0]}
        else:
            assert not inner
    decoded = cv2.imdecode(np.fromfile(target, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == (np.uint16 if kind.is_16bit else np.uint8)


@pytest.mark.parametrize("name", KINDS)
def test_it_shows_the_same_picture(folders, name):
    before, after = (load_picture(find(folder, name)) for folder in folders)
    small = imresize(after.pixels, size=before.size).astype(float)
    most = np.iinfo(before.pixels.dtype).max
    assert np.abs(small - before.pixels).mean() < 0.03 * most
    assert (before.alpha is None) == (after.alpha is None)
    if before.alpha is not None:
        small = imresize(after.alpha, size=before.size).astype(float)
        assert np.abs(small - before.alpha).mean() < 0.03 * most


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_more_than_8(folders, channels):
    name = "deep.png" if channels == 3 else "deep grey.png"
    result = load_picture(find(folders[1], name)).pixels
    expected = imresize(draw_deep(channels) / 257.0, 2)
    # Rounding to 8 bits would be wrong by half of 257.
    assert np.abs(result - 257 * expected)[3:-3, 3:-3].max() < 2


def test_nothing_of_what_was_hidden_shows(tmp_path):
    pixels = np.full((20, 24, 4), (255, 0, 0, 0), np.uint8)
    pixels[4:16, 5:19] = (10, 20, 200, 255)
    Image.fromarray(pixels).save(tmp_path / "icon.png")
    upscale(tmp_path / "icon.png", tmp_path / "SR", scale=4)
    result = np.asarray(Image.open(tmp_path / "SR" / "icon.png"))
    assert result.shape == (80, 96, 4)
    seen = result[result[..., 3] > 0]
    assert len(seen) > 40 * 50
    np.testing.assert_array_equal(seen[:, :3], [(10, 20, 200)] * len(seen))


def test_what_was_opaque_stays_so_and_what_was_clear_too(tmp_path):
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[..., :3] = draw_picture(40, 40)
    pixels[10:30, 10:30, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    upscale(tmp_path / "a.png", tmp_path / "SR")
    alpha = np.asarray(Image.open(tmp_path / "SR" / "a.png"))[..., 3]
    assert (alpha[26:54, 26:54] == 255).all()
    assert (alpha[:14] == 0).all() and (alpha[:, 66:] == 0).all()


def test_a_uniform_alpha_stays_uniform(tmp_path):
    pixels = np.dstack([draw(), np.full((HEIGHT, WIDTH), 77, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    upscale(tmp_path / "a.png", tmp_path / "SR")
    result = np.asarray(Image.open(tmp_path / "SR" / "a.png"))
    assert (result[..., 3] == 77).all()
    np.testing.assert_array_equal(result[..., :3], imresize(draw(), 2))


def test_cmyk_with_a_profile_of_other_colours_is_converted_without_it(tmp_path):
    image = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    # One of RGB cannot say what CMYK means; what Pillow makes of it has to do.
    image.save(tmp_path / "a.jpg", quality=100, icc_profile=SRGB)
    upscale(tmp_path / "a.jpg", tmp_path / "SR")
    result = Image.open(tmp_path / "SR" / "a.jpg")
    assert result.mode == "RGB" and "icc_profile" not in result.info
    assert np.abs(np.asarray(result)[5, 5] - [255.0, 0, 0]).max() < 5


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        (1.5, (33, 47)),
        (2.5, (55, 78)),
        (3, (66, 93)),
        (3.7, (81, 115)),
        (8, (176, 248)),
    ],
)
def test_any_scale_will_do(tmp_path, scale, size):
    Image.fromarray(draw()).save(tmp_path / "a.png")
    said = upscale(tmp_path / "a.png", tmp_path / "SR", scale=scale)
    assert load_image(tmp_path / "SR" / "a.png").shape[:2] == size
    assert f"by {scale}." in said
    assert ("then resized" in said) == (scale not in (3, 8))


def test_another_scale_is_resized_from_the_next_without_rounding_twice(tmp_path):
    Image.fromarray(draw()).save(tmp_path / "a.png")
    upscale(tmp_path / "a.png", tmp_path / "SR", scale=1.5)
    twice = imresize(draw(), 2)
    expected = imresize(twice.astype(float), size=(33, 47))
    result = load_image(tmp_path / "SR" / "a.png")
    assert np.abs(result - np.clip(expected, 0, 255)).max() < 0.51


@pytest.mark.parametrize(
    ("output_format", "name", "kind", "mode"),
    [
        ("jpg", "deep.jpg", "JPEG", "RGB"),
        ("png", "deep.png", "PNG", "RGB"),
        ("webp", "deep.webp", "WEBP", "RGB"),
        ("tiff", "deep.tiff", "TIFF", "RGB"),
        ("bmp", "deep.bmp", "BMP", "RGB"),
    ],
)
def test_the_format_can_be_chosen(tmp_path, output_format, name, kind, mode):
    KINDS["deep.tif"].write(tmp_path / "deep.tif")
    flags = tmp_path, tmp_path / "SR", f"--output_format={output_format}"
    done = upscale(*flags, command=run_here)
    assert ("BMP does not hold its EXIF" in done.stderr) == (output_format == "bmp")
    with Image.open(tmp_path / "SR" / name) as result:
        assert (result.format, result.mode) == (kind, mode)
    result = load_image(tmp_path / "SR" / name).astype(float)
    loss = np.abs(result - imresize(load_image(tmp_path / "deep.tif"), 2)).mean()
    assert loss < (1 if output_format not in ("jpg", "webp") else 5)


@pytest.mark.parametrize("output_format", ["png", "tiff", "webp"])
def test_exif_and_profile_go_from_one_format_to_another(tmp_path, output_format):
    KINDS["turned by 90.jpg"].write(tmp_path / "a.jpg")
    upscale(tmp_path / "a.jpg", tmp_path / "SR", f"--output_format={output_format}")
    with Image.open(tmp_path / "SR" / f"a.{output_format}") as result:
        exif = result.getexif()
        assert exif[0x010F] == "A maker" and exif.get(0x0112, 1) == 1
        expected = {TAKEN_TAG: TAKEN, WIDTH_TAG: 2 * HEIGHT}
        assert exif.get_ifd(EXIF_IFD) == expected
        assert result.info["icc_profile"] == SRGB
        assert result.size == (2 * HEIGHT, 2 * WIDTH)


def test_a_better_quality_takes_a_larger_file(tmp_path):
    KINDS["rgb.jpg"].write(tmp_path / "a.jpg")
    sizes = []
    for quality in (30, 95):
        upscale(
            tmp_path / "a.jpg", tmp_path / str(quality), f"--jpeg_quality={quality}"
        )
        sizes.append((tmp_path / str(quality) / "a.jpg").stat().st_size)
    assert sizes[0] < 0.6 * sizes[1]
    assert "at most 100" in upscale(
        tmp_path, tmp_path / "no", "--jpeg_quality=101", command=fail_here
    )


def test_a_damaged_profile_or_exif_loses_no_picture(tmp_path):
    Image.fromarray(draw()).save(tmp_path / "a.jpg", icc_profile=b"x" * 300)
    Image.fromarray(draw()).save(tmp_path / "b.jpg", exif=b"Exif\0\0II*\0\xff\xff")
    done = upscale(tmp_path, tmp_path / "SR", command=run_here)
    assert "Upscaled 2 of 2 pictures by 2." in done.stdout
    assert done.stderr.count("\n") == 1
    assert "a.jpg: has a colour profile that is damaged" in done.stderr


def write_tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, metadata=None, **options)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_tiffs_that_are_stored_otherwise_show_the_same(tmp_path, depth):
    most = np.iinfo(depth).max
    rgb = draw_deep() if depth == np.uint16 else draw()
    alpha = np.linspace(most // 3, most, WIDTH)[None, :, None].repeat(HEIGHT, 0)
    multiplied = np.concatenate([rgb * (alpha / most), alpha], -1).astype(depth)
    planes = np.moveaxis(rgb, -1, 0)
    write_tiff(tmp_path / "white.tif", most - rgb[..., 0], photometric="miniswhite")
    options = {"photometric": "rgb", "planarconfig": "separate"}
    write_tiff(tmp_path / "apart.tif", planes, **options)
    write_tiff(tmp_path / "packed.tif", planes, **options, compression="zlib")
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    write_tiff(tmp_path / "multiplied.tif", multiplied, **options)
    expected = {
        "white.tif": rgb[..., :1],
        **dict.fromkeys(("apart.tif", "packed.tif", "multiplied.tif"), rgb),
    }
    for name, pixels in expected.items():
        loaded = load_picture(tmp_path / name).pixels
        assert loaded.dtype == depth and loaded.shape == pixels.shape, name
        off = np.abs(loaded.astype(float) - pixels).max()
        # What was multiplied by alpha has lost something.
        assert off <= (4 if name == "multiplied.tif" else 0), name


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_a_deep_tiff_is_turned_however_it_is_stored(tmp_path, planarconfig):
    pixels = draw_deep()
    stored = pixels if planarconfig == "contig" else np.moveaxis(pixels, -1, 0)
    options = {"photometric": "rgb", "planarconfig": planarconfig}
    # The top of the scene is at the right side of the file.
    options["extratags"] = [(274, "H", 1, 6, True)]
    write_tiff(tmp_path / "a.tif", stored, **options)
    loaded = load_picture(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(loaded, np.rot90(pixels, 3))


def test_a_lossless_webp_stays_so_with_a_profile(tmp_path):
    image = Image.fromarray(draw())
    image.save(tmp_path / "a.webp", lossless=True, icc_profile=SRGB)
    upscale(tmp_path / "a.webp", tmp_path / "SR")
    result = np.asarray(Image.open(tmp_path / "SR" / "a.webp"))
    np.testing.assert_array_equal(result, imresize(draw(), 2))


def test_the_mean_of_turned_16_bits_has_16(tmp_path):
    KINDS["deep.png"].write(tmp_path / "a.png")
    upscale(tmp_path / "a.png", tmp_path / "SR", "--self_ensemble")
    pixels = load_picture(tmp_path / "SR" / "a.png").pixels
    # Bicubic does not care how it is turned.
    expected = imresize(draw_deep(), 2).astype(int)
    assert np.abs(pixels - expected).max() <= 1


def damaged_tags():
    """From a name to the tags of a TIFF that make libraries stumble."""
    return {
        "profile": [(34675, "I", 2, (1, 2), True)],
        "resolution": [(282, "I", 1, 7, True)],
        "exif": [(34665, "I", 1, 2**32 - 2, True)],
    }


@pytest.mark.parametrize("name", damaged_tags())
def test_odd_tags_lose_no_picture(tmp_path, name):
    tags = damaged_tags()[name]
    write_tiff(tmp_path / "a.tif", draw(), extratags=tags, photometric="rgb")
    upscale(tmp_path / "a.tif", tmp_path / "SR")
    assert Image.open(tmp_path / "SR" / "a.tif").size == (2 * WIDTH, 2 * HEIGHT)


def move_exif_to_the_end(path):
    """Moves the chunk of a PNG that holds its EXIF behind the pixels."""
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    last = data.index(b"IEND") - 4
    path.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])


def test_each_page_of_a_tiff_becomes_a_file(tmp_path):
    pages = [Image.fromarray(draw(seed=seed)) for seed in range(11)]
    options = {"save_all": True, "append_images": pages[1:], "compression": "tiff_lzw"}
    pages[0].save(tmp_path / "scan.tif", **options)
    pages[0].save(tmp_path / "fax.jpg", "TIFF", **options)
    pages[0].save(tmp_path / "one.tif")
    flags = tmp_path, tmp_path / "SR", "--all_pages"
    assert "Upscaled 23 of 23 pictures" in upscale(*flags, "--suffix=_x2")
    for index in range(11):
        result = load_image(tmp_path / "SR" / f"scan_x2_p{index + 1:02}.tif")
        np.testing.assert_array_equal(result, imresize(draw(seed=index), 2))
    assert "Kept 23 of 23 results" in upscale(*flags, "--suffix=_x2")
    first, target = tmp_path / "scan.tif", tmp_path / "one_result.tif"
    line = upscale(first, target, "--all_pages", command=fail_here)
    assert "names a file, but there are 11 pictures" in line
    done = upscale(first, target, command=run_here)
    assert "only the first is used (--all_pages takes each)" in done.stderr


def test_an_orientation_behind_the_pixels_counts_too(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(draw()).save(path, exif=make_exif(6))
    move_exif_to_the_end(path)
    upscale(path, tmp_path / "SR")
    result = np.asarray(Image.open(tmp_path / "SR" / "a.png"))
    np.testing.assert_array_equal(result, imresize(np.rot90(draw(), 3), 2))


@pytest.mark.parametrize("output_format", ["same", "tiff", "png", "webp"])
def test_exif_in_any_language_travels(tmp_path, output_format):
    exif = make_exif()
    exif[0x8298] = "© Jörg, 東京".encode()
    exif[0x9C9B] = "Titel".encode("utf-16-le")
    Image.fromarray(draw()).save(tmp_path / "a.jpg", exif=exif)
    upscale(tmp_path, tmp_path / "SR", f"--output_format={output_format}")
    (result,) = (tmp_path / "SR").glob("[!.]*")
    there = Image.open(result).getexif()
    assert there[0x010F] == "A maker" and there.get_ifd(EXIF_IFD)
    # Pillow takes any bytes for Latin-1.
    assert there[0x8298].encode("latin-1").decode() == "© Jörg, 東京"
    title = there[0x9C9B]
    assert bytes(title).decode("utf-16-le").rstrip("\0") == "Titel"


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (1e9, 1e9)])
@pytest.mark.parametrize("output_format", ["same", "jpg", "png", "bmp"])
def test_a_resolution_that_cannot_be_is_dropped(tmp_path, dpi, output_format):
    options = {"resolution": dpi, "resolutionunit": "INCH", "software": False}
    write_tiff(tmp_path / "a.tif", draw(), **options)
    upscale(tmp_path, tmp_path / "SR", f"--output_format={output_format}")
    (result,) = (tmp_path / "SR").glob("[!.]*")
    # What a format says where nothing is known.
    assert Image.open(result).info.get("dpi", (1, 1))[0] < 100


def test_notes_of_a_maker_that_do_not_fit_are_dropped(tmp_path):
    exif = make_exif()
    exif.get_ifd(EXIF_IFD)[0x927C] = b"x" * 100_000
    Image.fromarray(draw()).save(tmp_path / "a.png", exif=exif)
    flags = tmp_path, tmp_path / "SR", "--output_format=jpg"
    assert "its whole EXIF; left out" in upscale(*flags, command=run_here).stderr
    inner = Image.open(tmp_path / "SR" / "a.jpg").getexif().get_ifd(EXIF_IFD)
    assert inner == {TAKEN_TAG: TAKEN, WIDTH_TAG: 2 * WIDTH}


def test_alpha_that_hides_nothing_goes_where_there_is_none(tmp_path):
    pixels = np.dstack([draw(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    upscale(tmp_path, tmp_path / "SR", "--output_format=jpg")
    assert Image.open(tmp_path / "SR" / "a.jpg").mode == "RGB"


def test_bicubic_of_16_bits_does_not_depend_on_tiles(tmp_path):
    pixels = np.zeros((40, 60), np.uint16)
    pixels[:, 30:] = draw_deep(1)[:1, :30, 0]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    results = []
    for size in ("auto", "8"):
        upscale(tmp_path / "a.png", tmp_path / size, f"--tile_size={size}")
        results.append(load_picture(tmp_path / size / "a.png").pixels)
    np.testing.assert_array_equal(*results)


def test_a_gray_profile_does_not_come_with_colours(tmp_path):
    profile = bytearray(SRGB)
    profile[16:20] = b"GRAY"
    Image.fromarray(draw()).save(tmp_path / "a.jpg", icc_profile=bytes(profile))
    done = upscale(tmp_path, tmp_path / "SR", command=run_here)
    assert "a.jpg: has a colour profile of grey" in done.stderr
    assert "icc_profile" not in Image.open(tmp_path / "SR" / "a.jpg").info


@needs_shared
def test_real_photographs_and_scans_come_out_as_they_are(tmp_path):
    data = SHARED / "data"
    photographs = sorted((data / "BSDS500" / "test").glob("*.jpg"))[:3]
    others = [*sorted((data / "Set5" / "HR").iterdir())[:2]]
    others += sorted((data / "T91" / "HR").iterdir())[:2]
    sources = [*photographs, *others]
    said = succeed_here(
        *("test.py", "--model=bicubic", "--scale=2", f"--output_path={tmp_path}"),
        *map(str, sources),
    )
    assert f"Upscaled {len(sources)} of {len(sources)} pictures" in said
    for source in sources:
        with Image.open(source) as before, Image.open(tmp_path / source.name) as after:
            assert after.format == before.format
            assert after.size == (2 * before.width, 2 * before.height)
