"""EXIF, XMP, IPTC, texts and GeoTIFF tags travel, made true for the result."""

import dataclasses
import struct
import types

import numpy as np
import pytest
import tifffile
from PIL import Image

from imaging.carrying import _to_segment as to_segment
from imaging.chunks import Inserting, make_text
from imaging.metadata import Metadata, find_companions
from imaging.pictures import Picture, load_picture
from imaging.saving import save_picture
from tests.kinds_of_pictures import EXIF_IFD, SRGB
from tests.pictures import draw_picture
from tests.scripts import run_here
from tests.test_pictures import upscale

RGB = draw_picture(24, 32)
INTEROP = 0xA005
PACKET = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="rdf">
<rdf:Description tiff:Orientation="6" tiff:ImageWidth='32' exif:PixelYDimension="24"
 GPano:CroppedAreaTopPixels="5" hdrgm:Version="1.0" xmp:Rating="3">
<GPano:FullPanoWidthPixels>64</GPano:FullPanoWidthPixels>
<xmp:Thumbnails><rdf:Alt>abcd</rdf:Alt></xmp:Thumbnails>
<Container:Directory><rdf:Seq/></Container:Directory>
<dc:title>Grass 24</dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
IPTC = b"\x1c\x02\x19\0\3kw1\x1c\x02\x78\0\3cap"


def enlarge(source, name, factor=2):
    """Doubles a picture without a network, and writes it; returns the file."""
    picture = load_picture(source)
    pixels = picture.pixels.repeat(factor, 0).repeat(factor, 1)
    target = source.with_name(name)
    save_picture(target, Picture(pixels, None, picture.metadata))
    return target


def to_text(value):
    """Decodes what Pillow took for Latin-1, or left as it is."""
    value = value.encode("latin-1") if isinstance(value, str) else value
    return value.rstrip(b"\0").decode()


@pytest.fixture
def photo(tmp_path):
    """A JPEG with metadata of all kinds."""
    exif = Image.Exif()
    exif.update({0x0112: 1, 0x010F: "Maker", 0x013C: "Host", 0x4746: 4, 0x4749: 75})
    exif.update({0x011A: 300.0, 0x011B: 300.0, 0x0128: 2, 0x0213: 1})
    inner = {0xA002: 32, 0xA003: 24, 0xA20E: 100.0, 0x9214: (10, 5), 0x927C: b"note"}
    exif.get_ifd(EXIF_IFD).update(inner)
    exif.get_ifd(EXIF_IFD)[INTEROP] = {1: "R03", 2: b"0100", 0x1001: 32}
    Image.fromarray(RGB).save(
        tmp_path / "a.jpg",
        exif=exif,
        xmp=PACKET,
        comment="Grüße".encode(),
        extra=to_segment(IPTC),
        icc_profile=SRGB,
    )
    return tmp_path / "a.jpg"


@pytest.mark.parametrize(
    "ending", ["jpg", "png", "tif", "webp", "avif", "heic", "jxl", "bmp"]
)
def test_all_that_a_format_holds_travels(photo, ending, capsys):
    target = enlarge(photo, f"b.{ending}")
    said = capsys.readouterr().err
    assert "a.jpg: also holds an HDR gain map, which the result does not." in said
    if ending == "bmp":
        assert "BMP does not hold its EXIF, XMP, IPTC, text; left out." in said
        return
    holds_iptc = ending in ("jpg", "png", "tif")
    assert ("does not hold its IPTC; left out" in said) == (not holds_iptc)
    found = load_picture(target).metadata
    exif = found.exif
    assert (to_text(exif[0x010F]), to_text(exif[0x013C])) == ("Maker", "Host")
    assert (exif[0x4746], exif[0x4749]) == (4, 75)
    inner = exif.get_ifd(EXIF_IFD)
    assert (inner[0xA002], inner[0xA003], inner[0xA20E]) == (64, 48, 200)
    assert inner[0x9214] == (20, 10) and inner[0x927C] == b"note"
    assert inner[INTEROP] == {1: "R03", 2: b"0100"}
    assert 0x0213 not in exif  # How the file stores its colours.
    assert b"Grass 24" in found.xmp and b'xmp:Rating="3"' in found.xmp
    assert found.iptc == (IPTC if holds_iptc else None)
    if ending in ("jpg", "png"):
        assert found.texts == (make_text("Comment", "Grüße"),)
    else:
        assert to_text(exif[0x010E]) == "Grüße"
    if ending != "tif":
        assert exif[0x011A] == 300


def test_xmp_is_mended(photo):
    xmp = load_picture(enlarge(photo, "b.webp")).metadata.xmp
    for text in (
        *(b'tiff:Orientation="1"', b"tiff:ImageWidth='64'", b'PixelYDimension="48"'),
        *(b'CroppedAreaTopPixels="10"', b">128</GPano:FullPanoWidthPixels>"),
    ):
        assert text in xmp
    for text in (b"hdrgm", b"Thumbnails", b"Directory"):
        assert text in PACKET and text not in xmp


