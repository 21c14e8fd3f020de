import base64
import csv
import io
import math

import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from reports import published
from reports.encoding import encode_to_fit
from reports.gallery import Gallery, choose
from reports.outputs import Outputs, write_csv
from reports.page import BYTES_FOR_PICTURES, MOST_BYTES, make_page, write_page
from reports.regions import Region
from tests.measured import NAMES, Reader, fill_gallery, make_report, make_values
from tests.pictures import draw_picture


def read_data(report, exhibits):
    """What the page of a report shows."""
    return Reader(make_page(report, exhibits)).data


def decode(uri):
    """The pixels of a data URI."""
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def test_half_of_the_images_are_the_worst_and_half_the_best():
    values = {"a": 5.0, "b": 3.0, "c": math.inf, "d": 1.0, "e": 4.0, "f": 2.0}
    assert choose(values, 4) == ["d", "f", "a", "c"]
    assert choose(values, 3) == ["d", "f", "c"]
    assert choose(values, 9) == ["d", "f", "b", "e", "a", "c"]
    assert choose(values, 0) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_gallery_ends_with_the_right_images_in_whatever_order_they_come(seed):
    values = dict(zip("abcdefghij", np.arange(10.0), strict=True))
    gallery = Gallery(count=4, room=100_000, shave=2)
    for name in np.random.default_rng(seed).permutation(list(values)):
        pictures = {"bicubic": draw_picture(40, 40, 1), "eusr": draw_picture(40, 40, 2)}
        gallery.offer(2, str(name), values[name], pictures, draw_picture(41, 40, 3))
    assert list(gallery.exhibits[2]) == ["a", "b", "i", "j"]


def test_the_worst_region_is_where_ours_is_furthest_from_the_truth():
    hr, bicubic, sr = (draw_picture(200, 240, 1) for _ in range(3))
    sr[80:112, 40:72] ^= 64
    bicubic[0:32, 0:32] ^= 64
    sr[:, :2] ^= 255  # At the border, which is not measured.
    gallery = Gallery(count=1, room=10**6, shave=4)
    gallery.offer(2, "a", 1.0, {"bicubic": bicubic, "eusr": sr}, hr)
    exhibit = gallery.exhibits[2]["a"]
    assert (exhibit.region.top, exhibit.region.left) == (80, 40)
    for name, picture in (("bicubic", bicubic), ("eusr", sr), ("truth", hr)):
        crop = decode(exhibit.crops[name])
        np.testing.assert_array_equal(crop, picture[80:112, 40:72])


def test_pictures_that_fit_lose_nothing():
    pictures = {name: draw_picture(300, 200, seed) for seed, name in enumerate("ab")}
    encoded = encode_to_fit(pictures, Region(250, 10, 32), 10**6)
    assert encoded.quality is None
    for name, picture in pictures.items():
        np.testing.assert_array_equal(decode(encoded.uris[name]), picture)


