"""The score predictors' scripts, started as a user would."""

import csv
import json
import os
import shutil

import keras
import pytest
from PIL import Image

from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from tests.pictures import draw_picture, write_pictures
from tests.scored_data import spoil, write_ava, write_tid2013
from tests.scripts import ROOT, fail, fail_here, run_here, succeed, succeed_here
from tests.small_predictor import OneLayer, SmallSettings

FOLDER = ROOT / "score_predictors"


class Road:
    """A folder with pictures of both databases and a file of weights."""

    def __init__(self, folder):
        self.folder = folder
        self.ava_file, self.ava_images = write_ava(folder / "AVA")
        self.tid_images = write_tid2013(folder / "TID2013")
        keras.utils.set_random_seed(0)
        made = OneLayer(SmallSettings())
        attributes = {"first_score": 0, "dataloader": "tid2013", **made.attributes()}
        self.weights = folder / "tid.h5"
        weight_files.save(self.weights, made.network, attributes)
        self.common = (
            f"--ava_dataset_path={self.ava_file}",
            f"--ava_image_path={self.ava_images}",
            *("--ava_train_range=0,-4", "--ava_validate_range=-4,0"),
            *("--batch_size=3", "--input_patch_size=32", "--epochs=1"),
            f"--train_path={folder / 'train'}",
        )

    def restore(self, weights=None):
        """Flags that name weights of the network that is trained here."""
        return "--model=one_layer", f"--restore_path={weights or self.weights}"

    def train(self, *flags, command=succeed_here, cwd=ROOT):
        return command(
            FOLDER / "train.py",
            *(*self.common, *self.restore(), "--one_layer_train_last_only"),
            *("--weight_filename=ava.h5", *flags),
            cwd=cwd,
        )


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    return Road(tmp_path_factory.mktemp("road"))


@pytest.fixture(scope="module")
def trained(road):
    """What the first start said."""
    return road.train()


@pytest.fixture(scope="module")
def trained_alone(road):
    """What the script says, started by itself from inside its folder; the weights."""
    network = MobileNetV2(Settings(alpha=0.35, weights="none")).network
    start = road.folder / "start.h5"
    weight_files.save(start, network, {"alpha": 0.35, "first_score": 0})
    said = succeed(
        *("train.py", *road.common, f"--restore_path={start}"),
        *("--weight_filename=alone.h5", "--mobilenetv2_train_last_only"),
        cwd=FOLDER,
    )
    return said, road.folder / "train" / "alone.h5"


def test_the_script_starts_by_itself_from_inside_its_folder(road, trained_alone):
    said, weights = trained_alone
    assert f"Starting from the weights of {road.folder / 'start.h5'}" in said
    assert "epoch 1/1  loss 0." in said and "validation srcc" in said
    arguments = json.loads(weights.with_suffix(".arguments.json").read_text())
    assert arguments["architecture"] == {"alpha": 0.35, "bn_momentum": 0.999}


def test_a_second_start_has_nothing_to_do_and_more_epochs_go_on(road, trained):
    assert f"Starting from the weights of {road.weights}" in trained
    assert "epoch 1/1  loss 0." in trained and "validation srcc" in trained
    assert "has 1 epochs of --epochs=1." in road.train()
    said = road.train("--epochs=2")
    assert "Resuming from" in said and "epoch 2/2" in said
    arguments = json.loads((road.folder / "train" / "ava.arguments.json").read_text())
    assert arguments["epochs"] == 2
    assert arguments["architecture"] == {"train_last_only": True, "dropout": 0.5}


def test_a_run_under_other_flags_is_refused_or_begun_anew(road, trained):
    line = road.train("--batch_size=2", command=fail_here)
    assert "--batch_size was 3 and is 2" in line and "--restart" in line
    said = road.train("--batch_size=2", "--restart", "--weight_filename=ava.h5")
    assert "The old run is now" in said
    assert (road.folder / "train" / "ava.old1.state").is_dir()


def test_weights_are_frozen_measured_and_used(road):
    pb = road.folder / "tid.pb"
    weights = road.restore()
    said = succeed_here(FOLDER / "freeze.py", *weights, f"--output_path={pb}")
    assert "it reproduces the network's scores" in said
    report, plot = road.folder / "report.json", road.folder / "plot.png"
    said = succeed_here(
        "score_predictors/evaluate.py",
        *(f"--model_name={pb}", "--dataloader=tid2013", "--input_patch_size=32"),
        *(f"--tid2013_image_path={road.tid_images}", "--tid2013_validate_range=0,4"),
        *(f"--report_path={report}", f"--plot_path={plot}"),
    )
    assert "01 Gaussian noise" in said and "08 Gaussian blur" in said
    numbers = json.loads(report.read_text())
    assert numbers["all"]["count"] == 4
    assert set(numbers["groups"]) == {"01 Gaussian noise", "08 Gaussian blur"}
    # The database's own scale, as the list of its scores has it.
    first = numbers["images"][0]
    assert (first["name"], first["target"]) == ("I01_01_1.bmp", 5.0)
    assert Image.open(plot).size[0] > 200


