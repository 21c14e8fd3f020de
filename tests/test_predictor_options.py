"""What predictors have of the loop that trains models, too."""

import dataclasses
import json

import numpy as np
import pytest

from frozen.predictor import to_input
from score_predictors.mobilenetv2 import MobileNetV2
from tests import predictor_replicas_program
from tests.scored_data import write_ava
from tests.test_predictor_training import Run, read_arrays
from tests.workers import free_addresses, start
from training.options import StepOptions


def run_program(*runs, addresses=None):
    """Starts the program with these arguments of its `main`, one run after another."""
    command = ["-m", "tests.predictor_replicas_program", *map(json.dumps, runs)]
    workers = range(len(addresses)) if addresses else [None]
    started = [
        start(command, addresses, index) if addresses else start(command)
        for index in workers
    ]
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def difference(one, two):
    return np.linalg.norm(one - two) / np.linalg.norm(two)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Folder of data, and what one device makes of it, with averaged weights."""
    folder = tmp_path_factory.mktemp("alone")
    write_ava(folder)
    predictor_replicas_program.main(str(folder), str(folder), ema_decay=0.5)
    return folder, np.load(folder / "weights0.npy")


@pytest.fixture(scope="module")
def on_two_devices(alone, tmp_path_factory):
    """Weights from two devices: of the last layer's training, and of all layers'."""
    folders = [tmp_path_factory.mktemp("devices") for _ in range(2)]
    data = {"data": str(alone[0]), "devices": 2}
    run_program(
        {**data, "folder": str(folders[0]), "ema_decay": 0.5},
        {**data, "folder": str(folders[1]), "last_only": False},
    )
    return [np.load(folder / "weights0.npy") for folder in folders]


def test_two_devices_do_what_one_does_however_few_an_epochs_last_pictures_are(
    alone, on_two_devices
):
    assert difference(on_two_devices[0], alone[1]) < 1e-6


def test_two_workers_do_what_one_process_does(alone, tmp_path):
    data, weights = alone
    run = {"data": str(data), "folder": str(tmp_path), "ema_decay": 0.5}
    run_program(run, addresses=free_addresses(2))
    both = [np.load(tmp_path / f"weights{index}.npy") for index in (0, 1)]
    np.testing.assert_array_equal(*both)
    assert difference(both[0], weights) < 1e-6
    assert (tmp_path / "ava.h5").exists() and (tmp_path / "ava.csv").exists()


def test_all_layers_are_trained_on_two_devices_alike(on_two_devices):
    # Batch normalisation sees half of a batch on each, and its averages are common.
    assert np.isfinite(on_two_devices[1]).all()


def take_steps(run, count=3, batch=None):
    for step in range(count):
        one = run.loader.batch(step) if batch is None else batch
        values = run.make_loop(1).take_step(one)
    return {name: float(value) for name, value in values.items()}


def weights_of(network):
    return [np.asarray(weight) for weight in network.weights]


def test_averaged_weights_follow_and_are_what_is_written(tmp_path):
    write_ava(tmp_path)
    run = Run(tmp_path, options=StepOptions(ema_decay=0.5), train_last_only=True)
    head = run.trainee.network.layers[-1].kernel
    expected = np.asarray(head)
    loop = run.make_loop(1)
    for step in range(3):
        loop.take_step(run.loader.batch(step))
        expected = (expected + np.asarray(run.trainee.predictor.head.kernel)) / 2
        np.testing.assert_allclose(np.asarray(head), expected, rtol=1e-5, atol=1e-7)
    run.make_loop(1).save()
    for ours, theirs in zip(
        read_arrays(run.files.weights), weights_of(run.trainee.network), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    again = Run(tmp_path, options=StepOptions(ema_decay=0.5), train_last_only=True)
    again.resume()
    np.testing.assert_array_equal(
        np.asarray(again.trainee.network.layers[-1].kernel), np.asarray(head)
    )


def test_gradients_are_clipped_and_a_rate_warms_up(tmp_path):
    write_ava(tmp_path)
    options = StepOptions(gradient_clip_norm=1e-3, learning_rate_warmup_steps=10)
    run = Run(tmp_path, options=options, train_last_only=True)
    norm = take_steps(run, 1)["gradient_norm"]
    first = [np.asarray(moment) for _, moment, _ in run.trainee.optimizer.moments()]
    assert norm > 1e-3
    # Adam keeps a tenth of the first gradient.
    kept = np.sqrt(sum(np.sum(moment**2) for moment in first))
    assert kept == pytest.approx(1e-4, rel=1e-3)
    assert run.trainee.learning_rates()["learning_rate"] == pytest.approx(2e-4)


def test_a_step_that_is_not_finite_moves_nothing_not_even_averages(tmp_path):
    write_ava(tmp_path)
    options = StepOptions(skip_nonfinite=2, ema_decay=0.5)
    run = Run(tmp_path, options=options)
    networks = run.trainee.predictor.network, run.trainee.average
    before = [weights_of(network) for network in networks]
    batch = run.loader.batch(0)
    spoilt = dataclasses.replace(batch, distributions=batch.distributions * np.nan)
    loop = run.make_loop(1)
    assert np.isnan(float(loop.take_step(spoilt)["loss"]))
    for network, values in zip(networks, before, strict=True):
        for weight, value in zip(weights_of(network), values, strict=True):
            np.testing.assert_array_equal(weight, value)
    assert float(run.trainee.loss_count) == 0 and int(run.trainee.state.skipped) == 1
    loop.take_step(batch)
    assert float(run.trainee.loss_count) == 3
    moving = run.trainee.predictor.moving_averages[0].path
    after = {weight.path: np.asarray(weight) for weight in networks[0].weights}
    paths = [weight.path for weight in networks[0].weights]
    assert (after[moving] != before[0][paths.index(moving)]).any()


def test_bfloat16_computes_nearly_the_same(tmp_path):
    write_ava(tmp_path)
    # With averages: normalising three pictures by themselves magnifies all.
    settings = {"dropout": 0.0, "train_last_only": True, "alpha": 0.35}
    settings |= {"weights": "none", "predictor_class": MobileNetV2}
    run = Run(tmp_path, options=StepOptions(precision="bfloat16"), **settings)
    layers = {layer.name: layer.compute_dtype for layer in run.trainee.network.layers}
    assert layers["Conv1"] == layers["Conv_1"] == layers["dense"] == "float32"
    assert layers["expanded_conv_project"] == "bfloat16"
    same = Run(tmp_path, **settings)
    pictures = to_input(run.loader.batch(0).patches)
    ours, theirs = (
        np.asarray(each.trainee.predictor.backbone(pictures, training=False))
        for each in (run, same)
    )
    assert 0 < difference(ours, theirs) < 0.05  # Of fifty layers.
    ours, theirs = (take_steps(each, 1)["loss"] for each in (run, same))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_xla_computes_the_same(tmp_path):
    write_ava(tmp_path)
    # XLA drops other features.
    compiled = Run(tmp_path, options=StepOptions(jit_compile=True), dropout=0.0)
    plain = Run(tmp_path, dropout=0.0)
    ours, theirs = (take_steps(run, 2) for run in (compiled, plain))
    assert ours == pytest.approx(theirs, rel=1e-4)
