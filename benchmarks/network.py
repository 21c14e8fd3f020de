"""Measures training and upscaling, beside the machine's limit, and their memory."""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings
from benchmarks.limit import PRECISIONS, compare_beside
from benchmarks.rows import Row
from console.app import check_scales
from console.choices import load
from console.errors import InputError
from console.machine import peak_memory
from console.progress import say
from frozen.formats import FORMATS
from frozen.upscaler_graph import make_network
from models.eusr import EUSR
from models.generator_settings import Architecture, Training
from training import devices
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
    """Makes a model with random weights; without `training`, it only upscales.

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
    model: Any, batch_size: int, scale: int
) -> tuple[Callable[..., tf.Tensor], list[tf.Tensor]]:
    """Makes a training step that returns the loss, and its arguments: lr and hr."""
    batch = [
        tf.cast(tf.random.uniform((batch_size, side, side, 3), 0, 256), tf.uint8)
        for side in (PATCH, PATCH * scale)
    ]

    def take_step(lr, hr):
        return model.train_step(lr, hr, scale)["loss"]

    return tf.function(take_step, autograph=False), batch


def wait_for(function: Callable[..., tf.Tensor], arguments: Iterable[Any]) -> Any:
    """Calls a function of TensorFlow and waits for its result."""
    return function(*arguments).numpy()


def take_through(stages: Iterable[Stage], x: Any) -> np.ndarray:
    """Runs all stages over a batch, without tiles; returns float32 (N, H', W', 3)."""
    for stage in stages:
        x = stage.run(x)
    return x.numpy()


def make_exports(
    model: Any, scale: int, folder: Path | str, formats: Iterable[str] = tuple(FORMATS)
) -> dict[str, Callable[[np.ndarray], Any]]:
    """Writes a network in several formats; reports formats that are not installed.

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
    """Measures a training step at each scale and precision, and its peak memory."""
    models = {each: make_model(settings, each, Training()) for each in PRECISIONS}
    for scale in settings.scales:
        runs = {}
        for precision, model in models.items():
            step, batch = make_step(model, settings.batch_size, scale)
            runs[precision] = functools.partial(wait_for, step, batch)
        # The number is the same in each precision.
        flops = count_flops(step, *batch)
        what = f"training step, batch {settings.batch_size}"
        rows = compare_beside(what, runs, flops, settings.repeats, scale=scale)
        for row, precision in zip(rows, runs, strict=True):
            peak = run_apart(take_step, settings, precision, scale)
            yield dataclasses.replace(row, peak_memory_gb=peak)


def measure_upscaling(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures upscaling at each scale, in each precision and each frozen format."""
    models = {each: make_model(settings, each) for each in PRECISIONS}
    model = models["float32"]
    lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
    for scale in settings.scales:
        # As in training: the zeros in the rearranged kernel are no work of the network.
        forward = functools.partial(model.generator, scale=scale)
        flops = count_flops(tf.function(forward, autograph=False), lr)
        runs: dict[str, Callable[[], Any]] = {
            precision: functools.partial(take_through, each.stages(scale), lr)
            for precision, each in models.items()
        }
        what, megapixels = (
            f"upscaling {PICTURE}x{PICTURE}",
            (PICTURE * scale) ** 2 / 1e6,
        )
        with tempfile.TemporaryDirectory() as folder:
            for name, run in make_exports(model, scale, folder).items():
                runs[name] = functools.partial(run, lr.numpy())
            for row in compare_beside(
                what, runs, flops, settings.repeats, True, scale=scale
            ):
                yield dataclasses.replace(
                    row, seconds_per_output_megapixel=row.seconds / megapixels
                )


def run_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a new process, which has not used memory yet.

    Raises:
        InputError: The function raises it, or the process was killed.
    """
    spawn = multiprocessing.get_context("spawn")
    try:
        with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
            return pool.submit(function, *arguments).result()
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(
            "the measured process was killed, perhaps because memory ran out."
        ) from None


def take_step(settings: BenchmarkSettings, precision: str, scale: int) -> float | None:
    """Takes a training step; returns the peak memory in GB, None if unknown."""
    devices.choose(settings.cuda_device)
    model = make_model(settings, precision, Training())
    wait_for(*make_step(model, settings.batch_size, scale))
    if tf.config.get_visible_devices("GPU"):
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    else:
        peak = peak_memory()
    return None if peak is None else peak / 1e9