def test_pictures_are_scored_best_first_and_broken_ones_left_out(road, tmp_path):
    shutil.copytree(road.ava_images / "sub", tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_text("no picture")
    done = run_here(
        FOLDER / "predict.py",
        *road.restore(),
        f"--input_path={tmp_path / 'in'}",
        *("--input_patch_size=32", f"--report_path={tmp_path / 'scores.csv'}"),
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "broken.png" in done.stderr
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    scores = [float(row["score"]) for row in rows]
    assert len(rows) == 12 and scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 9 for score in scores)
    whole = succeed_here(
        FOLDER / "predict.py",
        *(*road.restore(), "--full_image"),
        f"--input_path={tmp_path / 'in' / '100.jpg'}",
    )
    assert whole.splitlines()[1].endswith("100.jpg")


@pytest.mark.parametrize(
    ("script", "flags", "found"),
    [
        ("train", ["--model=nothing"], "expected one of: mobilenetv2"),
        ("train", ["--dataloader=nothing"], "expected one of: ava, tid2013"),
        ("train", ["--weight_filename=a.weights.h5"], "another layout"),
        ("evaluate", ["--restore_path=a.h5"], "--ava_image_path must be given"),
        (
            "predict",
            ["--input_path=.", "--restore_path=a.h5", "--model_name=a.pb"],
            "found both of --restore_path",
        ),
        ("predict", ["--input_path=x", "--model_name=a.pb"], "--input_path=x: "),
        ("freeze", ["--restore_path=none.h5"], "none.h5: no such file"),
    ],
)
def test_a_mistake_gets_one_line(script, flags, found, tmp_path):
    assert found in fail_here(FOLDER / f"{script}.py", *flags, cwd=tmp_path)


def test_a_script_that_is_started_by_itself_tells_a_mistake_in_one_line(tmp_path):
    line = fail(FOLDER / "freeze.py", "--restore_path=none.h5", cwd=tmp_path)
    assert "none.h5: no such file" in line


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A set of two photographs in TID2013's layout, made by its script."""
    folder = tmp_path_factory.mktemp("scored")
    photographs = write_pictures(folder / "photographs", [(48, 56), (56, 48)])
    succeed_here(
        "misc/sample_scores.py",
        f"--input_path={photographs}",
        f"--output_path={folder / 'set'}",
    )
    return folder / "set" / "distorted_images"


def test_the_whole_road_is_walked_twice_from_the_root_and_from_inside(
    road, scored, tmp_path
):
    """Last layer, all layers, frozen, measured, used: all runs in one folder."""
    data = (
        *("--dataloader=tid2013", f"--tid2013_image_path={scored}"),
        *("--tid2013_validate_range=0,25", "--input_patch_size=32"),
    )
    train = tmp_path / "train"
    common = (
        *(*data, "--tid2013_train_range=25,0", "--batch_size=16", "--epochs=1"),
        *("--learning_rate=1e-4", f"--train_path={train}"),
    )
    last = ("--weight_filename=tid_last.h5", "--one_layer_train_last_only")
    starts = (
        (*last, *road.restore()),
        ("--weight_filename=tid.h5", *road.restore(train / "tid_last.h5")),
    )
    frozen = (*road.restore(train / "tid.h5"), f"--output_path={train / 'tid.pb'}")
    for attempt, cwd in enumerate((ROOT, FOLDER)):
        for start in starts:
            flags = (*common, *start)
            said = succeed_here(FOLDER / "train.py", *flags, cwd=cwd)
            assert ("epoch 1/1  loss" in said) == (attempt == 0)
            assert ("Nothing to do: " in said) == (attempt == 1)
        said = succeed_here(FOLDER / "freeze.py", *frozen, cwd=cwd)
        assert (
            "it reproduces the network's scores" in said and "first_score" not in said
        )
        weights = (f"--model_name={train / 'tid.pb'}", *data)
        said = succeed_here(FOLDER / "evaluate.py", *weights, cwd=cwd)
        assert "01 Gaussian noise" in said and said.splitlines()[-1].startswith("all")
        pictures = (*road.restore(train / "tid.h5"), f"--input_path={scored}")
        said = succeed_here(FOLDER / "predict.py", *pictures, cwd=cwd)
        assert len(said.splitlines()) == 51
    names = {path.name for path in train.iterdir()}
    ends = ("", ".h5", ".best.h5", ".state", ".csv", ".arguments.json")
    runs = {f"{stem}{end}" for stem in ("tid", "tid_last") for end in ends}
    assert names == {*runs, "tid.pb"}


def test_a_run_whose_file_of_arguments_is_gone_is_still_compared(road):
    name = "--weight_filename=gone.h5"
    road.train(name, "--epochs=2")
    (road.folder / "train" / "gone.arguments.json").unlink()
    line = road.train(name, "--seed=5", command=fail_here)
    assert "--seed was 0 and is 5" in line
    assert "has 2 epochs of --epochs=1." in road.train(name)


def test_weights_of_other_programs_are_not_replaced_by_a_new_run(road, tmp_path):
    shutil.copy(road.weights, tmp_path / "ava.h5")
    before = (tmp_path / "ava.h5").read_bytes()
    line = road.train(f"--train_path={tmp_path}", command=fail_here)
    assert "ava.h5 exists, but there is no ava.state to resume from" in line
    freeze = [f"--{name}_path={tmp_path / 'ava.h5'}" for name in ("restore", "output")]
    line = fail_here(FOLDER / "freeze.py", *freeze)
    assert "is a Keras weights file (HDF5), which would be replaced" in line
    assert (tmp_path / "ava.h5").read_bytes() == before


def test_what_is_wrong_with_the_start_is_told_before_pictures_are_looked_at(
    road, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = road.train(
        *(f"--train_path={tmp_path}", "--ava_validate_images"),
        f"--restore_path={tmp_path / 'none.h5'}",
        command=fail_here,
    )
    assert "none.h5: no such file" in line and not (tmp_path / "cache").exists()


@pytest.fixture(scope="module")
def unknown(road):
    """Weights that do not say which score is the lowest, as the TF1 code wrote them."""
    made, _ = OneLayer.from_file(road.weights, "")
    weight_files.save(road.folder / "unknown.h5", made.network, made.attributes())
    return road.folder / "unknown.h5"


def score_one(road, *flags):
    picture = road.ava_images / "sub" / "100.jpg"
    command = (f"--input_path={picture}", "--input_patch_size=32", *flags)
    said = succeed_here(FOLDER / "predict.py", *command)
    return said, float(said.splitlines()[-1].split()[0])


def test_a_lowest_score_that_nobody_says_is_told_and_not_made_up(road, unknown):
    pb = road.folder / "unknown.pb"
    freeze = (FOLDER / "freeze.py", *road.restore(unknown), f"--output_path={pb}")
    assert "The file does not hold the lowest score" in succeed_here(*freeze)
    for weights in (road.restore(unknown), (f"--model_name={pb}",)):
        said, assumed = score_one(road, *weights)
        assert "does not hold the lowest score; 1 is used" in said
        said, given = score_one(road, *weights, "--first_score=0")
        assert "is used" not in said
        assert given == pytest.approx(assumed - 1, abs=0.011)
    assert "does not hold" not in succeed_here(*freeze, "--first_score=0")
    said, known = score_one(road, f"--model_name={pb}")
    assert "is used" not in said and known == given


def test_weights_measured_on_another_data_set_are_pointed_out(road):
    done = run_here(
        FOLDER / "evaluate.py",
        *(*road.restore(), f"--ava_dataset_path={road.ava_file}"),
        *(f"--ava_image_path={road.ava_images}", "--ava_validate_range=-4,0"),
        "--input_patch_size=32",
    )
    assert done.returncode == 0
    (line,) = done.stderr.strip().splitlines()
    assert "was trained on --dataloader=tid2013 and is measured on" in line


def test_scores_that_are_not_finite_are_told_by_every_script(road, tmp_path):
    predictor, attributes = OneLayer.from_file(road.weights, "")
    spoil(predictor)
    path = tmp_path / "w.h5"
    weight_files.save(path, predictor.network, attributes)
    weights = road.restore(path)
    pb = f"--output_path={tmp_path / 'w.pb'}"
    assert "are not finite" in fail_here(FOLDER / "freeze.py", *weights, pb)
    assert not (tmp_path / "w.pb").exists()
    data = ("--dataloader=tid2013", f"--tid2013_image_path={road.tid_images}")
    small = ("--tid2013_validate_range=0,4", "--input_patch_size=32")
    line = fail_here(FOLDER / "evaluate.py", *weights, *data, *small)
    assert "4 of 4 pictures, for example I01_01_1.bmp, are not finite" in line
    pictures = f"--input_path={road.tid_images}"
    assert "not finite" in fail_here(FOLDER / "predict.py", *weights, pictures)


def test_pictures_whose_names_are_not_utf_8_are_scored(trained_alone, tmp_path):
    name = os.fsencode(tmp_path) + b"/in/\xff\xfe.png"
    (tmp_path / "in").mkdir()
    Image.fromarray(draw_picture(40, 40)).save(tmp_path / "in" / "a.png")
    os.rename(tmp_path / "in" / "a.png", name)
    report = tmp_path / "scores.csv"
    said = succeed(
        FOLDER / "predict.py",
        *(f"--restore_path={trained_alone[1]}", f"--input_path={tmp_path / 'in'}"),
        *("--input_patch_size=32", f"--report_path={report}"),
    )
    assert "in/\\udcff\\udcfe.png" in said
    assert report.read_bytes().endswith(name + b"\n")
