"""Measures the speed of a training step of 4PP-EUSR, and of its passes alone."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings
from benchmarks.limit import PRECISIONS, compare_beside
from benchmarks.network import PATCH, make_model, make_step, wait_for
from benchmarks.rows import Row
from console.settings import PathName
from frozen import graphs
from frozen.predictor import make_graph_def
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import SCALE, FourPassTraining
from score_predictors.mobilenetv2 import MobileNetV2, Settings

BATCH_SIZE = 2
# Images that pass the predictors, forward or backward: the estimates do both, and the
# truth needs no gradient.
ESTIMATES = 3 * BATCH_SIZE
PREDICTED = 2 * ESTIMATES + BATCH_SIZE


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the passes with their gradient, and the default step.

    The step has the discriminator and both predictors, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Two files, because a file that serves as both predictors runs only once.
        paths = [write_predictor(Path(folder) / f"{seed}.pb", seed) for seed in (0, 1)]
        training = FourPassTraining(
            aesthetic_nima_path=paths[0], subjective_nima_path=paths[1]
        )
        models = {
            precision: make_model(settings, precision, training, FourPassEUSR)
            for precision in PRECISIONS
        }
    lr = tf.random.uniform((BATCH_SIZE, PATCH, PATCH, 3), 0, 255)
    passes, steps = {}, {}
    for precision, model in models.items():
        run = functools.partial(differentiate_passes, model)
        passes[precision] = tf.function(run, autograph=False), [lr]
        steps[precision] = make_step(model, BATCH_SIZE, SCALE)
    # `count_flops` does not count frozen graphs.
    predicting = PREDICTED * len(paths) * count_prediction()
    for name, calls, more in (
        ("passes, with gradient", passes, 0),
        ("whole step", steps, predicting),
    ):
        flops = count_flops(calls["float32"][0], *calls["float32"][1]) + more
        runs = {each: functools.partial(wait_for, *calls[each]) for each in calls}
        what = f"4PP-EUSR, batch {BATCH_SIZE}: {name}"
        yield from compare_beside(what, runs, flops, settings.repeats, scale=SCALE)


def write_predictor(path: Path, seed: int) -> PathName:
    """Freezes a predictor with random weights; returns the path of the file."""
    keras.utils.set_random_seed(seed)
    network = MobileNetV2(Settings(weights=PathName("none"))).network
    graphs.save(make_graph_def(lambda x: network(x, training=False), 1), path)
    return PathName(str(path))


def count_prediction() -> int:
    """Counts the FLOP of a predictor's forward pass for one image."""
    network = MobileNetV2(Settings(weights=PathName("none"))).network
    side = PATCH * SCALE
    predict = tf.function(functools.partial(network, training=False), autograph=False)
    return count_flops(predict, tf.zeros((1, side, side, 3)))


def differentiate_passes(model: FourPassEUSR, lr: tf.Tensor) -> tf.Tensor:
    """Computes the estimates and the gradient of all weights; returns its norm."""
    values = [v.value for v in model.variables]
    with tf.GradientTape() as tape:
        estimates = [model.estimate(lr, last) for last in model.training.passes]
        total = tf.reduce_sum(tf.concat(estimates, 0))
    return tf.linalg.global_norm(tape.gradient(total, values))
