"""The scripts, started as a user would, on small pictures."""

import json
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from imaging.files import load_image, save_image
from imaging.imresize import imresize
from tests.forked import Script
from tests.measured import Reader
from tests.pictures import draw_picture, write_pictures
from tests.scripts import fail_here, run_here, succeed, succeed_here
from tests.shared_data import SHARED, needs_shared
from tests.small import SMALL_FLAGS


class Road:
    """A folder with pictures, and the commands that work on it."""

    def __init__(self, path):
        self.path = path
        write_pictures(path / "HR", [(40, 52), (44, 40)])
        self.data = [f"--data_truth_path={path / 'HR'}"]
        self.run = path / "run"

    def train(self, *flags, command=succeed_here):
        return command(
            "train.py",
            *self.data,
            f"--cache_path={self.path / 'cache'}",
            f"--train_path={self.run}",
            "--scales=2",
            "--batch_size=2",
            "--input_patch_size=8",
            "--log_freq=2",
            "--save_freq=3",
            *SMALL_FLAGS,
            *flags,
        )


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """A road that was walked as far as step 4."""
    road = Road(tmp_path_factory.mktemp("road"))
    road.said = road.train("--max_steps=4", "--scales=2,4", command=succeed)
    return road


def test_training_says_what_it_does_and_keeps_what_it_was_started_with(road):
    assert "Training eusr at x2, x4 on the CPU from step 0 to 4" in road.said
    assert road.said.count("step 2/4") == 1
    arguments = json.loads((road.run / "arguments.json").read_text())
    assert arguments["eusr_conv_features"] == 4
    assert arguments["scales"] == [2, 4]
    assert arguments["data_truth_path"] == str(road.path / "HR")
    names = {path.name for path in road.run.glob("*.index")}
    assert names == {"model.ckpt-3.index", "model.ckpt-4.index"}


def test_the_same_command_goes_on_where_it_stopped(tmp_path):
    road = Road(tmp_path)
    road.train("--max_steps=3")
    said = road.train("--max_steps=5", "--log_freq=1")
    assert "Resuming from" in said and "from step 3 to 5" in said
    assert "step 4/5" in said and "step 3/5" not in said
    assert "Nothing to do" in road.train("--max_steps=5")


def test_a_run_that_was_started_differently_is_not_gone_on_with(road):
    flags = "--max_steps=9", "--seed=1", "--batch_size=3", "--scales=2,4"
    line = road.train(*flags, command=fail_here)
    assert "--batch_size was 2 and is 3; --seed was 0 and is 1" in line


def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_taken(tmp_path):
    road = Road(tmp_path)
    road.train("--max_steps=4")
    for file in road.run.glob("model.ckpt-4.data*"):
        file.write_bytes(file.read_bytes()[:100])
    done = road.train("--max_steps=5", command=run_here)
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: ") and "model.ckpt-4" in done.stderr
    assert "model.ckpt-3." in done.stdout and "from step 3 to 5" in done.stdout


def test_restart_begins_anew_and_keeps_the_old_run(tmp_path):
    road = Road(tmp_path)
    road.train("--max_steps=3")
    said = road.train("--max_steps=2", "--seed=1", "--restart")
    assert f"Renamed the previous run from {road.run} to {road.run}.old1" in said
    assert "from step 0 to 2" in said
    assert (tmp_path / "run.old1" / "model.ckpt-3.index").exists()
    assert {path.name for path in road.run.glob("*.index")} == {"model.ckpt-2.index"}
    road.train("--max_steps=1", "--restart")
    assert (tmp_path / "run.old2" / "model.ckpt-2.index").exists()


def test_a_global_step_counts_once(tmp_path):
    road = Road(tmp_path)
    assert "from step 100 to 102" in road.train("--global_step=100", "--max_steps=102")
    assert "from step 102 to 104" in road.train("--global_step=100", "--max_steps=104")
    # Back before steps that were saved: these are kept aside.
    said = road.train("--global_step=50", "--max_steps=52")
    assert "from step 50 to 52" in said and "later.old1" in said
    assert "from step 52 to 54" in road.train("--global_step=50", "--max_steps=54")


