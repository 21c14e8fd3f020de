import json

import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from console.flags import parse_range
from dataloaders import checked
from dataloaders.ava import AVA, AVASettings
from dataloaders.tid2013 import (
    TID2013,
    TID2013Settings,
    name_distortion,
    to_distribution,
)
from tests.scored_data import one_hot, write_ava, write_tid2013
from tests.shared_data import SHARED, needs_shared


def make_ava(folder, train="0,-4", validate="-4,0", **settings):
    settings = {"patch_size": 32, "batch_size": 3, "threads": 2} | settings
    settings |= {"dataset_path": folder / "AVA.txt", "image_path": folder / "images"}
    return AVA(AVASettings(train, validate, **settings))


def make_tid(images, train="4,12", validate="0,4", **more):
    return TID2013(TID2013Settings(train, validate, 32, 3, image_path=images, **more))


def names(loader, part):
    return [row.name for row in loader.parts[part]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,-5", slice(0, -5)),
        ("-5,0", slice(-5, None)),
        ("-5,", slice(-5, None)),
        (",3", slice(None, 3)),
        ("3,0", slice(3, None)),
    ],
)
def test_ranges_are_read_as_slices(text, expected):
    assert parse_range(text, "--r") == expected


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,2", "1.5,2"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(InputError, match="two whole numbers separated by a comma"):
        parse_range(text, "--ava_train_range")


def test_ava_finds_images_below_folders_and_shares_out_the_votes(tmp_path):
    write_ava(tmp_path)
    loader = make_ava(tmp_path)
    loader.prepare()
    assert names(loader, "train") == [str(number) for number in range(100, 108)]
    assert names(loader, "validate") == ["108", "109", "110", "111"]
    row = loader.parts["train"][0]
    np.testing.assert_allclose(
        row.distribution, 0.75 * one_hot(1) + 0.25 * one_hot(2), rtol=1e-6
    )
    assert row.mean == pytest.approx(2.25)


def test_a_missing_image_moves_no_other_to_another_part(tmp_path, capsys):
    _, images = write_ava(tmp_path)
    (images / "sub" / "103.jpg").unlink()
    (images / "sub" / "103.jpg").symlink_to(tmp_path / "nowhere.jpg")
    loader = make_ava(tmp_path)
    loader.prepare()
    assert names(loader, "validate") == ["108", "109", "110", "111"]
    assert len(names(loader, "train")) == 7
    assert (
        "1 of 12 rows have no picture and are left out: 103" in capsys.readouterr().err
    )


def test_many_missing_images_make_one_line(tmp_path, capsys):
    _, images = write_ava(tmp_path)
    for number in range(100, 107):
        (images / "sub" / f"{number}.jpg").unlink()
    make_ava(tmp_path).prepare()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "7 of 12" in lines[0] and "2 more" in lines[0]


def test_rows_in_both_parts_are_pointed_out(tmp_path, capsys):
    write_ava(tmp_path)
    make_ava(tmp_path, "0,5", "3,0").prepare()
    assert "2 rows are both trained and validated on" in capsys.readouterr().err


def test_an_epoch_holds_every_image_once_and_each_in_another_order(tmp_path):
    write_ava(tmp_path)
    loader = make_ava(tmp_path)
    loader.prepare()
    assert loader.steps_per_epoch == 3
    batches = [loader.batch(step) for step in range(6)]
    assert [len(batch.patches) for batch in batches] == [3, 3, 2, 3, 3, 2]
    epochs = [
        np.concatenate([b.distributions for b in batches[start : start + 3]])
        for start in (0, 3)
    ]
    everything = np.stack([row.distribution for row in loader.parts["train"]])
    for epoch in epochs:
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, everything))
    assert (epochs[0] != epochs[1]).any()


def test_a_batch_depends_on_seed_and_step_alone(tmp_path):
    write_ava(tmp_path)
    loaders = [make_ava(tmp_path, seed=seed) for seed in (0, 0, 1)]
    for loader in loaders:
        loader.prepare()
    loaders[0].batch(0)
    first, again, other = (loader.batch(4) for loader in loaders)
    assert (first.patches == again.patches).all()
    assert (first.patches != other.patches).any()
    assert first.patches.dtype == np.uint8


