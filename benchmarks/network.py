"""How fast the network is trained and upscales, beside the machine's limit."""

import dataclasses
import functools
import math
import re

import numpy as np
import tensorflow as tf

from benchmarks.limit import PRECISIONS, time_beside
from benchmarks.rows import Row
from console.app import check_scales
from models.eusr import EUSR
from models.generator_settings import Architecture, Training, factorise
from training.options import StepOptions

# Sides in LR pixels: the patches of the default run, and a picture.
PATCH, PICTURE = 48, 192


def measure_training(settings):
    """Times a training step at each scale and precision.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each.
    """
    models = {each: make_model(settings, each, Training()) for each in PRECISIONS}
    what = f"training step, batch {settings.batch_size}"
    for scale in settings.scales:
        first, rest = count_flops(models["float32"].generator, scale)
        # The picture itself needs no gradient, so the first one runs twice.
        flops = (2 * first + 3 * rest) * settings.batch_size * PATCH**2
        steps = {
            precision: make_step(model, settings.batch_size, scale)
            for precision, model in models.items()
        }
        yield from _measure(Row(what, scale=scale), steps, flops, settings.repeats)


def measure_upscaling(settings):
    """Times the upscaling of a picture at each scale and precision.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each.
    """
    models = {each: make_model(settings, each) for each in PRECISIONS}
    for scale in settings.scales:
        flops = sum(count_flops(models["float32"].generator, scale)) * PICTURE**2
        runs = {
            precision: make_upscaling(model, scale)
            for precision, model in models.items()
        }
        row = Row(f"upscaling {PICTURE}x{PICTURE}", scale=scale)
        for each in _measure(row, runs, flops, settings.repeats, is_forward_only=True):
            megapixels = (PICTURE * scale) ** 2 / 1e6
            yield dataclasses.replace(
                each, seconds_per_output_megapixel=each.seconds / megapixels
            )


def make_model(settings, precision, training=None):
    """Makes the network.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.
        precision: One of `PRECISIONS`.
        training: `models.generator_settings.Training`; None for a network that only
            upscales.

    Returns:
        EUSR: With random weights.

    Raises:
        InputError: The network has no path for one of the scales.
    """
    architecture = Architecture(
        conv_features=settings.features, shared_blocks=settings.shared_blocks
    )
    model = EUSR(architecture, training, StepOptions(precision=precision))
    check_scales(settings.scales, model)
    return model


def make_step(model, batch_size, scale):
    """A function that takes one training step on noise and waits for its end."""
    draw = np.random.default_rng(0)
    lr, hr = (
        tf.constant(draw.integers(0, 256, (batch_size, side, side, 3), np.uint8))
        for side in (PATCH, PATCH * scale)
    )
    # TensorFlow warns of a line that is traced again and again, but not of a partial.
    step = tf.function(
        functools.partial(model.train_step, scale=scale), autograph=False
    )
    return lambda: step(lr, hr)["loss"].numpy()


def make_upscaling(model, scale):
    """A function that upscales one picture of noise and waits for the result."""
    lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
    return functools.partial(take_through, model.stages(scale), lr)


def take_through(stages, x):
    """Takes a batch through all stages, whole; returns float32 (N, H', W', 3)."""
    for stage in stages:
        x = stage.run(x)
    return x.numpy()


def count_flops(generator, scale):
    """FLOP of one pass for each LR pixel: of the first convolution, and of the rest."""
    first = rest = 0.0
    for variable in generator.path_variables(scale):
        if not variable.path.endswith("kernel"):
            continue
        module = re.search(r"_upscaling(\d+)/", variable.path)
        # Each module before this one has enlarged what it is given.
        before = factorise(scale)[: int(module[1])] if module else ()
        pixels = math.prod(before) ** 2
        if "_last_conv/" in variable.path:
            pixels = scale**2
        flops = 2.0 * np.prod(variable.shape) * pixels
        if "/first_conv/" in variable.path:
            first += flops
        else:
            rest += flops
    return first, rest


def _measure(row, functions, flops, repeats, is_forward_only=False):
    """Measures one thing in every precision.

    Args:
        row: `Row` with its name and its scale.
        functions: From a precision to what does it.
        flops: How many floating-point operations that takes.
        repeats: How often it is timed.
        is_forward_only: Which limit applies.

    Yields:
        Row: Of each precision.
    """
    for function in functions.values():
        function()  # The first call traces the graph: it is not timed.
    measured = time_beside(functions, repeats, is_forward_only)
    in_float32, _ = measured["float32"]
    for precision, (seconds, limit) in measured.items():
        yield dataclasses.replace(
            row,
            precision=precision,
            seconds=seconds,
            tflops_per_second=flops / seconds / 1e12,
            limit_tflops_per_second=limit / 1e12,
            share_of_limit=flops / seconds / limit,
            times_float32=in_float32 / seconds,
        )