def test_a_run_goes_back_to_a_checkpoint_of_its_own_and_loses_none(tmp_path):
    road = Road(tmp_path)
    road.train("--max_steps=2", "--save_freq=1", "--eusr_learning_rate=1e-2")

    def digests(folder):
        files = sorted(folder.glob("model.ckpt-*.data*"))
        return {f.name.partition(".data")[0]: f.read_bytes() for f in files}

    first = digests(road.run)
    back = ["--eusr_learning_rate=1e-2", f"--restore_path={road.run}/model.ckpt-1"]
    back += ["--global_step=1", "--save_freq=1"]
    said = road.train(*back, "--max_steps=3")
    assert f"Going back to {road.run}/model.ckpt-1." in said
    assert "from step 1 to 3" in said
    assert digests(road.run / "later.old1") == {"model.ckpt-2": first["model.ckpt-2"]}
    now = digests(road.run)
    assert list(now) == ["model.ckpt-1", "model.ckpt-2", "model.ckpt-3"]
    assert now["model.ckpt-1"] == first["model.ckpt-1"]
    # Adam and the place in the data went back, too; only the arguments differ.
    names = [f"{road.run}/{x}model.ckpt-2" for x in ("", "later.old1/")]
    ours, theirs = map(tf.train.load_checkpoint, names)
    for name in ours.get_variable_to_shape_map():
        if name.endswith("VARIABLE_VALUE") and "save_counter" not in name:
            same = np.array_equal(ours.get_tensor(name), theirs.get_tensor(name))
            assert same, name
    assert "from step 3 to 4" in road.train(*back, "--max_steps=4")
    # A step that is not that of the newest is written beside nothing genuine.
    said = road.train("--global_step=3", "--max_steps=4", "--eusr_learning_rate=1e-2")
    assert set(digests(road.run / "later.old2")) == {"model.ckpt-3", "model.ckpt-4"}


def test_a_run_that_starts_elsewhere_is_not_put_into_the_folder_of_another(
    road, tmp_path
):
    other = Road(tmp_path)
    start = f"--restore_path={road.run}"
    other.train("--max_steps=1", start)
    assert "from step 1 to 2" in other.train("--max_steps=2")
    # As at the first start, which is no longer the last.
    assert "from step 2 to 3" in other.train("--max_steps=3", start)
    elsewhere = f"--restore_path={road.run}/model.ckpt-3"
    line = other.train("--max_steps=4", elsewhere, command=fail_here)
    assert f"--train_path={other.run} holds a run that did not start from it" in line
    assert "give another --train_path" in line
    own = f"--restore_path={other.run}/model.ckpt-1"
    target = "--restore_target=generator"
    line = other.train("--max_steps=4", own, target, command=fail_here)
    assert "leave out --restore_target" in line


@needs_shared
def test_a_checkpoint_of_another_program_is_no_run_to_go_on_with(tmp_path):
    road = Road(tmp_path)
    road.run.mkdir()
    for path in (SHARED / "reference" / "tf1" / "eusr").glob("model.ckpt-0.*"):
        shutil.copy(path, road.run / path.name.replace("-0.", "-1000."))
    line = road.train("--max_steps=4", command=fail_here)
    assert "model.ckpt-1000 was written by another program" in line
    # Adam's moments come along, as --restore_target=generator would not let them.
    assert "--restore_path" in line and "--restore_target" not in line


def test_a_new_run_can_start_from_weights_of_another(road, tmp_path):
    other = Road(tmp_path)
    flags = ["--max_steps=1", f"--restore_path={road.run}"]
    assert "Starting from the weights of" in other.train(*flags)
    with pytest.raises(AssertionError):
        other.train(*flags, f"--train_path={tmp_path}/new", "--restore_target=x")


def test_ctrl_c_ends_training_with_a_checkpoint(tmp_path):
    road = Road(tmp_path)
    process = road.train("--max_steps=100000", command=lambda *words: Script(words))
    while "step 2/" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert "Stopped by SIGINT after step" in said
    assert len(list(road.run.glob("model.ckpt-*.index"))) >= 1


def test_validate_reports_every_image_beside_bicubic(road, tmp_path):
    said = succeed_here(
        "validate.py",
        *road.data,
        "--scales=2,4",
        f"--restore_path={road.run}",
        f"--save_path={tmp_path}",
        f"--report_path={tmp_path / 'report.json'}",
    )
    assert "eusr x2" in said and "average" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["model"], report["step"]) == ("eusr", 4)
    for scale in (2, 4):
        measured = report["scales"][str(scale)]
        assert set(measured["images"]) == {"0", "1"}
        values = [image["psnr_y"] for image in measured["images"].values()]
        assert measured["average"]["psnr_y"] == pytest.approx(np.mean(values))
        squares = [image["mse_y"] for image in measured["images"].values()]
        assert measured["average"]["rmse_y"] == pytest.approx(np.sqrt(np.mean(squares)))
        assert measured["bicubic"]["average"]["ssim_y"] > 0
        assert load_image(tmp_path / f"x{scale}" / "0.png").shape == (40, 52, 3)


