import hashlib
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from dataloaders import cache
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import find_common, find_pairs
from dataloaders.sources import make_sources
from imaging.files import load_image, save_image
from imaging.imresize import imresize, make_lr
from tests.pictures import draw_picture, write_pictures
from tests.timing import shortest

ROOT = Path(__file__).resolve().parents[1]
SCALES = (2, 4)
SIDE = 5


def write_codes(folder, height, width, scales=SCALES):
    """An HR picture whose every pixel says where it is, and LR pictures that do too.

    An HR pixel holds its row and column; an LR pixel those of the first HR pixel
    that it stands for.
    """
    y, x = np.mgrid[:height, :width]
    hr = np.stack([y, x, 0 * x], -1).astype(np.uint8)
    save_image(folder / "HR" / "a.png", hr)
    for scale in scales:
        lr = hr[::scale, ::scale]
        save_image(folder / "LR" / f"x{scale}" / "a.png", lr)
    return make_loader(folder, input_path=str(folder / "LR"), scales=scales)


def make_loader(folder, prepared=True, **settings):
    loader = PairedLoader(
        PairedSettings(
            **{
                "truth_path": str(folder / "HR"),
                "input_path": None,
                "scales": SCALES,
                "lr_patch_size": SIDE,
                "batch_size": 4,
                "cache_path": str(folder / "cache"),
                **settings,
            }
        )
    )
    if prepared:
        loader.prepare()
    return loader


def test_images_in_common_are_found_by_path_by_link_and_by_content(tmp_path):
    ours = write_pictures(tmp_path / "a", [(8, 8), (8, 8), (9, 9), (10, 10)])
    theirs = write_pictures(tmp_path / "b", [(8, 8)])  # As 0 of the others.
    (theirs / "linked.png").symlink_to(ours / "2.png")
    pairs = [find_pairs(make_sources(folder, None), (2,)) for folder in (ours, theirs)]
    assert [pair.name for pair in find_common(*pairs)] == ["0", "2"]
    assert [pair.name for pair in find_common(*pairs[::-1])] == ["0", "linked"]
    assert len(find_common(pairs[0], pairs[0])) == 4


def test_the_same_step_of_the_same_seed_is_the_same_batch(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50), (44, 60), (52, 48)])
    one, two = make_loader(tmp_path, seed=3), make_loader(tmp_path, seed=3)
    other = make_loader(tmp_path, seed=4)
    for step in (17, 3, 1_000_000):
        a, b = one.batch(step), two.batch(step)
        assert (a.scale, a.names) == (b.scale, b.names)
        np.testing.assert_array_equal(a.lr, b.lr)
        np.testing.assert_array_equal(a.hr, b.hr)
        assert one.scale_of(step) == a.scale
    assert any(
        not np.array_equal(one.batch(step, 2).lr, other.batch(step, 2).lr)
        for step in range(3)
    )


BATCH_PROGRAM = """
import hashlib, sys
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
loader = PairedLoader(PairedSettings(sys.argv[1], None, (2, 4), 5, 4, 3, sys.argv[2]))
loader.prepare()
batch = loader.batch(17)
print(hashlib.sha256(batch.lr.tobytes() + batch.hr.tobytes()).hexdigest())
assert "tensorflow" not in sys.modules
"""


def test_another_process_draws_the_same_batch_and_needs_no_tensorflow(tmp_path):
    folder = write_pictures(tmp_path / "HR", [(40, 50), (44, 60), (52, 48)])
    batch = make_loader(tmp_path, seed=3).batch(17)
    command = [sys.executable, "-c", BATCH_PROGRAM, folder, tmp_path / "cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    expected = hashlib.sha256(batch.lr.tobytes() + batch.hr.tobytes()).hexdigest()
    assert done.stdout.split()[-1] == expected


def test_a_share_of_a_batch_is_that_part_of_the_whole(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50), (44, 60)])
    loader = make_loader(tmp_path)
    whole, part = loader.batch(5), loader.batch(5, share=slice(2, 4))
    assert part.names == whole.names[2:4]
    np.testing.assert_array_equal(part.lr, whole.lr[2:4])
    np.testing.assert_array_equal(part.hr, whole.hr[2:4])


