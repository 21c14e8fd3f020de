"""The score predictors' scripts, started as a user would."""

import csv
import json
import shutil

import keras
import pytest
from PIL import Image

from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from tests.scored_data import write_ava, write_tid2013
from tests.scripts import ROOT, fail, run, succeed

FOLDER = ROOT / "score_predictors"


class Road:
    """A folder with pictures of both databases and a file of weights."""

    def __init__(self, folder):
        self.folder = folder
        self.ava_file, self.ava_images = write_ava(folder / "AVA")
        self.tid_images = write_tid2013(folder / "TID2013")
        keras.utils.set_random_seed(0)
        network = MobileNetV2(Settings(alpha=0.35, weights="none")).network
        attributes = {"alpha": 0.35, "first_score": 0, "dataloader": "tid2013"}
        self.weights = folder / "tid.h5"
        weight_files.save(self.weights, network, attributes)

    def train(self, *flags, command=succeed, cwd=ROOT):
        return command(
            FOLDER / "train.py",
            f"--ava_dataset_path={self.ava_file}",
            f"--ava_image_path={self.ava_images}",
            *("--ava_train_range=0,-4", "--ava_validate_range=-4,0"),
            *("--batch_size=3", "--input_patch_size=32", "--epochs=1"),
            *("--mobilenetv2_train_last_only", f"--restore_path={self.weights}"),
            f"--train_path={self.folder / 'train'}",
            "--weight_filename=ava.h5",
            *flags,
            cwd=cwd,
        )


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    return Road(tmp_path_factory.mktemp("road"))


@pytest.fixture(scope="module")
def trained(road):
    """What the first start said, from inside the scripts' folder."""
    return road.train(cwd=FOLDER)


def test_a_second_start_has_nothing_to_do_and_more_epochs_go_on(road, trained):
    assert f"Starting from the weights of {road.weights}" in trained
    assert "epoch 1/1  loss 0." in trained and "validation srcc" in trained
    assert "has 1 epochs of --epochs=1." in road.train()
    said = road.train("--epochs=2")
    assert "Going on with" in said and "epoch 2/2" in said
    arguments = json.loads((road.folder / "train" / "ava.arguments.json").read_text())
    assert arguments["epochs"] == 2
    assert arguments["architecture"] == {"alpha": 0.35, "bn_momentum": 0.999}


def test_a_run_under_other_flags_is_refused_or_begun_anew(road, trained):
    line = road.train("--batch_size=2", command=fail)
    assert "--batch_size was 3 and is 2" in line and "--restart" in line
    said = road.train("--batch_size=2", "--restart", "--weight_filename=ava.h5")
    assert "The run so far is now" in said
    assert (road.folder / "train" / "ava.old1.state").is_dir()


def test_weights_are_frozen_measured_and_used(road):
    pb = road.folder / "tid.pb"
    weights = f"--restore_path={road.weights}"
    said = succeed(FOLDER / "freeze.py", weights, f"--output_path={pb}")
    assert "it gives the network's scores" in said
    report, plot = road.folder / "report.json", road.folder / "plot.png"
    said = succeed(
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
    done = run(
        FOLDER / "predict.py",
        *(f"--restore_path={road.weights}", f"--input_path={tmp_path / 'in'}"),
        *("--input_patch_size=32", f"--report_path={tmp_path / 'scores.csv'}"),
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "broken.png" in done.stderr
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    scores = [float(row["score"]) for row in rows]
    assert len(rows) == 12 and scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 9 for score in scores)
    whole = succeed(
        FOLDER / "predict.py",
        *(f"--restore_path={road.weights}", "--full_image"),
        f"--input_path={tmp_path / 'in' / '100.jpg'}",
    )
    assert whole.splitlines()[1].endswith("100.jpg")


@pytest.mark.parametrize(
    ("script", "flags", "found"),
    [
        ("train", ["--model=nothing"], "those that do: mobilenetv2"),
        ("train", ["--dataloader=nothing"], "those that do: ava, tid2013"),
        ("train", ["--weight_filename=a.weights.h5"], "another layout"),
        ("evaluate", ["--restore_path=a.h5"], "--ava_image_path must be given"),
        ("predict", ["--input_path=."], "neither of --restore_path"),
        ("predict", ["--input_path=x", "--model_name=a.pb"], "--input_path=x: "),
        ("freeze", ["--restore_path=none.h5"], "none.h5: no such file"),
    ],
)
def test_a_mistake_gets_one_line(script, flags, found, tmp_path):
    assert found in fail(FOLDER / f"{script}.py", *flags, cwd=tmp_path)
