"""Measures the speed of a training step of 4PP-EUSR and of its parts."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings
from benchmarks.limit import PRECISIONS, measure_beside
from benchmarks.network import PATCH, make_model, run_and_wait, take_step
from benchmarks.rows import Row
from console.settings import PathName
from frozen import graphs
from frozen.predictor import make_graph_def
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import SCALE, FourPassTraining
from score_predictors.mobilenetv2 import MobileNetV2, Settings

BATCH_SIZE = 2
ESTIMATES = 3 * BATCH_SIZE
IMAGES = ESTIMATES + BATCH_SIZE


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the default step and its parts, in both precisions.

    The parts are the passes, forward only and with gradient, and the discriminator and
    both predictors, forward and backward.
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
    lr, hr = (
        tf.random.uniform((BATCH_SIZE, side, side, 3), 0, 255)
        for side in (PATCH, PATCH * SCALE)
    )
    images = tf.random.uniform((IMAGES, *hr.shape[1:]), 0, 255)
    predicting = len(models["float32"].predictors) * count_prediction()
    # Each function, its arguments, and the number of images that pass both predictors,
    # forward or backward, because `count_flops` does not count frozen graphs. The truth
    # needs no gradient.
    parts: dict[str, tuple[Callable, tuple, int]] = {
        "passes, forward": (make_passes, (lr,), 0),
        "passes, with gradient": (differentiate_passes, (lr,), 0),
        "discriminator": (judge, (images,), 0),
        "predictors": (predict, (images,), 2 * IMAGES),
        "whole step": (
            functools.partial(take_step, scale=SCALE),
            (lr, hr),
            IMAGES + ESTIMATES,
        ),
    }
    for name, (part, arguments, predicted) in parts.items():
        functions = {
            precision: tf.function(functools.partial(part, model), autograph=False)
            for precision, model in models.items()
        }
        flops = count_flops(functions["float32"], *arguments) + predicted * predicting
        runs = {
            precision: functools.partial(run_and_wait, function, arguments)
            for precision, function in functions.items()
        }
        row = Row(f"4PP-EUSR, batch {BATCH_SIZE}: {name}", scale=SCALE)
        yield from measure_beside(row, runs, flops, settings.repeats)


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


def make_passes(model: FourPassEUSR, lr: tf.Tensor) -> tf.Tensor:
    """Computes the three estimates of a batch; returns a scalar of them."""
    estimates = [model.estimate(lr, last) for last in model.training.passes]
    return tf.reduce_sum(tf.concat(estimates, 0))


def differentiate_passes(model: FourPassEUSR, lr: tf.Tensor) -> tf.Tensor:
    """Computes the estimates and the gradient of all weights; returns its norm."""
    values = [v.value for v in model.variables]
    with tf.GradientTape() as tape:
        total = make_passes(model, lr)
    return tf.linalg.global_norm(tape.gradient(total, values))


def judge(model: FourPassEUSR, images: tf.Tensor) -> tf.Tensor:
    """Computes the discriminator's gradients of its weights and of the images."""
    values = [v.value for v in model.discriminator.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        logits = model.discriminator(images)
        first, second = tf.reduce_sum(logits), tf.reduce_sum(logits**2)
    of_weights = tape.gradient(first, values)
    return tf.linalg.global_norm([tape.gradient(second, images), *of_weights])


def predict(model: FourPassEUSR, images: tf.Tensor) -> tf.Tensor:
    """Computes both predictors and their gradients of the images."""
    gradients = []
    for predictor in model.predictors.values():
        with tf.GradientTape() as tape:
            tape.watch(images)
            scores, features, _ = predictor.describe(images)
            total = tf.reduce_sum(scores) + tf.reduce_sum(features**2)
        gradients.append(tape.gradient(total, images))
    return tf.linalg.global_norm(gradients)