def find_variant(turned, patch):
    """Which of the eight ways a patch was turned."""
    for mirror in (False, True):
        for quarter in range(4):
            candidate = np.rot90(patch[:, ::-1] if mirror else patch, quarter)
            if np.array_equal(candidate, turned):
                return mirror, quarter
    raise AssertionError("the patch is not where the codes say")


@pytest.mark.parametrize("scale", SCALES)
def test_lr_and_hr_patches_are_of_one_place_and_every_place_and_turn_is_drawn(
    tmp_path, scale
):
    height, width = 7 * scale, 8 * scale
    loader = write_codes(tmp_path, height, width, (scale,))
    hr = load_image(tmp_path / "HR" / "a.png")
    lr = load_image(tmp_path / "LR" / f"x{scale}" / "a.png")
    places, variants = set(), set()
    for step in range(150):
        batch = loader.batch(step)
        assert batch.lr.shape == (4, SIDE, SIDE, 3)
        assert batch.hr.shape == (4, SIDE * scale, SIDE * scale, 3)
        for lr_patch, hr_patch in zip(batch.lr, batch.hr, strict=True):
            top, left = hr_patch.reshape(-1, 3).min(0)[:2]
            place = hr[top : top + SIDE * scale, left : left + SIDE * scale]
            variant = find_variant(hr_patch, place)
            top, left = top // scale, left // scale
            lr_place = lr[top : top + SIDE, left : left + SIDE]
            assert find_variant(lr_patch, lr_place) == variant
            places.add((top, left))
            variants.add(variant)
    # 7x8 LR pixels and a patch of 5: three rows and four columns to start at.
    assert places == {(y, x) for y in range(3) for x in range(4)}
    assert len(variants) == 8


def test_every_scale_is_drawn(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50)])
    drawn = [make_loader(tmp_path).scale_of(step) for step in range(200)]
    assert 70 < drawn.count(2) < 130
    assert set(drawn) == {2, 4}


def test_scales_are_drawn_as_often_as_their_weights_say(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50)])
    loader = make_loader(tmp_path, scale_weights=(4, 1))
    drawn = [loader.scale_of(step) for step in range(500)]
    assert 360 < drawn.count(2) < 440
    assert loader.batch(0).scale == drawn[0]
    equal = make_loader(tmp_path, scale_weights=(3, 3))
    plain = make_loader(tmp_path)
    steps = range(50)
    assert [equal.scale_of(s) for s in steps] == [plain.scale_of(s) for s in steps]


def test_an_image_of_exactly_the_patchs_size_is_drawn_whole(tmp_path):
    loader = write_codes(tmp_path, SIDE * 2, SIDE * 2, (2,))
    assert loader.batch(0).hr.shape == (4, SIDE * 2, SIDE * 2, 3)


def test_a_side_that_was_rounded_up_is_taken_but_its_last_pixel_never_drawn(tmp_path):
    # As DIV2K's 1356 rows, which MATLAB makes 170 at x8.
    height, width = 8 * 6 + 4, 8 * 6
    save_image(tmp_path / "HR" / "a.png", draw_picture(height, width))
    lr = np.zeros((7, 6, 3), np.uint8)
    lr[6] = 255
    save_image(tmp_path / "LR" / "x8" / "a.png", lr)
    loader = make_loader(tmp_path, input_path=str(tmp_path / "LR"), scales=(8,))
    assert max(loader.batch(step).lr.max() for step in range(50)) == 0


@pytest.mark.parametrize("name", ["a.png", "ax2.png", "aX2.png", "a.bmp"])
def test_the_names_of_div2ks_archives_are_known(tmp_path, name):
    hr = draw_picture(20, 30)
    save_image(tmp_path / "HR" / "a.png", hr)
    (tmp_path / "LR" / "X2").mkdir(parents=True)
    Image.fromarray(imresize(hr, 1 / 2)).save(tmp_path / "LR" / "X2" / name)
    loader = make_loader(tmp_path, input_path=str(tmp_path / "LR"), scales=(2,))
    assert loader.batch(0).names == ["a"] * 4