def test_validation_takes_the_middle_in_the_rows_order(tmp_path):
    write_ava(tmp_path)
    loader = make_ava(tmp_path)
    loader.prepare()
    assert loader.validation_batches == 2
    batches = [loader.validation_batch(index) for index in range(2)]
    assert [len(batch.patches) for batch in batches] == [3, 1]
    whole = np.asarray(Image.open(loader.parts["validate"][3].path))
    assert (batches[1].patches[0] == whole[4:36, 10:42]).all()


def test_grey_and_cmyk_jpegs_are_taken(tmp_path):
    _, images = write_ava(tmp_path)
    for number, mode in ((100, "L"), (101, "CMYK")):
        path = images / "sub" / f"{number}.jpg"
        Image.open(path).convert(mode).save(path)
    loader = make_ava(tmp_path, train="0,2")
    loader.prepare()
    assert loader.batch(0).patches.shape == (2, 32, 32, 3)


def test_a_truncated_image_is_named_with_the_flag_that_helps(tmp_path):
    _, images = write_ava(tmp_path)
    path = images / "sub" / "101.jpg"
    path.write_bytes(path.read_bytes()[:300])
    loader = make_ava(tmp_path, batch_size=8)
    loader.prepare()
    with pytest.raises(InputError, match=r"101\.jpg: .*--ava_validate_images"):
        loader.batch(0)


def test_with_the_check_broken_images_are_left_out_and_remembered(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, images = write_ava(tmp_path)
    path = images / "sub" / "101.jpg"
    path.write_bytes(path.read_bytes()[:300])
    loader = make_ava(tmp_path, leave_out_broken=True)
    loader.prepare()
    assert "101" not in names(loader, "train") and len(names(loader, "train")) == 7
    assert "1 pictures cannot be read and are left out: 101.jpg" in (
        capsys.readouterr().err
    )
    looked = []
    load = checked.load_image
    monkeypatch.setattr(
        checked, "load_image", lambda path: looked.append(path) or load(path)
    )
    make_ava(tmp_path, leave_out_broken=True).prepare()
    assert looked == []
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
    again = make_ava(tmp_path, leave_out_broken=True)
    again.prepare()
    assert looked == [path] and "101" in names(again, "train")


@pytest.mark.parametrize(
    ("train", "found"),
    [
        ("5,5", "selects none of the 12 rows"),
        ("0,-5000", "selects none of the 12 rows"),
        ("0,1", "none of the 1 selected rows has a picture"),
    ],
)
def test_an_empty_part_is_an_error(tmp_path, train, found):
    _, images = write_ava(tmp_path)
    (images / "sub" / "100.jpg").unlink()
    with pytest.raises(InputError, match=rf"--ava_train_range={train}.*{found}"):
        make_ava(tmp_path, train).prepare()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("3 102 1 2 3", "expected 12 columns"),
        ("3 102 1 2 3 4 5 x 7 8 9 10", "found 'x'; expected a number"),
        ("3 102 0 0 0 0 0 0 0 0 0 0", "expected the number of votes"),
        ("3 102 1 -2 0 0 0 0 0 0 0 0", "expected the number of votes"),
        ("3 102 1 1e39 0 0 0 0 0 0 0 0", "expected the number of votes"),
        ("3 102 1 nan 0 0 0 0 0 0 0 0", "found 'nan'; expected a number"),
    ],
)
def test_a_damaged_row_is_named_by_its_line(tmp_path, line, found):
    table, _ = write_ava(tmp_path)
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:2], line, *lines[3:]]))
    with pytest.raises(InputError, match=rf"AVA\.txt, line 3: .*{found}"):
        make_ava(tmp_path).prepare()


def test_missing_files_and_folders_are_named(tmp_path):
    table, images = write_ava(tmp_path)
    with pytest.raises(InputError, match="--ava_dataset_path=.*no such file"):
        AVA(AVASettings(dataset_path=tmp_path / "no.txt", image_path=images)).prepare()
    with pytest.raises(InputError, match="--ava_image_path=.*does not exist"):
        AVA(AVASettings(dataset_path=table, image_path=tmp_path / "no")).prepare()
    with pytest.raises(InputError, match="--ava_image_path must be given"):
        AVA(AVASettings(dataset_path=table)).prepare()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"end in \.jpg"):
        AVA(
            AVASettings("0,", "0,", dataset_path=table, image_path=tmp_path / "empty")
        ).prepare()
    table.write_text("")
    with pytest.raises(InputError, match="is empty"):
        make_ava(tmp_path).prepare()
    table.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="is not a text file"):
        make_ava(tmp_path).prepare()