def test_validate_writes_a_page_and_a_csv_file(road, tmp_path):
    page, table = tmp_path / "out" / "report.html", tmp_path / "out" / "all.csv"
    flags = [f"--report={page}", f"--csv_path={table}", "--report_images=1"]
    restore = [f"--restore_path={road.run}", "--scales=2,4"]
    said = succeed_here("validate.py", *road.data, *restore, *flags)
    assert f"Wrote {page}" in said and f"Wrote {table}" in said
    scales = Reader(page.read_bytes()).data["scales"]
    assert [len(scale["exhibits"]) for scale in scales] == [1, 1]
    # Both models: two images at two scales, and the averages.
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == 1 + 2 * 2 * 3
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "all.csv",
        "report.html",
    ]


def test_equal_images_have_no_psnr_that_json_could_hold(tmp_path):
    save_image(tmp_path / "HR" / "flat.png", np.full((40, 40, 3), 90, np.uint8))
    report = tmp_path / "report.json"
    succeed_here(
        *("validate.py", "--model=bicubic", f"--data_truth_path={tmp_path / 'HR'}"),
        *("--scales=2", f"--report_path={report}"),
    )
    measured = json.loads(report.read_text(), parse_constant=pytest.fail)
    assert measured["scales"]["2"]["average"]["psnr_y"] is None
    assert measured["scales"]["2"]["average"]["ssim_y"] == 1.0


def test_bicubic_is_a_model_that_needs_no_checkpoint(road, tmp_path):
    report = tmp_path / "report.json"
    flags = ["--model=bicubic", "--scales=2", f"--report_path={report}"]
    succeed_here("validate.py", *road.data, *flags, f"--save_path={tmp_path}")
    measured = json.loads(report.read_text())["scales"]["2"]
    assert measured["average"] == measured["bicubic"]["average"]
    lr = imresize(draw_picture(40, 52, 0), 1 / 2)
    saved = load_image(tmp_path / "x2" / "0.png")
    np.testing.assert_array_equal(saved, imresize(lr, 2))


def test_output_and_truth_are_cut_to_their_common_size(tmp_path):
    hr = draw_picture(41, 39)
    save_image(tmp_path / "HR" / "a.png", hr)
    save_image(tmp_path / "LR" / "x2" / "a.png", imresize(hr, 1 / 2))
    succeed_here(
        "validate.py",
        "--model=bicubic",
        "--scales=2",
        f"--data_truth_path={tmp_path / 'HR'}",
        f"--data_input_path={tmp_path / 'LR'}",
    )


@pytest.mark.parametrize("scales", ["4", "2,4"])
def test_frozen_and_unfrozen_give_the_same_picture(road, tmp_path, scales):
    model = tmp_path / "model.pb"
    restore = ["--model=eusr", f"--restore_path={road.run}"]
    flags = [f"--scales={scales}", f"--output_path={model}"]
    assert "it reproduces the model's output" in succeed_here(
        "freeze.py", *restore, *flags
    )
    picture = road.path / "HR" / "1.png"
    for name, source in (("pb", [f"--model_name={model}"]), ("ckpt", restore)):
        output = [f"--input_path={picture}", f"--output_path={tmp_path / name}"]
        said = succeed_here("test.py", *source, *output, "--scale=4")
        assert "Upscaled 1 of 1 pictures by 4." in said
    pictures = [load_image(tmp_path / name / "1.png") for name in ("pb", "ckpt")]
    assert pictures[0].shape == (176, 160, 3)
    np.testing.assert_array_equal(*pictures)


def test_pictures_of_other_formats_go_in_and_a_broken_one_is_left_out(tmp_path):
    folder = tmp_path / "LR"
    folder.mkdir()
    for name in ("a.jpg", "b.bmp", "c.png"):
        Image.fromarray(draw_picture(9, 12)).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    done = run_here(
        "test.py",
        "--model=bicubic",
        "--scale=3",
        f"--input_path={folder}",
        f"--output_path={tmp_path / 'SR'}",
    )
    assert done.returncode == 1
    assert "Upscaled 3 of 4 pictures" in done.stdout
    assert done.stderr.count("\n") == 1 and "broken.png: is not an image" in done.stderr
    names = sorted(path.name for path in (tmp_path / "SR").glob("[!.]*"))
    assert names == ["a.jpg", "b.bmp", "c.png"]


