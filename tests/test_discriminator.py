"""The discriminator, and who watches it."""

import numpy as np
import pytest
import tensorflow as tf

from models import monitor
from models.discriminator import Discriminator
from models.monitor import DiscriminatorMonitor
from tests.four_pass import make_four_pass, take_step, weigh_only
from tests.small import draw_batch
from training.checkpoint_writer import CheckpointWriter


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


@pytest.mark.parametrize(("size", "grid"), [((192, 192), (6, 6)), ((40, 70), (2, 3))])
def test_the_discriminator_judges_each_place(size, grid):
    logits = Discriminator()(tf.zeros((2, *size, 3)))
    assert logits.shape == (2, *grid, 1) and logits.dtype == tf.float32


def test_the_discriminator_has_the_papers_size():
    # Ten 3x3 convolutions and two dense layers, with biases.
    features = [3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    pairs = zip(features[:-1], features[1:], strict=True)
    expected = sum(9 * a * b + b for a, b in pairs)
    expected += 512 * 1024 + 1024 + 1024 + 1
    assert sum(np.prod(w.shape) for w in Discriminator().weights) == expected


def test_a_discriminator_in_bfloat16_starts_and_ends_in_float32():
    network = Discriminator("mixed_bfloat16")
    assert network.convs[0].compute_dtype == "float32"
    assert network.convs[1].compute_dtype == "bfloat16"
    assert network(tf.zeros((1, 32, 32, 3))).dtype == tf.float32


def watch(accuracies):
    watched = DiscriminatorMonitor()
    for accuracy in accuracies:
        watched.record(tf.constant(accuracy))
    return watched


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        # Nearly always is enough, wherever the exceptions are.
        ([1.0] * 4 + [0.75] + [1.0] * 95, "was nearly always right"),
        ([0.5] * 99 + [0.8], "the same answer"),
        ([0.9] * 100, None),
        ([0.5, 0.75] * 50, None),
        ([1.0] * 96, None),  # With the three below still too few.
    ],
)
def test_a_discriminator_that_teaches_nothing_is_pointed_out_once(
    accuracies, said, monkeypatch
):
    monkeypatch.setattr(monitor, "PATIENCE", 100)
    # Whoever looks does so later, between two verdicts.
    watched = watch([*accuracies, 0.6, 0.6, 0.6])
    remarks = watched.remarks()
    assert len(remarks) == (said is not None)
    if said:
        assert said in remarks[0] and "for 100 steps" in remarks[0]
    assert watched.remarks() == []


def test_the_watch_goes_on_after_a_start(tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "PATIENCE", 10)
    model = make_four_pass(**weigh_only("lg"))
    model.monitor = watch([1.0] * 8)
    prefix = CheckpointWriter(model.checkpoint_items(), tmp_path, 1).save(8)
    again = make_four_pass(**weigh_only("lg"))
    again.restore(prefix, resume=True)
    again.monitor.record(tf.constant(1.0))
    assert again.remarks() == []
    again.monitor.record(tf.constant(1.0))
    assert len(again.remarks()) == 1


def test_a_step_is_watched(batch):
    model = make_four_pass(**weigh_only("lg"))
    accuracy = take_step(model, batch)["discriminator/accuracy"]
    assert int(model.monitor.steps) == 1
    assert float(model.monitor.right) == accuracy
