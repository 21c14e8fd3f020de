"""How fast the network is trained and upscales, beside the machine's limit."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.limit import PRECISIONS, measure_beside
from benchmarks.rows import Row
from console.app import check_scales
from console.choices import load
from console.errors import InputError
from console.progress import say
from frozen.formats import FORMATS
from frozen.upscaler_graph import make_network
from models.eusr import EUSR
from models.generator_settings import Architecture, Training
from training.options import StepOptions

# Sides in LR pixels: the patches of the default run, and a picture.
PATCH, PICTURE = 48, 192


def make_model(settings, precision="float32", training=None, model_class=EUSR):
    """Makes a model with random weights.

    Args:
        settings: `benchmarks.harness.BenchmarkSettings`.
        precision: One of `PRECISIONS`.
        training: As `model_class` takes it; None for a model that only upscales.
        model_class: EUSR or 4PP-EUSR.

    Returns:
        models.generator_model.GeneratorModel.

    Raises:
        InputError: The network has no path for one of the scales.
    """
    architecture = Architecture(
        conv_features=settings.features, shared_blocks=settings.shared_blocks
    )
    model = model_class(architecture, training, StepOptions(precision=precision))
    check_scales(settings.scales, model)
    return model


def make_step(model, batch_size, scale):
    """Makes a training step, and a batch of noise for it.

    Args:
        model: A model to train.
        batch_size: Patches in the step.
        scale: Upscaling factor.

    Returns:
        A `tf.function` that gives the loss, and its arguments, lr and hr.
    """
    batch = [
        tf.cast(tf.random.uniform((batch_size, side, side, 3), 0, 256), tf.uint8)
        for side in (PATCH, PATCH * scale)
    ]
    # TensorFlow warns of a line that is traced again and again, but not of a partial.
    step = functools.partial(take_step, model, scale=scale)
    return tf.function(step, autograph=False), batch


def take_step(model, lr, hr, scale):
    """The loss of a training step, as a graph."""
    return model.train_step(lr, hr, scale)["loss"]


def run_and_wait(function, arguments):
    """Calls a function of TensorFlow; waits for its result."""
    return function(*arguments).numpy()


def take_through(stages, x):
    """Takes a batch through all stages, whole; returns float32 (N, H', W', 3)."""
    for stage in stages:
        x = stage.run(x)
    return x.numpy()


def make_upscaling(model, scale):
    """A function that upscales a picture of noise and waits for the result."""
    lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
    return functools.partial(take_through, model.stages(scale), lr)


def make_exports(model, scale, folder, formats=tuple(FORMATS)):
    """Writes a network for other programs; says which cannot be written here.

    Args:
        model: A `models.base.Model`.
        scale: Upscaling factor.
        folder: To write to.
        formats: Names of `FORMATS`.

    Returns:
        dict: From the name of a format to what runs its file, on float32 (N, H, W, 3).
    """
    network = make_network(model, (scale,))
    runs = {}
    for name in formats:
        file_format = load(FORMATS, name, "--format")
        try:
            file_format.check_needs(f"the row of {name}")
        except InputError as error:
            say(f"  left out: {error}")
            continue
        path = Path(folder) / f"model{file_format.ending}"
        file_format.write(network, path)
        runs[name] = file_format.load(network, path)
    return runs


def measure_training(settings):
    """A training step at each scale and precision."""
    models = {each: make_model(settings, each, Training()) for each in PRECISIONS}
    for scale in settings.scales:
        runs = {}
        for precision, model in models.items():
            step, batch = make_step(model, settings.batch_size, scale)
            runs[precision] = functools.partial(run_and_wait, step, batch)
        # As many in each precision.
        flops = count_flops(step, *batch)
        row = Row(f"training step, batch {settings.batch_size}", scale=scale)
        yield from measure_beside(row, runs, flops, settings.repeats)


def measure_upscaling(settings):
    """The upscaling of a picture at each scale.

    In each precision, and by each program that freeze.py writes for.
    """
    models = {each: make_model(settings, each) for each in PRECISIONS}
    model = models["float32"]
    for scale in settings.scales:
        forward = functools.partial(model.forward, scale=scale)
        lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
        flops = count_flops(tf.function(forward, autograph=False), lr)
        runs = {each: make_upscaling(model, scale) for each, model in models.items()}
        row = Row(f"upscaling {PICTURE}x{PICTURE}", scale=scale)
        megapixels = (PICTURE * scale) ** 2 / 1e6
        with tempfile.TemporaryDirectory() as folder:
            for name, run in make_exports(model, scale, folder).items():
                runs[name] = functools.partial(run, lr.numpy())
            for each in measure_beside(row, runs, flops, settings.repeats, True):
                yield dataclasses.replace(
                    each, seconds_per_output_megapixel=each.seconds / megapixels
                )
