"""Measures the speed of training and upscaling, beside the machine's limit."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings
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
from upscaling.tiles import Stage

# Sides in LR pixels of the default training's patches, and of a picture.
PATCH, PICTURE = 48, 192


def make_model(
    settings: BenchmarkSettings,
    precision: str = "float32",
    training: Any = None,
    model_class: type[Any] = EUSR,
) -> Any:
    """Makes a model with random weights.

    Args:
        settings: The settings.
        precision: A key of `PRECISIONS`.
        training: Training settings of the model; None for a model that only upscales.
        model_class: EUSR or 4PP-EUSR.

    Returns:
        The model, an instance of `model_class`.

    Raises:
        InputError: The network has no path for a scale.
    """
    architecture = Architecture(
        conv_features=settings.features, shared_blocks=settings.shared_blocks
    )
    model = model_class(architecture, training, StepOptions(precision=precision))
    check_scales(settings.scales, model.name, model.scales)
    return model


def make_step(
    model: EUSR, batch_size: int, scale: int
) -> tuple[Callable[..., tf.Tensor], list[tf.Tensor]]:
    """Makes a training step and a batch of noise.

    Args:
        model: The model to train.
        batch_size: Patches in the batch.
        scale: Upscaling factor.

    Returns:
        A `tf.function` that returns the loss, and its arguments, lr and hr.
    """
    batch = [
        tf.cast(tf.random.uniform((batch_size, side, side, 3), 0, 256), tf.uint8)
        for side in (PATCH, PATCH * scale)
    ]
    # TensorFlow warns of repeated tracing of a function, but not of a partial.
    step = functools.partial(take_step, model, scale=scale)
    return tf.function(step, autograph=False), batch


def take_step(model: EUSR, lr: tf.Tensor, hr: tf.Tensor, scale: int) -> tf.Tensor:
    """Takes a training step; returns the loss."""
    return model.train_step(lr, hr, scale)["loss"]


def run_and_wait(
    function: Callable[..., tf.Tensor], arguments: Iterable[tf.Tensor]
) -> np.ndarray:
    """Calls a function of TensorFlow and waits for its result."""
    return function(*arguments).numpy()


def take_through(stages: Iterable[Stage], x: Any) -> np.ndarray:
    """Runs all stages over a batch, without tiles; returns float32 (N, H', W', 3)."""
    for stage in stages:
        x = stage.run(x)
    return x.numpy()


def make_upscaling(model: EUSR, scale: int) -> Callable[[], np.ndarray]:
    """Makes a function that upscales a picture of noise and waits for the result."""
    lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
    return functools.partial(take_through, model.stages(scale), lr)


def make_exports(
    model: Any, scale: int, folder: Path | str, formats: Iterable[str] = tuple(FORMATS)
) -> dict[str, Callable[[np.ndarray], Any]]:
    """Writes a network in several formats; reports formats that are not installed.

    Args:
        model: A `models.base.Model`.
        scale: Upscaling factor.
        folder: Folder to write to.
        formats: Names of `FORMATS`.

    Returns:
        From the name of a format to a function that runs its file on float32
        (N, H, W, 3).
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


def measure_training(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures a training step at each scale and precision."""
    models = {each: make_model(settings, each, Training()) for each in PRECISIONS}
    for scale in settings.scales:
        runs = {}
        for precision, model in models.items():
            step, batch = make_step(model, settings.batch_size, scale)
            runs[precision] = functools.partial(run_and_wait, step, batch)
        # The number is the same in each precision.
        flops = count_flops(step, *batch)
        row = Row(f"training step, batch {settings.batch_size}", scale=scale)
        yield from measure_beside(row, runs, flops, settings.repeats)


def measure_upscaling(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures upscaling at each scale, in each precision and each frozen format."""
    models = {each: make_model(settings, each) for each in PRECISIONS}
    model = models["float32"]
    for scale in settings.scales:
        # As in training: the zeros in the rearranged kernel are no work of the network.
        forward = functools.partial(model.generator, scale=scale)
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
