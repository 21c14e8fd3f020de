import csv
import dataclasses
import errno
import json
import math
import signal
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from dataloaders.ava import AVA, AVASettings
from score_predictors import epochs, weight_files
from score_predictors.epochs import COLUMNS
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee
from score_predictors.weight_files import WeightFile
from tests.scored_data import spoil, write_ava
from tests.small_predictor import OneLayer
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions


class Run:
    """A run on 7 pictures of 32 pixels: 3 steps an epoch."""

    def __init__(
        self,
        folder,
        learning_rate=1e-3,
        leave_out_broken=False,
        schedule="constant",
        options=None,
        predictor_class=OneLayer,
        **settings,
    ):
        keras.utils.set_random_seed(0)
        self.loader = AVA(
            AVASettings(
                *("0,7", "7,12", 32, 3),
                threads=2,
                leave_out_broken=leave_out_broken,
                dataset_path=folder / "AVA.txt",
                image_path=folder / "images",
            ),
        )
        self.loader.prepare()
        self.prepare = lambda batch: None
        options = options or StepOptions()
        made_from = predictor_class.settings_classes[0](**settings)
        predictor = predictor_class(made_from, options.precision)
        self.files = RunFiles(folder / "train", "ava.h5")
        self.trainee = Trainee(predictor, learning_rate, schedule, options=options)

    def resume(self):
        return epochs.resume(self.trainee, self.loader, self.files)

    def make_loop(self, count):
        loop = epochs.make_loop(self.trainee, self.loader, self.files, count)
        take = loop.take_step
        loop.take_step = lambda batch: self.prepare(batch) or take(batch)
        return loop

    def run(self, count):
        return self.make_loop(count).run()

    def before_step(self, function):
        """Calls a function before each step is handed what it is made of."""
        self.prepare = function


