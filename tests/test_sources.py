"""Images of several folders, in folders of folders, and of lists."""

import hashlib
import json

import numpy as np
import pytest

from console.errors import InputError
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import find_pairs
from dataloaders.sources import make_sources
from imaging.files import load_image, save_image
from imaging.imresize import make_lr
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here, succeed_here

# What is drawn differs, so that no image is taken for another.
SEEDS = {name: index for index, name in enumerate("abcdef")}


def write(folder, *names, side=24):
    """Writes HR images; returns the folder."""
    for name in names:
        seed = SEEDS[name.rpartition("/")[2]]
        save_image(folder / f"{name}.png", draw_picture(side, side, seed))
    return folder


def write_lr(folder, hr, *names, ending=""):
    """Writes the LR images of x2 of some HR images; returns the folder."""
    for name in names:
        lr = make_lr(load_image(hr / f"{name}.png"), 2)
        save_image(folder / "x2" / f"{name}{ending}.png", lr)
    return folder


def make_loader(cache, truth, lr=None, prefix="--data"):
    settings = PairedSettings(truth, lr, (2,), 4, 2, 0, str(cache), of=prefix)
    return PairedLoader(settings)


def names_of(pairs):
    return [pair.name for pair in pairs]


def assert_holds_its_own(loader):
    """What the caches hold is what the files do, image by image."""
    loader.prepare()
    for index, (name, lr, hr) in enumerate(loader.pairs(2)):
        assert name == loader.images[index].name
        np.testing.assert_array_equal(loader.hr[index], hr)
        np.testing.assert_array_equal(loader.lr[2][index], lr)
        np.testing.assert_array_equal(make_lr(hr, 2), lr)


def test_what_is_no_image_is_counted_by_its_ending_in_one_line(tmp_path, capsys):
    hr = write(tmp_path / "HR", "a", "sub/b")
    for name in ("1.gif", "sub/2.GIF", "3.jp2", "README", ".hidden.gif"):
        (hr / name).write_text("x")
    assert names_of(find_pairs(make_sources(hr, None), (2,))) == ["a", "sub/b"]
    said = capsys.readouterr()
    assert said.out == f"Left out of {hr}: 2 .gif, 1 without an ending, 1 .jp2.\n"
    assert said.err == ""


def test_nothing_is_said_where_nothing_is_left_out(tmp_path, capsys):
    find_pairs(make_sources(write(tmp_path / "HR", "a", "sub/b"), None), (2,))
    assert capsys.readouterr().out == ""


def test_a_folder_without_images_is_told_with_what_it_holds(tmp_path):
    (tmp_path / "1.gif").write_text("x")
    write_lr(tmp_path, write(tmp_path / "HR", "a"), "a")
    (tmp_path / "HR").rename(tmp_path / ".HR")
    with pytest.raises(InputError, match=r"no images in this .*\(found 1 \.gif, x2/\)"):
        find_pairs(make_sources(tmp_path, None), (2,))


@pytest.mark.parametrize("ending", ["", "x2", "X2"])
def test_folders_of_hr_have_the_same_folders_of_lr(tmp_path, ending):
    names = ("a", "one/a", "one/two/c", "three/d")
    hr = write(tmp_path / "HR", *names)
    save_image(hr / "one" / "a.png", draw_picture(30, 24, 9))
    lr = write_lr(tmp_path / "LR", hr, *names, ending=ending)
    loader = make_loader(tmp_path / "cache", str(hr), str(lr))
    assert_holds_its_own(loader)
    assert sorted(names_of(loader.images)) == sorted(names)
    loader.check_whole(2)
    (lr / "x2" / "one" / "two" / f"c{ending}.png").unlink()
    with pytest.raises(InputError, match=r"x2/ has no image for one/two/c\.png of"):
        find_pairs(make_sources(hr, lr), (2,))


def test_without_lr_images_folders_work_too_and_messages_name_them(tmp_path, capsys):
    hr = write(tmp_path / "HR", "a", "sub/b")
    write(hr, "sub/c", side=6)
    assert_holds_its_own(make_loader(tmp_path / "cache", str(hr)))
    assert "x2 leaves out sub/c.png, smaller" in capsys.readouterr().err


def test_a_damaged_image_in_a_folder_is_found_beforehand(tmp_path):
    hr = write(tmp_path / "HR", "a", "sub/b")
    path = hr / "sub" / "b.png"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=r"b\.png: is truncated"):
        make_loader(tmp_path, str(hr)).check_whole(2)