def test_without_lr_images_matlabs_are_made_from_hr(tmp_path):
    write_pictures(tmp_path / "HR", [(43, 51)])
    loader = make_loader(tmp_path)
    hr = load_image(tmp_path / "HR" / "0.png")
    for scale in SCALES:
        expected = imresize(hr[: 43 // scale * scale, : 51 // scale * scale], 1 / scale)
        np.testing.assert_array_equal(loader.lr[scale][0], expected)
        name, lr, truth = next(iter(loader.pairs(scale)))
        assert name == "0"
        np.testing.assert_array_equal(lr, expected)
        np.testing.assert_array_equal(truth, hr)


def test_whole_pairs_come_sorted_and_counted(tmp_path):
    write_pictures(tmp_path / "HR", [(20, 24)] * 3)
    pairs = make_loader(tmp_path).pairs(2)
    assert len(pairs) == 3
    assert [name for name, _, _ in pairs] == ["0", "1", "2"]


def test_small_images_are_named_and_the_rest_counted(tmp_path, capsys):
    write_pictures(tmp_path / "HR", [(40, 50), (19, 50), (9, 50)])
    loader = make_loader(tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "Warning: x2 leaves out 2.png, smaller than a patch (10x10); 2 images remain.",
        "Warning: x4 leaves out 1.png, 2.png, smaller than a patch (20x20); "
        "1 images remain.",
    ]
    assert {name for step in range(30) for name in loader.batch(step, 2).names} == {
        "0",
        "1",
    }
    assert {name for step in range(9) for name in loader.batch(step, 4).names} == {"0"}


def test_an_image_smaller_than_the_scale_is_no_traceback(tmp_path, capsys):
    write_pictures(tmp_path / "HR", [(40, 50), (3, 50)])
    loader = make_loader(tmp_path, scales=(4,))
    assert "x4 leaves out 1.png" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"HR: 1\.png: 50x3 is too small for x4"):
        loader.pairs(4)


def test_only_small_images_are_an_error(tmp_path):
    write_pictures(tmp_path / "HR", [(9, 9)])
    with pytest.raises(InputError, match="all 1 images are smaller than a patch"):
        make_loader(tmp_path)
    # Their sizes stand in their headers: nothing was decoded for it.
    assert not (tmp_path / "cache").exists()


def test_pictures_too_small_to_measure_are_named_beforehand(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50), (19, 50), (24, 19), (23, 19)])
    loader = make_loader(tmp_path, scales=(2, 4), lr_patch_size=None, prepared=False)
    loader.check_measurable(2)  # And SSIM's window of 11.
    # At x4, 19 pixels are cut to 16.
    with pytest.raises(InputError) as caught:
        loader.check_measurable(3)
    assert str(caught.value) == (
        f"--data_truth_path: {tmp_path / 'HR' / '1.png'}: too small to be measured at "
        "x4, which needs at least 17 pixels a side (3 are shaved at each border), as "
        "are 2.png, 3.png. Remove it, or shave less."
    )


def test_the_disk_must_have_room_for_all_caches_before_one_is_built(
    tmp_path, monkeypatch
):
    write_pictures(tmp_path / "HR", [(400, 500)])
    # Enough for HR and for x2, but not for x4, too.
    room = 400 * 500 * 3 * (1 + 1 / 4) + 3 * 4096
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(int(room)))
    with pytest.raises(InputError, match=r"needs 800 kB in .*, where 762 kB are"):
        make_loader(tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []
    make_loader(tmp_path, scales=(2,))


def test_a_cache_that_is_made_again_takes_the_room_of_the_old(tmp_path, monkeypatch):
    write_pictures(tmp_path / "HR", [(400, 500)])
    make_loader(tmp_path)
    os.utime(tmp_path / "HR" / "0.png", (1, 1))
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(610_000))
    make_loader(tmp_path)


def test_a_warm_cache_is_told_with_the_number_of_images(tmp_path, capsys):
    write_pictures(tmp_path / "HR", [(40, 50), (40, 50)])
    make_loader(tmp_path)
    capsys.readouterr()
    make_loader(tmp_path)
    assert capsys.readouterr().out == f"2 images, cached in {tmp_path / 'cache'}\n"


def test_a_missing_validation_image_is_named_with_the_flags_of_validation(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 15), "b.png")
    with pytest.raises(InputError, match=r"for a\.png of --validate_truth_path"):
        make_loader(tmp_path, **settings, of="--validate")


