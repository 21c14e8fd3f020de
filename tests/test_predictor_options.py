"""What predictors have of the loop that trains models, too."""

import dataclasses
import json

import numpy as np
import pytest

from frozen.predictor import to_input
from tests.scored_data import write_ava
from tests.test_predictor_training import Run, read_arrays
from tests.workers import free_addresses, start
from training.options import StepOptions


def run_program(data, folder, addresses=None, **arguments):
    arguments = {"data": str(data), "folder": str(folder), **arguments}
    command = ["-m", "tests.predictor_replicas_program", json.dumps(arguments)]
    workers = range(len(addresses)) if addresses else [None]
    started = [
        start(command, addresses, index) if addresses else start(command)
        for index in workers
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [np.load(folder / f"weights{index or 0}.npy") for index in workers]


def difference(one, two):
    return np.linalg.norm(one - two) / np.linalg.norm(two)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Folder of data, and what one device makes of it, with averaged weights."""
    folder = tmp_path_factory.mktemp("alone")
    write_ava(folder)
    return folder, run_program(folder, folder, ema_decay=0.5)[0]


def test_two_devices_do_what_one_does_however_few_an_epochs_last_pictures_are(
    alone, tmp_path
):
    data, weights = alone
    two = run_program(data, tmp_path, devices=2, ema_decay=0.5)[0]
    assert difference(two, weights) < 1e-6


def test_two_workers_do_what_one_process_does(alone, tmp_path):
    data, weights = alone
    both = run_program(data, tmp_path, free_addresses(2), ema_decay=0.5)
    np.testing.assert_array_equal(*both)
    assert difference(both[0], weights) < 1e-6
    assert (tmp_path / "ava.h5").exists() and (tmp_path / "ava.csv").exists()


def test_all_layers_are_trained_on_two_devices_alike(alone, tmp_path):
    # Batch normalisation sees half of a batch on each, and its averages are common.
    one = run_program(alone[0], tmp_path, devices=2, last_only=False)[0]
    assert np.isfinite(one).all()


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
    settings = {"dropout": 0.0, "train_last_only": True}
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
    options = {"train_last_only": True}
    compiled = Run(tmp_path, options=StepOptions(jit_compile=True), **options)
    plain = Run(tmp_path, **options)
    ours, theirs = (take_steps(run, 2) for run in (compiled, plain))
    assert ours == pytest.approx(theirs, rel=1e-4)