@pytest.mark.parametrize("inside", ["", "low"])
def test_lr_images_inside_the_hr_folder_are_not_taken_for_hr(tmp_path, capsys, inside):
    hr = write(tmp_path / "HR", "a", "sub/b")
    lr = write_lr(hr / inside, hr, "a", "sub/b")
    loader = make_loader(tmp_path / "cache", str(hr), str(lr))
    assert_holds_its_own(loader)
    assert names_of(loader.images) == ["a", "sub/b"]
    passed = f"Left out of {hr}: {inside or 'x2'}/ (folders of LR images, or"
    assert capsys.readouterr().out.count(passed) == 1
    if not inside:  # By their name alone.
        assert names_of(find_pairs(make_sources(hr, None), (2,))) == ["a", "sub/b"]


def test_several_folders_have_each_its_own_lr(tmp_path, capsys):
    one, two = write(tmp_path / "1", "a", "b"), write(tmp_path / "2", "sub/c", "d")
    save_image(two / "a.png", draw_picture(26, 24, 7))
    lr = [write_lr(tmp_path / "L1", one, "a", "b")]
    lr.append(write_lr(tmp_path / "L2", two, "a", "sub/c", "d", ending="x2"))
    truth = (str(one), str(two))
    loader = make_loader(tmp_path / "cache", truth, list(map(str, lr)))
    assert_holds_its_own(loader)
    names = ["1/a", "1/b", "2/a", "2/d", "2/sub/c"]
    assert sorted(names_of(loader.images)) == names
    said = capsys.readouterr().out
    assert said.count(f"5 images: 2 of {one} (1/...), 3 of {two} (2/...).\n") == 1
    made = make_loader(tmp_path / "cache", truth)
    assert_holds_its_own(made)
    assert made.describe() != loader.describe()
    # Where they lie does not matter.
    one.rename(tmp_path / "elsewhere")
    moved = make_loader(tmp_path, (str(tmp_path / "elsewhere"), str(two)))
    assert moved.describe() == made.describe()


def test_sources_of_one_lr_folder_have_caches_of_their_own(tmp_path, capsys):
    one, two = write(tmp_path / "1", "a"), write(tmp_path / "2", "b")
    lr = str(write_lr(write_lr(tmp_path / "LR", one, "a"), two, "b"))
    (tmp_path / "2.txt").write_text("2/b.png")
    for truth in ((str(one), str(two)), (f"@{tmp_path}/2.txt", str(two))):
        for _ in range(2):
            loader = make_loader(tmp_path / "cache", truth, (lr, lr))
            assert_holds_its_own(loader)
    assert "rebuilding it" not in capsys.readouterr().out


def test_caches_of_a_single_folder_keep_their_names(tmp_path):
    hr = write(tmp_path / "HR", "a")
    lr = write_lr(tmp_path / "LR", hr, "a")
    make_loader(tmp_path / "c", str(hr), str(lr)).prepare()
    make_loader(tmp_path / "c", str(hr)).prepare()
    made = {path.name for path in (tmp_path / "c").iterdir()}
    # As they were named before there were several.
    digests = [hashlib.sha256(bytes(p)).hexdigest()[:12] for p in (hr, lr / "x2")]
    name = f"{tmp_path.name}-HR"[-40:]
    assert made == {
        f"{name}-{digests[0]}.pixels",
        f"{name}-{digests[0]}-x2.pixels",
        f"LR-x2-{digests[1]}.pixels",
    }


def test_a_folder_below_another_that_is_given_too_counts_once(tmp_path):
    hr = write(tmp_path / "HR", "a", "sub/b")
    pairs = find_pairs(make_sources((str(hr), str(hr / "sub"))), (2,))
    assert names_of(pairs) == ["1/a", "2/b"]


@pytest.mark.parametrize("prefix", ["--data", "--validate"])
def test_each_folder_needs_its_lr_or_none_has_any(tmp_path, prefix):
    loader = make_loader(tmp_path, ("a", "b"), "c", prefix)
    with pytest.raises(
        InputError, match=f"^{prefix}_input_path is given once, {prefix}_truth_path 2 "
    ):
        loader.describe()


def write_list(tmp_path, text, name="list.txt"):
    (tmp_path / name).write_text(text)
    return f"@{tmp_path / name}"


def test_a_list_names_images_relative_to_its_folder(tmp_path):
    hr = write(tmp_path / "HR", "a", "sub/b", "c", "d")
    truth = write_list(tmp_path, "# Some.\n\nHR/d.png\r\n HR/a.png\nHR/sub/b.png\n")
    loader = make_loader(tmp_path / "cache", truth)
    assert_holds_its_own(loader)
    assert names_of(loader.images) == ["d", "a", "sub/b"]
    lr = write_lr(tmp_path / "LR", hr, "a", "sub/b", "c", "d")
    assert_holds_its_own(make_loader(tmp_path / "cache", truth, str(lr)))
    absolute = write_list(tmp_path, f"{hr}/c.png\n", "other.txt")
    both = make_loader(tmp_path / "cache", (truth, absolute), (str(lr), str(lr)))
    assert_holds_its_own(both)
    assert names_of(both.images) == ["1/d", "1/a", "1/sub/b", "2/c"]