def write_pair(folder, hr_size, lr_size, lr_name="a.png"):
    save_image(folder / "HR" / "a.png", draw_picture(*hr_size))
    save_image(folder / "LR" / "x2" / lr_name, draw_picture(*lr_size))
    return {"input_path": str(folder / "LR"), "scales": (2,)}


def test_a_wrong_size_is_named_with_both_sizes(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 17))
    with pytest.raises(
        InputError,
        match=r"a\.png is 17x10, but .*a\.png is 30x20: at x2 expected 15x10",
    ):
        make_loader(tmp_path, **settings)


def test_a_missing_lr_image_is_named(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 15), "b.png")
    with pytest.raises(InputError, match=r"no image for a\.png .*1 of 1 missing"):
        make_loader(tmp_path, **settings)


def test_a_missing_scale_names_the_folders_that_are_there(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 15)) | {"scales": (2, 4)}
    with pytest.raises(InputError, match=r"x4 \(its folders: x2\).*--scales=2 works"):
        make_loader(tmp_path, **settings)
    with pytest.raises(InputError, match="no such folder"):
        make_loader(tmp_path, input_path=str(tmp_path / "none"))


def test_two_images_of_one_name_are_refused(tmp_path):
    save_image(tmp_path / "HR" / "a.png", draw_picture(20, 30))
    Image.fromarray(draw_picture(20, 30)).save(tmp_path / "HR" / "a.bmp")
    with pytest.raises(InputError, match=r"a\.bmp and a\.png have the same name"):
        make_loader(tmp_path)


def test_two_lr_images_of_one_name_are_refused(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 15))
    Image.fromarray(draw_picture(10, 15)).save(tmp_path / "LR" / "x2" / "a.bmp")
    with pytest.raises(InputError, match=r"a\.bmp and a\.png have the same name"):
        make_loader(tmp_path, **settings)


def test_an_lr_image_belongs_to_one_hr_image(tmp_path):
    settings = write_pair(tmp_path, (20, 30), (10, 15), "ax2.png")
    save_image(tmp_path / "HR" / "ax2.png", draw_picture(20, 30))
    with pytest.raises(
        InputError, match=r"ax2\.png .* two HR images, a\.png and ax2\.png"
    ):
        make_loader(tmp_path, **settings)
    # Once each has an image of exactly its name, nothing is in doubt.
    save_image(tmp_path / "LR" / "x2" / "a.png", draw_picture(10, 15))
    loader = make_loader(tmp_path, **settings)
    lr_names = [pair.lr_paths[2].name for pair in loader.images]
    assert lr_names == ["a.png", "ax2.png"]


MEMORY_PROGRAM = """
import sys
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
loader = PairedLoader(PairedSettings(sys.argv[1], None, (2,), 8, 4, 0, sys.argv[2]))
loader.prepare()
for step in range(200):
    loader.batch(step)
status = open("/proc/self/status").read()
print("RssAnon", status.split("RssAnon:")[1].split()[0])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux counts it")
def test_the_process_own_memory_does_not_grow_with_the_number_of_images(tmp_path):
    building, reading = {}, {}
    for count in (4, 44):
        folder = write_pictures(tmp_path / f"HR{count}", [(600, 800)] * count)
        command = [sys.executable, "-c", MEMORY_PROGRAM, folder, tmp_path / "cache"]
        for memory in (building, reading):  # The second time the cache is there.
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
            assert done.returncode == 0, done.stderr
            memory[count] = int(done.stdout.split("RssAnon")[1])
    # 40 images more hold 57,600 kB. What decoders leave behind varies.
    assert building[44] - building[4] < 25_000
    assert reading[44] - reading[4] < 6_000


def test_a_batch_costs_a_small_part_of_decoding_its_images(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    for index in range(4):
        save_image(tmp_path / "HR" / f"{index}.png", noise)
    loader = make_loader(tmp_path, lr_patch_size=24, batch_size=8)

    decoding = shortest(
        lambda: [load_image(tmp_path / "HR" / f"{i % 4}.png") for i in range(8)]
    )
    assert shortest(lambda: loader.batch(1, 4)) < decoding / 10


def test_made_lr_is_cut_to_a_multiple_first():
    hr = draw_picture(43, 51)
    np.testing.assert_array_equal(make_lr(hr, 4), imresize(hr[:40, :48], 1 / 4))