def take_losses(monkeypatch, losses):
    """Lets validations find these losses in turn."""
    losses = iter(losses)
    monkeypatch.setattr(
        epochs.ByEpochs,
        "validate",
        lambda *_: {
            "validation_loss": next(losses),
            "validation_srcc": float("nan"),
            "validation_lcc": 0.1,
        },
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two epochs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    write_ava(folder)
    run = Run(folder)
    assert run.run(2) is None
    return run


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
    first = Run(tmp_path)
    first.before_step(
        lambda _: (
            signal.raise_signal(signal.SIGTERM) if first.trainee.step == 3 else None
        )
    )
    assert first.run(2) == 128 + signal.SIGTERM
    assert first.trainee.step == 4
    assert "Stopped by SIGTERM after step 4 of 6" in capsys.readouterr().out
    second = Run(tmp_path)
    assert second.resume().endswith("model.ckpt-4")
    assert second.trainee.step == 4
    assert second.run(2) is None
    for ours, theirs in zip(
        read_arrays(second.files.weights),
        read_arrays(whole.files.weights),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    ours, theirs = (
        [epoch["loss"] for epoch in run.trainee.history.epochs]
        for run in (second, whole)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_only_the_last_layer_moves_and_averages_stay_when_only_it_is_trained(tmp_path):
    write_ava(tmp_path)
    run = Run(tmp_path, train_last_only=True)
    network = run.trainee.network
    before = {w.path: np.asarray(w) for w in network.weights}
    run.trainee.train_step(*run.loader.batch(0).inputs()[1])
    moved = {w.path for w in network.weights if (before[w.path] != np.asarray(w)).any()}
    assert moved == {"dense/kernel", "dense/bias"}


def test_all_weights_move_when_all_are_trained(whole):
    trained = {variable.path for variable in whole.trainee.predictor.trained_weights}
    assert "Conv1/kernel" in trained and "dense/bias" in trained
    assert "bn_Conv1/moving_mean" not in trained


def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_nothing(tmp_path):
    write_ava(tmp_path)
    run = Run(tmp_path, learning_rate=1e-3)
    head = run.trainee.predictor.head
    head.kernel.assign(np.full(head.kernel.shape, np.nan))
    names = ", ".join(run.loader.batch(0).names)
    with pytest.raises(InputError, match=f"step 1 .pictures {names}. is not finite"):
        run.run(1)
    assert not run.files.weights.exists()


def test_scores_that_are_not_finite_stop_the_run_and_are_nobodys_best(
    tmp_path, monkeypatch
):
    write_ava(tmp_path)
    run = Run(tmp_path, train_last_only=True)
    # The weights are finite; what they give is not.
    monkeypatch.setattr(run.trainee, "train_step", lambda *_, scale: {})
    run.trainee.loss_count.assign(1.0)
    spoil(run.trainee.predictor)
    with pytest.raises(InputError, match="5 of 5 pictures, for example 107, are not"):
        run.run(1)
    assert not run.files.folder.exists() and run.trainee.history.epochs == []


def test_a_run_that_fails_before_its_first_step_writes_nothing(tmp_path):
    _, images = write_ava(tmp_path)
    for path in (images / "sub").iterdir():
        path.write_text("no picture")
    run = Run(tmp_path, train_last_only=True)
    with pytest.raises(InputError, match="--ava_validate_images finds and leaves out"):
        run.run(1)
    assert not run.files.folder.exists()


def test_a_run_that_a_broken_picture_stopped_goes_on_without_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_ava(tmp_path)
    first = Run(tmp_path, train_last_only=True)
    order = first.loader._shuffle(1)
    broken = order[4]  # Of the second epoch's second batch.
    batch = first.loader.batch

    def fail_or_load(step, share):
        if step == 4:
            raise InputError("it broke after the first epoch")
        return batch(step, share)

    first.loader.batch = fail_or_load
    with pytest.raises(InputError, match="it broke"):
        first.run(2)
    assert first.trainee.step == 4
    broken.path.write_text("no picture")
    second = Run(tmp_path, leave_out_broken=True, train_last_only=True)
    assert second.loader.describe() == first.loader.describe()
    capsys.readouterr()
    assert second.resume().endswith("ckpt-4")
    assert (
        "The data set has changed: 6 pictures to train on and 5 to validate on, before "
        "7 and 5."
    ) in capsys.readouterr().out
    trained = []
    second.before_step(lambda batch: trained.append(batch.distributions))
    assert second.run(2) is None
    # 3 of the second epoch's pictures were trained on before, 3 are now.
    expected = [row.distribution for row in order if row is not broken][3:]
    np.testing.assert_array_equal(np.concatenate(trained), expected)
    assert second.trainee.step == 5 and second.trainee.epoch == 2
    assert second.trainee.history.present["first_step"] == 5


def test_a_validation_that_was_stopped_costs_neither_epoch_nor_speed(tmp_path):
    write_ava(tmp_path)
    first = Run(tmp_path, train_last_only=True)
    validation_batch = first.loader.validation_batch

    def stop_and_load(position):
        if position == 0:  # A second signal would end the process at once.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        return validation_batch(position)

    first.loader.validation_batch = stop_and_load
    assert first.run(1) == 128 + signal.SIGTERM
    assert (first.trainee.step, first.trainee.epoch) == (3, 0)
    second = Run(tmp_path, train_last_only=True)
    second.resume()
    assert second.trainee.history.present["images"] == 7
    assert second.run(1) is None
    row = next(csv.DictReader(second.files.table.open()))
    speed, share = float(row["images_per_second"]), float(row["waiting_share"])
    assert speed == pytest.approx(7 / first.trainee.history.present["seconds"])
    assert 0 <= share <= 1
    # No step was done since the last save, but an epoch was.
    third = Run(tmp_path, train_last_only=True)
    third.resume()
    assert (third.trainee.step, third.trainee.epoch) == (3, 1)


def test_a_disk_that_fills_at_the_first_save_does_not_bar_the_way(
    tmp_path, monkeypatch
):
    write_ava(tmp_path)
    run = Run(tmp_path, train_last_only=True)

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    run.files.check_new()
    monkeypatch.setattr(CheckpointWriter, "save", fill)
    with pytest.raises(OSError, match="No space left"):
        run.run(1)
    run.files.check_new()


def test_states_of_other_programs_and_damaged_ones_are_told_by_the_weights_name(
    tmp_path,
):
    write_ava(tmp_path)
    run = Run(tmp_path, train_last_only=True)
    state = run.files.state
    prefix = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(state / "model.ckpt-3"))
    with pytest.raises(InputError, match="Give another --weight_filename.$") as caught:
        run.resume()
    assert str(caught.value).startswith("--weight_filename=ava.h5: model.ckpt-3 was")
    Path(f"{prefix}.index").write_text("damaged")
    with pytest.raises(InputError, match="^--weight_filename=ava.h5: none of its 1 "):
        run.resume()


def test_validation_measures_against_the_databases_means(tmp_path):
    write_ava(tmp_path)
    run = Run(tmp_path, train_last_only=True)
    # In batches of 3 and 2: means of 4, 5, 6, 4 and 5.
    run.trainee.predict = lambda p: np.eye(10, dtype=np.float32)[3 : 3 + len(p)]
    means = (4.0, 5.0, 6.0, 4.0, 5.0)
    run.loader.parts["validate"] = [
        dataclasses.replace(row, mean=mean)
        for row, mean in zip(run.loader.parts["validate"], means, strict=True)
    ]
    measured = run.make_loop(1).hooks.validate()
    assert measured["validation_srcc"] == pytest.approx(1)
    assert measured["validation_lcc"] == pytest.approx(1)


@pytest.mark.parametrize("name", [".h5", "..h5", "...h5"])
def test_a_name_without_a_stem_is_refused(name):
    with pytest.raises(InputError, match="expected a name such as ava.h5"):
        RunFiles("train", name)


@pytest.mark.parametrize("ending", ["best", "state", "csv", "arguments.json"])
def test_a_name_of_what_belongs_to_another_run_is_refused(ending):
    with pytest.raises(InputError, match=r"without \.best, \.state"):
        RunFiles("train", f"ava.{ending}.h5")


@pytest.mark.parametrize("attribute", ["weights", "best", "table", "arguments"])
def test_a_folder_in_the_place_of_a_file_is_told_beforehand(tmp_path, attribute):
    files = RunFiles(tmp_path, "ava.h5")
    files.check()
    path = getattr(files, attribute)
    path.mkdir()
    with pytest.raises(InputError, match=f"{path.name} is a folder; give the name of"):
        files.check()


@pytest.mark.parametrize("attribute", ["state", "logs"])
def test_a_file_in_the_place_of_a_folder_is_told_beforehand(tmp_path, attribute):
    files = RunFiles(tmp_path, "ava.h5")
    getattr(files, attribute).write_text("")
    with pytest.raises(InputError, match="is a file; give the name of a folder"):
        files.check()


@pytest.mark.parametrize("attribute", ["weights", "best"])
def test_weights_without_a_state_are_not_replaced(tmp_path, attribute):
    files = RunFiles(tmp_path, "ava.h5")
    files.check_new()
    getattr(files, attribute).write_text("mine")
    with pytest.raises(
        InputError, match=r"--restore_path=.*or --restart, which renames"
    ):
        files.check_new()


def test_names_within_names_are_set_aside_by_the_stem(tmp_path):
    # The stem comes twice in what belongs to the run, and once in the folder.
    folder = tmp_path / "st"
    folder.mkdir()
    files = RunFiles(folder, "st.h5")
    files.state.mkdir()
    files.weights.write_text("")
    assert files.set_aside() == folder / "st.old1.h5"
    assert {path.name for path in folder.iterdir()} == {"st.old1.h5", "st.old1.state"}


def test_the_momentum_that_a_run_began_with_is_kept(monkeypatch):
    began = MobileNetV2(Settings(alpha=0.35, weights="none")).architecture()
    assert began == {"alpha": 0.35, "bn_momentum": 0.9}
    values = {"alpha": 0.35, "weights": "imagenet"}
    monkeypatch.setattr(Settings, "from_flags", lambda: Settings(**values))
    goes_on = MobileNetV2.from_flags(began)
    assert goes_on.architecture() == began
    momenta = {
        layer.momentum
        for layer in goes_on.network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.9}


def test_the_best_epoch_is_the_one_of_the_least_validation_loss(tmp_path, monkeypatch):
    write_ava(tmp_path)
    take_losses(monkeypatch, [0.3, 0.2, 0.4])
    monkeypatch.setattr(epochs, "EPOCH_SAVE_SECONDS", 3600.0)
    saved, save = [], weight_files.save
    monkeypatch.setattr(
        weight_files,
        "save",
        lambda path, *others: saved.append(path.name) or save(path, *others),
    )
    Run(tmp_path, train_last_only=True).run(3)
    assert saved == ["ava.best.h5", "ava.h5", "ava.best.h5", "ava.h5", "ava.h5"]


@pytest.mark.parametrize(("seconds", "saves"), [(-1.0, 4), (3600.0, 3)])
def test_an_epoch_that_is_not_the_best_is_saved_when_it_is_worth_it(
    tmp_path, monkeypatch, seconds, saves
):
    write_ava(tmp_path)
    monkeypatch.setattr(epochs, "EPOCH_SAVE_SECONDS", seconds)
    take_losses(monkeypatch, [0.3, 0.4, 0.2, 0.5])
    run, rows, save = Run(tmp_path, train_last_only=True), [], CheckpointWriter.save

    def count_rows(checkpoint_writer, step):
        # All that is beside the state says the same as the state.
        table = run.files.table.read_text().splitlines()[1:]
        rows.append((len(table), run.trainee.epoch))
        return save(checkpoint_writer, step)

    monkeypatch.setattr(CheckpointWriter, "save", count_rows)
    run.run(4)
    assert len(rows) == saves and all(one == other for one, other in rows)


def test_a_cosine_ends_with_the_last_step_however_many_pictures_there_were(tmp_path):
    write_ava(tmp_path)
    first = Run(tmp_path, schedule="cosine", train_last_only=True)
    first.run(2)
    assert float(first.trainee.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)
    again = Run(tmp_path, schedule="cosine", train_last_only=True)
    again.resume()
    steps = again.loader.steps_per_epoch
    again.loader.parts["train"] = again.loader.parts["train"][
        :1
    ]  # The others are gone.
    assert again.loader.steps_per_epoch == 1 < steps
    end = again.make_loop(4).settings.max_steps
    assert end == 2 * steps + 2
    share = 2 * steps / end
    rate = 1e-3 * (1 + math.cos(math.pi * share)) / 2
    assert float(again.trainee.optimizer.learning_rate) == pytest.approx(rate, rel=1e-4)


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