def test_lists_and_their_folder_have_caches_of_their_own(tmp_path, capsys):
    hr = write(tmp_path / "HR", "a", "b")
    lr = str(write_lr(tmp_path / "LR", hr, "a", "b"))
    lists = [write_list(tmp_path, f"HR/{n}.png", f"{n}.txt") for n in "ab"]
    for truth in (*lists, str(hr)) * 2:
        for its_lr in (None, lr):
            make_loader(tmp_path / "cache", truth, its_lr).prepare()
    assert "rebuilding it" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HR/a.png\n\nHR/e.png\n", r", line 3: HR/e\.png is not a file in"),
        (
            "HR/a.png\nHR\n",
            ", line 2: HR is not an image; expected a file that ends in",
        ),
        ("HR/a.png\nb.gif", r", line 2: b\.gif is not an image"),
        ("HR/a.png\nHR/a.png", "line 2: HR/a.png is also in line 1"),
        ("# nothing\n", "the list is empty"),
        (None, "cannot be read .No such file"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_with_the_line(tmp_path, text, said):
    write(tmp_path / "HR", "a")
    truth = write_list(tmp_path, text or "")
    if text is None:
        (tmp_path / "list.txt").unlink()
    with pytest.raises(InputError, match=f"^--data_truth_path={truth}.*{said}"):
        find_pairs(make_sources(truth, None), (2,))


def test_lr_images_come_from_a_folder_and_not_from_a_list(tmp_path):
    with pytest.raises(
        InputError, match="^--data_input_path=@x: only --data_truth_path accepts"
    ):
        find_pairs(make_sources("HR", "@x"), (2,))


def test_scripts_take_several_folders_and_lists_and_runs_go_on(tmp_path):
    hr, more = write(tmp_path / "HR", "a", "sub/b"), write(tmp_path / "more", "a", "c")
    chosen = write_list(tmp_path, "more/c.png")
    data = [f"--data_truth_path={hr}", f"--data_truth_path={chosen}"]
    valid = [f"--validate_truth_path={hr}", f"--validate_truth_path={more}"]
    train = [
        *("--eusr_model_scales=2", "--eusr_conv_features=4", "--eusr_shared_blocks=1"),
        *("--batch_size=2", "--input_patch_size=8", f"--cache_path={tmp_path}/cache"),
        *(f"--train_path={tmp_path}/run", *valid, "--validate_freq=1"),
    ]
    first = run_here("train.py", *data, *train, "--max_steps=1")
    assert first.returncode == 0, first.stderr
    assert f"3 images: 2 of {hr} (1/...), 1 of {chosen} (2/...)." in first.stdout
    assert f"Validating on 4 images of {hr}, {more}." in first.stdout
    # 2/a holds the same as 1/a.
    assert (
        "4 of the images to validate on are also trained on (1/a, 1/s" in first.stderr
    )
    arguments = json.loads((tmp_path / "run" / "arguments.json").read_text())
    assert arguments["data_truth_path"] == [str(hr), chosen]
    assert arguments["data_input_path"] is None
    again = run_here("train.py", *data, *train, "--max_steps=2")
    assert again.returncode == 0 and "Resuming from" in again.stdout
    line = fail_here("train.py", data[0], *train, "--max_steps=3")
    assert "the data set was 3 images" in line

    report, save = tmp_path / "report.json", tmp_path / "SR"
    validate = ("validate.py", "--model=bicubic", "--scales=2", *data)
    succeed_here(
        *validate,
        *(f"--report_path={report}", f"--save_path={save}"),
        f"--report={tmp_path}/report.html",
    )
    said = json.loads(report.read_text())
    assert list(said["scales"]["2"]["images"]) == ["1/a", "1/sub/b", "2/c"]
    assert said["data_truth_path"] == [str(hr), chosen]
    saved = sorted(str(p.relative_to(save)) for p in save.rglob("*.png"))
    assert saved == ["x2/1/a.png", "x2/1/sub/b.png", "x2/2/c.png"]
    assert f"3 from {hr}, {chosen}" in (tmp_path / "report.html").read_text()


def test_pictures_are_not_saved_over_images_in_a_folder(tmp_path):
    hr = write(tmp_path / "x2", "sub/b")
    line = fail_here(
        *("validate.py", "--model=bicubic", "--scales=2"),
        *(f"--data_truth_path={hr}", f"--save_path={tmp_path}"),
    )
    assert f"--save_path={tmp_path}: {hr / 'sub'} holds the images" in line