def test_pictures_that_do_not_fit_are_lossy_then_cut_around_the_region():
    pictures = {name: draw_picture(300, 700, seed) for seed, name in enumerate("ab")}
    whole = sum(len(u) for u in encode_to_fit(pictures, REGION, 10**7).uris.values())
    lossy = encode_to_fit(pictures, REGION, whole - 1)
    assert lossy.quality is not None and lossy.window.width == 700
    cut = encode_to_fit(pictures, REGION, whole // 9)
    assert cut.window.width < 700
    window = cut.window
    assert window.top <= REGION.top and window.left <= REGION.left
    assert window.left + window.width >= REGION.left + REGION.side
    assert sum(map(len, cut.uris.values())) <= whole // 9
    assert encode_to_fit(pictures, REGION, 100) is None


REGION = Region(250, 610, 32)


def test_a_small_budget_makes_a_page_that_says_what_is_missing(tmp_path):
    report = make_report()
    exhibits = fill_gallery(report).exhibits
    crops = max(sum(map(len, e.crops.values())) for e in exhibits[2].values())
    sizes = []
    for room in (10**6, crops, 10):  # Everything, the regions alone, nothing.
        page = make_page(report, fill_gallery(report, room=room).exhibits)
        sizes.append(len(page))
        for exhibit in Reader(page).data["scales"][0]["exhibits"]:
            assert (exhibit["encoded"] is None) == (room < 10**6)
        assert page.count(b"data:image") == {crops: 24, 10: 0}.get(room, 48)
    path = tmp_path / "report.html"
    write_page(path, report, exhibits, most_bytes=sizes[0] - 1)
    assert len(path.read_bytes()) < sizes[0]
    scales = Reader(path.read_bytes()).data["scales"]
    assert [scale["exhibits"] for scale in scales] == [[], []]


def test_names_of_images_break_nothing():
    report = make_report()
    page = make_page(report, fill_gallery(report, count=6).exhibits)
    reader = Reader(page)
    names = [image["name"] for image in reader.data["scales"][0]["images"]]
    assert names == NAMES
    plain = Reader(make_page(make_report(["a"]), {}))
    assert reader.elements == plain.elements
    assert reader.elements.count("script") == 2
    assert '<b>"bold"' not in page.decode() and "<!-- ü" not in page.decode()


def test_images_and_models_keep_their_order_though_their_names_are_numbers():
    report = make_report(["10", "9"], (8, 2)) | {"model": "7"}
    gallery = Gallery(1, 10**6, 4)
    pictures = {name: draw_picture(40, 40) for name in ("bicubic", "7")}
    gallery.offer(2, "9", 1.0, pictures, draw_picture(40, 40))
    data = read_data(report, gallery.exhibits)
    assert [scale["scale"] for scale in data["scales"]] == [8, 2]
    assert [image["name"] for image in data["scales"][0]["images"]] == ["10", "9"]
    (exhibit,) = data["scales"][1]["exhibits"]
    for shown in (exhibit["crops"], exhibit["encoded"]["uris"]):
        assert [name for name, _ in shown] == ["bicubic", "7", "truth"]


def test_a_name_that_is_not_unicode_is_written_all_the_same(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    report = make_report([name])
    (first, _) = read_data(report, fill_gallery(report).exhibits)["scales"]
    for shown in (first["images"], first["exhibits"]):
        assert [one["name"] for one in shown] == ["caf\\udce9"]
    write_csv(tmp_path / "a.csv", report)
    assert b"caf\\udce9" in (tmp_path / "a.csv").read_bytes()


def test_the_page_asks_for_nothing_from_anywhere():
    report = make_report()
    page = make_page(report, fill_gallery(report).exhibits)
    page = page.replace(b"http://www.w3.org/2000/svg", b"")  # The name of a language.
    assert b"http:" not in page and b"https:" not in page and b"@import" not in page
    sources = [v for k, v in Reader(page).attributes if k in ("src", "href")]
    assert all(source.startswith(("data:", "#")) for source in sources)


def test_published_numbers_are_as_they_were_printed():
    report = make_report([str(i) for i in range(100)], (4,), "data/BSDS100/HR")
    (scale,) = read_data(report, {})["scales"]
    shown = {
        row["method"]: (row["psnr_y"], row["ssim_y"]) for row in scale["published"]
    }
    assert shown["EUSR"] == ("27.674", "0.740")
    assert shown["SRMD (ncnn)"] == ("27.460", "")
    measured = "measured of its pictures"
    sources = {row["source"] for row in scale["published"]}
    assert sources == {"arXiv 1809.04789", measured}
    assert "EUSR 5.307, 4PP-EUSR (PIRM version) 2.683" in scale["remark"]


@pytest.mark.parametrize(
    ("path", "count", "name"),
    [
        ("data/Set5/HR", 5, "Set5"),
        ("set5", 5, "Set5"),
        ("B100/HR", 100, "BSD100"),
        ("data/BSD100", 100, "BSD100"),
        ("data/Set5/HR", 4, None),
        ("data/Set50", 5, None),
        ("Set5/other/HR", 5, None),
    ],
)
def test_a_data_set_is_known_by_its_folder_and_its_number_of_images(path, count, name):
    assert published.find_data_set(path, count) == name


def test_published_numbers_of_another_measurement_are_marked():
    results = published.find_published(published.find_data_set("Set5", 5), 8)
    assert published.list_warnings(results, 8, 24.397) == []
    (line,) = published.list_warnings(results, 4, 24.388)
    assert "drop 8 pixels" in line and "--shave_size=8" in line
    (line,) = published.list_warnings(results, 8, 24.5)
    assert "bicubic has 24.500 dB here and 24.397 dB" in line


def test_the_csv_file_has_a_row_for_each_scale_image_and_model(tmp_path):
    report, path = make_report(), tmp_path / "a.csv"
    write_csv(path, report)
    with open(path, encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    images = [row for row in rows if row["kind"] == "image"]
    averages = [row for row in rows if row["kind"] == "average"]
    assert len(images) == 2 * 2 * len(NAMES) and len(averages) == 4
    keys = {(row["scale"], row["image"], row["model"]) for row in images}
    assert len(keys) == len(images) and {row["image"] for row in images} == set(NAMES)
    values = {k: float(v) for k, v in images[1].items() if k in make_values(0)}
    assert values == make_values(1, 0.5)
    by_name = {row["image"]: row for row in images}
    assert by_name["nothing"]["niqe"] == ""
    assert float(by_name["equal"]["psnr_y"]) == math.inf


def test_a_baseline_alone_is_reported_once(tmp_path):
    report = make_report(["a"], (2,)) | {"model": "bicubic"}
    measured = report["scales"]["2"]
    measured |= {key: measured["bicubic"][key] for key in ("average", "images")}
    write_csv(tmp_path / "a.csv", report)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
    data = read_data(report, fill_gallery(report).exhibits)
    assert data["models"] == ["bicubic"]
    assert [len(scale["averages"]) for scale in data["scales"]] == [1]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ((None, None, "a.json"), "expected a name that ends in .html"),
        (("a.html", None, "b/../a.html"), "is also the file of --report_path;"),
        ((None, "a.html/b.csv", None), "is a file, not a folder"),
    ],
)
def test_files_that_cannot_be_written_are_refused_at_once(
    tmp_path, monkeypatch, paths, expected
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.html").touch()
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=expected):
        Outputs(*paths, report_images=12).check()


@pytest.mark.parametrize(("scales", "images"), [(1, 3), (3, 100)])
def test_the_images_that_are_shown_share_what_the_page_may_have(scales, images):
    outputs = Outputs(None, None, "a.html", report_images=12)
    gallery = outputs.make_gallery(scales, images, shave_size=4)
    shown = scales * min(12, images)
    assert 0.99 * BYTES_FOR_PICTURES < gallery.room * shown <= BYTES_FOR_PICTURES
    assert BYTES_FOR_PICTURES < MOST_BYTES == 50_000_000
    assert Outputs(None, None, None, 12).make_gallery(1, 3, 4).count == 0