def test_scores_of_other_pictures_are_an_error(tmp_path):
    _, images = write_ava(tmp_path)
    for path in (images / "sub").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(InputError, match="none of the 12 rows has a picture"):
        make_ava(tmp_path).prepare()


@pytest.mark.parametrize("extension", ["bmp", "png"])
def test_tid2013_is_read_in_its_own_layout_whatever_the_case(tmp_path, extension):
    images = write_tid2013(tmp_path, extension)
    loader = make_tid(images, image_extension=extension)
    loader.prepare()
    assert len(names(loader, "train")) == 8 and len(names(loader, "validate")) == 4
    assert loader.parts["validate"][0].path.stem == "i01_01_1"
    assert loader.parts["validate"][0].mean == 5.0
    assert loader.batch(0).patches.shape == (3, 32, 32, 3)


def test_tid2013s_scores_may_lie_elsewhere_and_in_one_file(tmp_path):
    images = write_tid2013(tmp_path / "a")
    beside = make_tid(images)
    beside.prepare()
    lines = [
        f"{row.name} {row.mean} {row.deviation}"
        for part in ("validate", "train")
        for row in beside.parts[part]
    ]
    moved = tmp_path / "scores"
    moved.mkdir()
    for name in ("mos_with_names.txt", "mos_std.txt"):
        (tmp_path / "a" / name).rename(moved / name)
    (tmp_path / "one.txt").write_text("\n".join(lines))
    with pytest.raises(InputError, match="give --tid2013_score_path"):
        make_tid(images).prepare()
    for path in (moved, moved / "mos_with_names.txt", tmp_path / "one.txt"):
        loader = make_tid(images, score_path=path)
        loader.prepare()
        assert loader.describe() == beside.describe()


def test_tid2013s_scores_out_of_range_are_named(tmp_path):
    images = write_tid2013(tmp_path)
    (tmp_path / "mos_std.txt").write_text("0.5\n" * 11)
    with pytest.raises(InputError, match="has 12 rows and .* has 11"):
        make_tid(images).prepare()
    (tmp_path / "mos_std.txt").write_text("0.5\n" * 11 + "-1\n")
    with pytest.raises(InputError, match=r"mos_std\.txt, line 12: .*-1"):
        make_tid(images).prepare()
    (tmp_path / "mos_std.txt").write_text("0.5\n" * 11 + "1e20\n")
    with pytest.raises(InputError, match=r"mos_std\.txt, line 12: .*1e20; expected 0"):
        make_tid(images).prepare()
    (tmp_path / "mos_std.txt").unlink()
    with pytest.raises(InputError, match="no such file.*standard deviation") as caught:
        make_tid(images).prepare()
    # Nobody gave the flag.
    assert "--tid2013_score_path" not in str(caught.value)
    (tmp_path / "mos_std.txt").write_text("0.5\n" * 12)
    means = (tmp_path / "mos_with_names.txt").read_text()
    (tmp_path / "mos_with_names.txt").write_text(means.replace("5.0", "77", 1))
    with pytest.raises(InputError, match=r"line 1: found the mean score 77"):
        make_tid(images).prepare()


def test_a_gaussian_is_shared_out_over_the_scores():
    # 38.3% of a Gaussian lie within half a deviation, 24.2% in each half to one beside.
    shares = to_distribution(4.0, 1.0)
    assert shares[4] == pytest.approx(0.3829, abs=1e-4)
    assert shares[3] == pytest.approx(0.2417, abs=1e-4)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert (to_distribution(3.2, 0.0) == one_hot(3)).all()
    assert to_distribution(9.0, 0.3).sum() == pytest.approx(1, abs=1e-6)


def test_distortions_are_known_by_tid2013s_numbers():
    assert name_distortion("I01_08_3.bmp") == "08 Gaussian blur"
    assert name_distortion("photo.bmp") is None