@pytest.mark.parametrize("scale", [2, 4])
def test_a_tile_size_changes_nothing_in_the_picture(road, tmp_path, scale):
    pictures = []
    for size in ("auto", 12):
        output = tmp_path / str(size)
        succeed_here(
            "test.py",
            f"--restore_path={road.run}",
            f"--input_path={road.path / 'HR' / '0.png'}",
            f"--output_path={output}",
            f"--scale={scale}",
            f"--tile_size={size}",
        )
        pictures.append(load_image(output / "0.png").astype(int))
    # Another order of addition may turn a half over.
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_the_help_shows_the_flags_of_model_and_loader():
    full = run_here("train.py", "--model=eusr", "--helpfull").stdout
    for flag in ("eusr_shared_blocks", "data_truth_path", "sleep_ratio", "batch_size"):
        assert f"--{flag}" in full or f"--[no]{flag}" in full
    short = run_here("train.py", "--helpshort").stdout
    assert "--max_steps" in short
    assert len(short.splitlines()) <= 50


def test_a_flagfile_chooses_the_model_too(tmp_path):
    file = tmp_path / "flags.txt"
    file.write_text("--model=nothing\n")
    assert "--model=nothing does not exist" in fail_here(
        "train.py", f"--flagfile={file}"
    )


def mistakes(road, folder):
    """From what is done wrong to a command and what its line has to say."""
    hr, checkpoint = road.path / "HR", f"--restore_path={road.run}"
    text = folder / "text"
    text.mkdir()
    (text / "a.png").write_text("not a picture")
    cut = folder / "cut"
    shutil.copytree(hr, cut)
    whole = (cut / "1.png").read_bytes()
    (cut / "1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty").mkdir()
    odd = folder / "odd"
    shutil.copytree(hr, odd / "HR")
    write_pictures(odd / "x2", [(20, 26), (22, 19)])
    write_pictures(folder / "LR" / "x2", [(20, 26), (22, 20)])
    (folder / "model.pb").write_text("not a graph")
    (folder / "file").write_text("")
    small = ["--input_patch_size=8", "--batch_size=2", "--scales=2", *SMALL_FLAGS]
    to = [f"--train_path={folder}/run", f"--cache_path={folder}/cache", *small]
    pb = f"--model_name={folder}/model.pb"
    picture = f"--input_path={hr}/0.png"
    train, validate = "train.py", "validate.py"
    truth = "--data_truth_path="
    return {
        "no such model": (train, ["--model=nothing"], "expected one of: "),
        "no such loader": (train, ["--dataloader=x"], "basic_loader, div2k"),
        "no flag at all": (train, ["train"], "'train' is not a flag"),
        "no such flag": (train, ["--batch_sise=4"], "Did you mean --batch_size"),
        "no number": (train, ["--batch_size=x"], "--batch_size=x"),
        "no numbers": (train, ["--scales=2,x"], "comma-separated whole numbers"),
        "nothing to train": (train, ["--model=bicubic"], "no weights to train"),
        "no folder": (train, [f"{truth}{folder}/none", *to], "does not exist"),
        "empty folder": (train, [f"{truth}{folder}/empty", *to], "no images"),
        "text named png": (train, [f"{truth}{text}", *to], "a.png: is not an image"),
        "truncated": (train, [f"{truth}{cut}", *to], "1.png: is truncated"),
        "other size": (
            train,
            [f"{truth}{odd}/HR", f"--data_input_path={odd}", *to],
            "1.png is 19x22, but",
        ),
        "no LR folder": (
            train,
            [f"{truth}{hr}", f"--data_input_path={folder}", *to],
            "has no folder x2 ",
        ),
        "only small images": (
            train,
            [f"{truth}{hr}", *to, "--input_patch_size=48"],
            "smaller than a patch (96x96",
        ),
        "no path for a scale": (
            train,
            [f"{truth}{hr}", *to, "--scales=8"],
            "--scales=8: eusr supports 2, 4. --eusr_model_scales=2,3,4,8",
        ),
        "a weight for no scale": (
            train,
            [f"{truth}{hr}", *to, "--scales=2", "--scale_weights=2,1"],
            "expected a whole number from 1 to 100 for each of --scales=2.",
        ),
        "a file as run folder": (
            train,
            [f"{truth}{hr}", *to, f"--train_path={folder}/file/run"],
            "is a file, not a folder",
        ),
        "no checkpoint": (
            validate,
            [f"{truth}{hr}", f"--restore_path={road.run}/model.ckpt-9"],
            "Checkpoints there: model.ckpt-4, model.ckpt-3",
        ),
        "another model": (
            validate,
            [f"{truth}{hr}", "--model=bicubic", checkpoint],
            "holds eusr. Leave --model out",
        ),
        "another size of network": (
            validate,
            [f"{truth}{hr}", "--model=eusr", checkpoint, "--eusr_conv_features=8"],
            "--eusr_conv_features=8 differs from",
        ),
        "nothing to freeze": ("freeze.py", ["--model=bicubic"], "no network to freeze"),
        "no graph": ("test.py", [pb, picture], "not a frozen graph"),
        "no file": ("test.py", ["--model_name=none.pb", picture], "no such file"),
        "graph and checkpoint": (
            "test.py",
            [pb, picture, checkpoint],
            "cannot be used with",
        ),
        "over the source": (
            "test.py",
            [checkpoint, f"--input_path={hr}", f"--output_path={hr}"],
            "would overwrite",
        ),
        "two paths for a scale": (
            train,
            [f"{truth}{hr}", *to, "--eusr_model_scales=2,2"],
            "--eusr_model_scales=2,2: expected one or more of",
        ),
        "too large a batch": (
            train,
            [f"{truth}{hr}", *to, "--batch_size=100000000"],
            "should fit.",
        ),
        "weights of another size": (
            train,
            [f"{truth}{hr}", *to, "--eusr_conv_features=8", checkpoint],
            "holds another network than",
        ),
        "where one is, begun anew": (
            train,
            [f"{truth}{hr}", *to, "--train_path=.", "--restart"],
            "cannot be renamed",
        ),
        "over the measured images": (
            validate,
            [
                *(f"{truth}{hr}", f"--data_input_path={folder}/LR", "--scales=2"),
                *(checkpoint, f"--save_path={folder}/LR"),
            ],
            "would be overwritten",
        ),
        "a folder as report": (
            validate,
            [f"{truth}{hr}", checkpoint, "--scales=2", f"--report_path={folder}"],
            "is a folder; give the name of a file",
        ),
        "a report that is no page": (
            validate,
            [f"{truth}{hr}", checkpoint, "--scales=2", "--report=report.json"],
            "--report=report.json: expected a name that ends in .html",
        ),
        "a folder as CSV": (
            validate,
            [f"{truth}{hr}", checkpoint, "--scales=2", f"--csv_path={folder}"],
            "is a folder; give the name of a file",
        ),
        "too small to measure": (
            validate,
            [f"{truth}{hr}", checkpoint, "--scales=2", "--shave_size=15"],
            "0.png: too small to be measured at x2, which",
        ),
        "a missing scale": (
            validate,
            [
                *(f"{truth}{hr}", checkpoint, "--scales=2,4"),
                f"--data_input_path={folder}/LR",
            ],
            "has no folder x4 ",
        ),
        "a folder that is not the demo's": (
            "misc/demo.py",
            [f"--output_path={folder}/cut"],
            "no demo wrote it",
        ),
        "no flagfile": (
            train,
            [f"--flagfile={folder}/none"],
            "Unable to open flagfile",
        ),
        "no GPU of that name": (train, ["--cuda_device=first"], "expected numbers"),
    }


@needs_shared
def test_a_scale_that_a_file_of_another_program_does_not_do_gets_one_line(tmp_path):
    line = fail_here(
        "test.py",
        f"--model_name={SHARED / 'reference' / 'tf1' / 'eusr' / 'model.pb'}",
        f"--input_path={write_pictures(tmp_path / 'LR', [(9, 9)])}",
        f"--output_path={tmp_path / 'SR'}",
        "--scale=16",
    )
    assert "--scale=16: the model supports x2 and x4 and x8." in line


def test_each_mistake_gets_its_line_and_nothing_is_left_behind(road, tmp_path):
    cases = mistakes(road, tmp_path)
    assert len(cases) >= 15
    for name, (script, flags, expected) in cases.items():
        line = fail_here(script, *flags, cwd=tmp_path)
        assert expected in line, (name, line)
    assert not (tmp_path / "run").exists()
    assert load_image(tmp_path / "LR" / "x2" / "0.png").shape == (20, 26, 3)
    assert not list(tmp_path.rglob("*.part*"))
