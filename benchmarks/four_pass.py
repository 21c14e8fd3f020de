"""How fast a step of 4PP-EUSR is, and where its time goes."""

import dataclasses
import functools
import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.limit import PRECISIONS, time_beside
from benchmarks.network import PATCH, count_flops
from benchmarks.rows import Row
from frozen import graphs
from frozen.predictor import make_graph_def
from models.discriminator import CONVOLUTIONS
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import SCALE, FourPassTraining
from models.generator_settings import Architecture
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from training.options import StepOptions

BATCH_SIZE = 2


def measure(settings):
    """Times the step, then its parts, in both precisions.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of the step at its defaults; of the passes, forward only and with their
        gradient; of the discriminator and of both predictors, forward and backward.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Two files, for one that serves as both is run only once.
        paths = [
            write_predictor(Path(folder) / f"{seed}.pb", seed=seed) for seed in range(2)
        ]
        training = FourPassTraining(
            aesthetic_nima_path=paths[0], subjective_nima_path=paths[1]
        )
        models = {
            precision: make_model(settings, training, precision)
            for precision in PRECISIONS
        }
    some = models["float32"]
    forward = sum(count_pass_flops(some.generator, last) for last in training.passes)
    judging = count_discriminator_flops(some.discriminator)
    predicting = 2 * count_predictor_flops(MobileNetV2(Settings(weights="none")))
    estimates = BATCH_SIZE * len(training.passes)
    images = estimates + BATCH_SIZE
    # Twice backward: to the images for one network, to its weights for itself.
    whole = 3 * forward * BATCH_SIZE + 4 * judging * images
    # Of the truth the predictors are asked no gradient.
    whole += (images + estimates) * predicting
    parts = {
        "passes, forward": (run_passes, forward * BATCH_SIZE),
        "passes, with gradient": (differentiate_passes, 3 * forward * BATCH_SIZE),
        "discriminator": (judge, 4 * judging * images),
        "predictors": (predict, 2 * images * predicting),
        "whole step": (step, whole),
    }
    for name, (make, flops) in parts.items():
        functions = {each: make(model) for each, model in models.items()}
        for function in functions.values():
            function()  # The first call traces the graph: it is not timed.
        measured = time_beside(functions, settings.repeats)
        in_float32, _ = measured["float32"]
        for precision, (seconds, limit) in measured.items():
            row = Row(f"4PP-EUSR, batch {BATCH_SIZE}: {name}", precision, SCALE)
            yield dataclasses.replace(
                row,
                seconds=seconds,
                times_float32=in_float32 / seconds,
                tflops_per_second=flops / seconds / 1e12,
                limit_tflops_per_second=limit / 1e12,
                share_of_limit=flops / seconds / limit,
            )


def write_predictor(path, alpha=Settings.alpha, seed=0):
    """Freezes a predictor with random weights.

    Args:
        path: Of the `.pb` file to write.
        alpha: How wide the network is.
        seed: Of the weights.

    Returns:
        str: The path.
    """
    keras.utils.set_random_seed(seed)
    network = MobileNetV2(Settings(alpha=alpha, weights="none")).network
    graphs.save(make_graph_def(lambda x: network(x, training=False), 1), path)
    return str(path)


def make_model(settings, training, precision):
    """Makes the model at the default size, or at the one of the settings."""
    architecture = Architecture(
        conv_features=settings.features, shared_blocks=settings.shared_blocks
    )
    return FourPassEUSR(architecture, training, StepOptions(precision=precision))


def count_pass_flops(generator, last):
    """FLOP of one estimate of one image, forward."""
    flops = sum(count_flops(generator, last)) * PATCH**2
    # The second pass by two is over four times the pixels.
    return 5 * flops if last == 2 else flops


def count_discriminator_flops(discriminator):
    """FLOP of judging one image, forward."""
    side, flops = PATCH * SCALE, 0.0
    strides = iter(stride for _, stride in CONVOLUTIONS)
    for variable in discriminator.trainable_variables:
        if re.search(r"conv\d+/kernel", variable.path):
            side //= next(strides)
        if variable.path.endswith("kernel"):
            flops += 2.0 * np.prod(variable.shape) * side**2
    return flops


def count_predictor_flops(predictor):
    """FLOP of a predictor for one image, forward."""
    side, flops = PATCH * SCALE, 0.0
    for layer in predictor.network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        is_dense = isinstance(layer, keras.layers.Dense)
        if not is_dense:
            side = -(-side // layer.strides[0])
        flops += 2.0 * np.prod(kernel.shape) * (1 if is_dense else side**2)
    return flops


def draw(side, count=BATCH_SIZE):
    """Images of noise, float32."""
    return tf.random.uniform((count, side, side, 3), 0, 255)


def run_passes(model):
    """A function that makes the three estimates and waits for them."""
    lr = draw(PATCH)

    @functools.partial(tf.function, autograph=False)
    def run():
        estimates = [model.estimate(lr, last) for last in model.training.passes]
        return tf.reduce_sum(tf.concat(estimates, 0))

    return lambda: run().numpy()


def differentiate_passes(model):
    """A function that makes the estimates and the gradient of all weights."""
    lr = draw(PATCH)

    @functools.partial(tf.function, autograph=False)
    def run():
        values = [v.value for v in model.variables]
        with tf.GradientTape() as tape:
            estimates = [model.estimate(lr, last) for last in model.training.passes]
            total = tf.reduce_sum(tf.concat(estimates, 0))
        return tf.linalg.global_norm(tape.gradient(total, values))

    return lambda: run().numpy()


def judge(model):
    """A function that runs the discriminator forward and backward, both ways."""
    images = draw(PATCH * SCALE, BATCH_SIZE * 4)

    @functools.partial(tf.function, autograph=False)
    def run():
        values = [v.value for v in model.discriminator.trainable_variables]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(images)
            logits = model.discriminator(images)
            one, other = tf.reduce_sum(logits), tf.reduce_sum(logits**2)
        of_weights = tape.gradient(one, values)
        return tf.linalg.global_norm([tape.gradient(other, images), *of_weights])

    return lambda: run().numpy()


def predict(model):
    """A function that runs both predictors forward and backward."""
    images = draw(PATCH * SCALE, BATCH_SIZE * 4)

    @functools.partial(tf.function, autograph=False)
    def run():
        gradients = []
        for predictor in model.predictors.values():
            with tf.GradientTape() as tape:
                tape.watch(images)
                scores, features = predictor(images)
                total = tf.reduce_sum(scores) + tf.reduce_sum(features**2)
            gradients.append(tape.gradient(total, images))
        return tf.linalg.global_norm(gradients)

    return lambda: run().numpy()


def step(model):
    """A function that takes one training step and waits for its end."""
    lr, hr = draw(PATCH), draw(PATCH * SCALE)
    run = tf.function(functools.partial(model.train_step, scale=SCALE), autograph=False)
    return lambda: run(lr, hr)["loss"].numpy()