@needs_shared
def test_the_databases_own_files_are_read():
    data = SHARED / "data"
    paths = {
        "dataset_path": data / "AVA" / "AVA.txt",
        "image_path": data / "AVA" / "images",
    }
    loader = AVA(AVASettings("0,-5000", "0,-5000", **paths))
    rows = loader.read_rows()
    assert len(rows) == 25551
    found = [row.name for row in rows if row.path is not None]
    assert found == ["42040"]
    images = data / "TID2013" / "distorted_images"
    rows = TID2013(TID2013Settings("0,", "0,", image_path=images)).read_rows()
    assert len(rows) == 3000
    assert [row.name for row in rows if row.path is not None] == ["i01_01_5.bmp"]
    assert len({row.group for row in rows}) == 24


def draw_epoch(loader, first, count):
    """What each picture of some batches is scored, in order, and how many each has."""
    batches = [loader.batch(first + index) for index in range(count)]
    scores = np.concatenate([batch.distributions for batch in batches])
    return [tuple(row) for row in scores], [len(batch.patches) for batch in batches]


def test_leaving_out_a_broken_picture_changes_nothing_of_what_was_drawn_before_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, images = write_ava(tmp_path, ids=range(100, 110))
    whole, left_out = (
        make_ava(tmp_path, "0,9", "9,10", leave_out_broken=check, batch_size=2)
        for check in (False, True)
    )
    whole.prepare()
    assert whole.steps_per_epoch == 5
    order, _ = draw_epoch(whole, 5, 5)
    # The first picture of the second epoch's third batch; no two are scored alike.
    scores = {tuple(row.distribution): row for row in whole.parts["train"]}
    assert len(scores) == 9
    scores[order[4]].path.write_text("no picture")
    left_out.prepare()
    assert left_out.describe() == whole.describe()
    assert (left_out.steps_per_epoch, left_out.count()) == (
        4,
        {"train": 8, "validate": 1},
    )
    left_out.begin(epoch=1, first_step=5)
    again, sizes = draw_epoch(left_out, 5, 4)
    assert again == order[:4] + order[5:] and sizes == [2, 2, 2, 2]
    # The next epoch has an order of its own, and follows at once.
    following, _ = draw_epoch(left_out, 9, 4)
    assert sorted(following) == sorted(again) and following != again


def test_a_cache_folder_that_cannot_be_used_costs_a_warning(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_ava(tmp_path)
    make_ava(tmp_path, leave_out_broken=True).prepare()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Warning: ") and "cannot be written" in lines[0]


def test_an_error_while_pictures_are_checked_is_not_hidden(tmp_path, monkeypatch):
    def fail(path):
        raise MemoryError("too large")

    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(checked, "load_image", fail)
    write_ava(tmp_path)
    with pytest.raises(MemoryError, match="too large"):
        make_ava(tmp_path, leave_out_broken=True).prepare()


def test_what_is_remembered_is_one_file_and_forgets_what_is_gone(tmp_path, monkeypatch):
    looked = []
    load = checked.load_image
    monkeypatch.setattr(
        checked, "load_image", lambda path: looked.append(path) or load(path)
    )
    folder, cache = tmp_path / "a", tmp_path / "cache"
    _, images = write_ava(folder)
    paths = sorted((images / "sub").iterdir())
    assert checked.find_broken(paths[:8], images, cache) == set()
    # Another range, and pictures of another folder below: what is known stays known.
    (images / "more").mkdir()
    paths[11] = paths[11].rename(images / "more" / paths[11].name)
    assert checked.find_broken(paths, images, cache) == set()
    assert len(looked) == 12 and len(list(cache.iterdir())) == 1
    paths[0].unlink()
    paths[1].write_text("no picture")
    assert checked.find_broken(paths[1:], images, cache) == {paths[1]}
    known = json.loads(next(cache.iterdir()).read_text())
    assert len(looked) == 13 and len(known) == 11
    assert f"sub/{paths[1].name}" in known and f"sub/{paths[0].name}" not in known
    # One that vanishes between the listing and the look is a broken one.
    paths[2].unlink()
    assert checked.find_broken(paths[1:], images, cache) == {paths[1], paths[2]}
