import csv
import json
import signal

import keras
import numpy as np
import pytest

from console.errors import InputError
from dataloaders.ava import AVA
from dataloaders.scored import ScoredSettings
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.trainer import COLUMNS, RunFiles, Trainer
from score_predictors.weight_files import WeightFile
from tests.scored_data import write_ava


def make_trainer(folder, learning_rate=1e-3, **settings):
    """A run on 7 pictures of 32 pixels: 3 steps an epoch."""
    keras.utils.set_random_seed(0)
    loader = AVA(
        ScoredSettings("0,7", "7,12", 32, 3, threads=2),
        folder / "AVA.txt",
        folder / "images",
    )
    loader.prepare()
    settings = {"alpha": 0.35, "weights": "none", "dropout": 0.5} | settings
    files = RunFiles(folder / "train", "ava.h5")
    return Trainer(MobileNetV2(Settings(**settings)), loader, files, learning_rate)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two epochs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    write_ava(folder)
    trainer = make_trainer(folder)
    assert trainer.run(2) is None
    return trainer


def read_arrays(path):
    with WeightFile(path, "") as file:
        return [dataset[()] for _, dataset in file.datasets]


def test_a_run_writes_all_its_files_under_one_name(whole):
    names = {path.name for path in whole.files.folder.iterdir()}
    assert names == {"ava.h5", "ava.best.h5", "ava.state", "ava.csv", "ava"}
    rows = list(csv.DictReader(whole.files.table.open()))
    assert tuple(rows[0]) == COLUMNS and [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["validation_loss"]) > 0
    with WeightFile(whole.files.weights, "") as file:
        assert file.attributes["first_score"] == 1
        assert file.attributes["dataloader"] == "ava"


def test_a_run_that_was_stopped_within_an_epoch_ends_as_one_that_was_not(
    whole, tmp_path, capsys
):
    write_ava(tmp_path)
    first = make_trainer(tmp_path)
    train = first._train
    first._train = lambda *batch: (
        signal.raise_signal(signal.SIGTERM) if first.step == 3 else None,
        train(*batch),
    )
    assert first.run(2) == 128 + signal.SIGTERM
    assert first.step == 4
    assert "Stopped by SIGTERM after step 4 of 6" in capsys.readouterr().out
    second = make_trainer(tmp_path)
    assert second.resume().endswith("model.ckpt-4")
    assert second.step == 4
    assert second.run(2) is None
    for ours, theirs in zip(
        read_arrays(second.files.weights),
        read_arrays(whole.files.weights),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    ours, theirs = (
        [epoch["loss"] for epoch in trainer.history.epochs]
        for trainer in (second, whole)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_only_the_last_layer_moves_and_averages_stay_when_only_it_is_trained(tmp_path):
    write_ava(tmp_path)
    trainer = make_trainer(tmp_path, train_last_only=True)
    network = trainer.predictor.network
    before = {w.path: np.asarray(w) for w in network.weights}
    batch = trainer.loader.batch(0)
    trainer._train(batch.patches, batch.distributions)
    moved = {w.path for w in network.weights if (before[w.path] != np.asarray(w)).any()}
    assert moved == {"dense/kernel", "dense/bias"}


def test_all_weights_move_when_all_are_trained(whole):
    trained = {variable.path for variable in whole.predictor.trained_weights}
    assert "Conv1/kernel" in trained and "dense/bias" in trained
    assert "bn_Conv1/moving_mean" not in trained


def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_nothing(tmp_path):
    write_ava(tmp_path)
    trainer = make_trainer(tmp_path, learning_rate=1e-3)
    head = trainer.predictor.head
    head.kernel.assign(np.full(head.kernel.shape, np.nan))
    with pytest.raises(InputError, match="step 1 is not finite"):
        trainer.run(1)
    assert not trainer.files.weights.exists()


def test_the_best_epoch_is_the_one_of_the_least_validation_loss(tmp_path, monkeypatch):
    write_ava(tmp_path)
    trainer = make_trainer(tmp_path, train_last_only=True)
    losses = iter([0.3, 0.2, 0.4])
    monkeypatch.setattr(
        trainer,
        "validate",
        lambda _: {
            "validation_loss": next(losses),
            "validation_srcc": float("nan"),
            "validation_lcc": 0.1,
        },
    )
    saved = []
    save = trainer._save_weights
    monkeypatch.setattr(
        trainer, "_save_weights", lambda path: saved.append(path.name) or save(path)
    )
    trainer.run(3)
    assert saved == ["ava.best.h5", "ava.h5", "ava.best.h5", "ava.h5", "ava.h5"]


def test_a_run_is_set_aside_whole(tmp_path):
    files = RunFiles(tmp_path, "ava.h5")
    assert files.set_aside() is None
    for path in (files.weights, files.best, files.table, files.arguments):
        path.write_text(json.dumps({}))
    for path in (files.state, files.logs):
        path.mkdir()
    (tmp_path / "tid.h5").write_text("")
    assert files.set_aside() == tmp_path / "ava.old1.h5"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("ava.old1.h5", "ava.old1.best.h5", "ava.old1.state", "ava.old1.csv"),
        *("ava.old1.arguments.json", "ava.old1", "tid.h5"),
    }
    files.weights.write_text("")
    assert files.set_aside() == tmp_path / "ava.old2.h5"


def test_a_name_with_a_folder_is_refused():
    with pytest.raises(InputError, match="without a folder"):
        RunFiles("train", "sub/ava.h5")