@pytest.mark.parametrize("is_point", [False, True])
def test_a_geotiff_keeps_its_place(tmp_path, is_point, capsys):
    tags = {
        33550: (10.0, 20.0, 0.0),
        33922: (0.0, 0.0, 0.0, 500.0, 800.0, 0.0),
        34264: (10.0, 0.0, 0.0, 500.0, 0.0, -20.0, 0.0, 800.0, *[0.0] * 7, 1.0),
    }
    keys = (1, 1, 0, 1, 1025, 0, 1, 2 if is_point else 1)
    extra = [(tag, "d", len(values), values, True) for tag, values in tags.items()]
    extra += [(34735, "H", 8, keys, True), (42113, "s", 0, "-999", True)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", metadata=None, extratags=extra)
    with tifffile.TiffFile(enlarge(path, "b.tif")) as file:
        there = {tag.code: tag.value for tag in file.pages[0].tags}
    assert there[33550] == (5, 10, 0)
    assert there[34735] == keys and there[42113] == "-999"
    # A corner of a pixel stays where it is; a centre is in between two new ones.
    corner = -0.5 if is_point else 0.0
    i, j, _, x, y, _ = there[33922]
    before = 500 + corner * 10, 800 - corner * 20
    assert (x + (corner - i) * 5, y - (corner - j) * 10) == before
    matrix = np.reshape(there[34264], (4, 4))
    assert tuple((matrix @ [corner, corner, 0, 1])[:2]) == before
    enlarge(path, "b.png")
    assert "b.png: PNG does not hold its GeoTIFF tags" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["imagej", "ome", "shaped"])
def test_a_description_of_how_pixels_are_stored_goes(tmp_path, style):
    path = tmp_path / ("a.ome.tif" if style == "ome" else "a.tif")
    options = {} if style == "shaped" else {style: True}
    tifffile.imwrite(path, np.stack([RGB[..., 0]] * 2), **options)
    result = tifffile.imread(enlarge(path, "b.tif"))
    np.testing.assert_array_equal(result, RGB[..., 0].repeat(2, 0).repeat(2, 1))


def test_texts_of_a_png_travel(tmp_path, capsys):
    chunks = [
        (b"tEXt", b"parameters\0a tree, Steps: 40"),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Gr\xfc\xdfe".encode()),
    ]
    path = tmp_path / "a.png"
    with open(path, "wb") as file:
        Image.fromarray(RGB).save(Inserting(file, chunks), "PNG")
    data = enlarge(path, "b.png").read_bytes()
    assert all(kind + content in data for kind, content in chunks)
    comment = Image.open(enlarge(path, "b.jpg")).info["comment"].decode()
    assert comment == "parameters: a tree, Steps: 40\nTitle: Grüße"
    assert Image.open(enlarge(path, "b.gif")).info["comment"].decode() == comment
    exif = load_picture(enlarge(path, "b.webp")).metadata.exif
    assert to_text(exif[0x010E]).startswith("a tree")
    exif.update({0x010E: b"an oak"})
    picture = load_picture(path)
    described = dataclasses.replace(picture.metadata, exif=exif)
    save_picture(path.with_suffix(".tif"), Picture(RGB, metadata=described))
    exif = load_picture(path.with_suffix(".tif")).metadata.exif
    assert to_text(exif[0x010E]) == "an oak\na tree, Steps: 40\nGrüße"
    assert capsys.readouterr().err == ""
    with open(path, "wb") as file:
        long = (b"tEXt", b"a\0" + b"x" * 70_000)
        Image.fromarray(RGB).save(Inserting(file, [long]), "PNG")
    enlarge(path, "b.jpg")
    assert "b.jpg: JPEG does not hold its text; left out" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["I", "B"])
def test_iptc_of_a_tiff_travels_however_it_is_declared(tmp_path, code):
    data = IPTC + bytes(-len(IPTC) % 4)
    values = struct.unpack(f"<{len(data) // 4}I", data) if code == "I" else data
    tags = [(33723, code, len(values), values, True)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", extratags=tags)
    for name in ("b.tif", "b.jpg", "b.png"):
        assert load_picture(enlarge(path, name)).metadata.iptc == data


def test_a_second_picture_is_told_and_a_preview_is_not(tmp_path, capsys):
    path, image = tmp_path / "a.jpg", Image.fromarray(RGB)
    image.save(path, "MPO", save_all=True, append_images=[image])
    load_picture(path)
    assert "a.jpg: also holds a second picture, which the" in capsys.readouterr().err
    names = ["Baseline MP Primary Image", "Large Thumbnail (VGA Equivalent)"]
    entries = [{"Attribute": {"MPType": name}} for name in names]
    image = types.SimpleNamespace(info={}, mpinfo={0xB002: entries})
    assert find_companions(image, None) == []
    image.info["aux"] = {"urn:com:apple:photo:2020:aux:hdrgainmap": [1], "x": [2]}
    assert find_companions(image, None) == ["an HDR gain map", "an auxiliary picture"]


def test_metadata_is_taken_off_or_added(photo, capsys):
    flags = "--output_format=png", "--strip_metadata"
    run = upscale(photo, photo.parent / "SR", *flags, command=run_here)
    assert run.returncode == 0
    found = load_picture(photo.parent / "SR" / "a.png").metadata
    assert found.icc_profile == SRGB
    assert (found.exif, found.xmp, found.iptc, found.texts) == (None, None, None, ())
    # Another run with these flags is done, and one without is not.
    assert "Kept 1 of 1" in upscale(photo, photo.parent / "SR", *flags)
    done = upscale(photo, photo.parent / "SR", flags[0], command=run_here)
    assert done.returncode == 1 and "bicubic --scale=2 --strip_metadata" in done.stderr
    flags += "--mark", "--overwrite"
    upscale(photo, photo.parent / "SR", *flags, command=run_here)
    found = load_picture(photo.parent / "SR" / "a.png").metadata.exif
    assert dict(found) == {0x0131: b"perceptual-eusr: bicubic --scale=2"}


def test_a_mark_follows_the_software_that_is_there():
    exif = Image.Exif()
    exif[0x0131] = b"Soft\0"
    metadata = Metadata(exif=exif).mark("us")
    assert metadata.exif[0x0131] == b"Soft; us" and exif[0x0131] == b"Soft\0"
