"""Measures the peak memory of training, upscaling and test.py.

Each measurement has its own process, because TensorFlow keeps memory for later use.
"""

import concurrent.futures
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from benchmarks import pictures
from benchmarks.harness import BenchmarkSettings, draw
from benchmarks.limit import PRECISIONS
from benchmarks.network import PICTURE, make_model, make_step, make_upscaling
from benchmarks.rows import Row
from console.errors import InputError
from console.machine import peak_memory
from imaging.pictures import Picture
from imaging.saving import save_picture
from models.generator_settings import Training
from training import devices

# Ratio of height to width of a large picture, as of cameras.
ASPECT = 2 / 3


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures training and upscaling at each scale and precision."""
    for what, take in (
        (f"memory of training, batch {settings.batch_size}", take_step),
        (f"memory of upscaling {PICTURE}x{PICTURE}", upscale),
    ):
        for scale in settings.scales:
            for precision in PRECISIONS:
                peak = run_apart(take, settings, precision, scale)
                yield Row(what, precision, scale, peak_memory_gb=peak)


def measure_large_picture(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures test.py on a picture larger than its memory limit."""
    for scale in settings.scales:
        yield run_apart(upscale_large, settings, scale)


def run_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function of this module in a separate process; returns its result.

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
    """Returns the peak memory of a training step; see `read_peak`."""
    devices.choose(settings.cuda_device)
    model = make_model(settings, precision, Training())
    step, batch = make_step(model, settings.batch_size, scale)
    step(*batch).numpy()
    return read_peak()


def upscale(settings: BenchmarkSettings, precision: str, scale: int) -> float | None:
    """Returns the peak memory of upscaling a picture; see `read_peak`."""
    devices.choose(settings.cuda_device)
    make_upscaling(make_model(settings, precision), scale)()
    return read_peak()


def read_peak() -> float | None:
    """Returns the peak memory of the GPU or the process in GB; None if unknown."""
    if tf.config.get_visible_devices("GPU"):
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    else:
        peak = peak_memory()
    return None if peak is None else peak / 1e9


def upscale_large(settings: BenchmarkSettings, scale: int) -> Row:
    """Runs test.py on a JPEG, with a network of random weights."""
    height = int((settings.megapixels * 1e6 * ASPECT) ** 0.5)
    width = int(height / ASPECT)
    with tempfile.TemporaryDirectory() as folder:
        save_picture(f"{folder}/in/0.jpg", Picture(draw(height, width)))
        network = pictures.write_network(make_model(settings), (scale,), folder)
        limit = {"memory_limit": settings.memory_limit}
        done = pictures.run_test(folder, scale, model_name=network, **limit)
    return Row(
        f"{width}x{height}, test.py with its start",
        scale=scale,
        seconds=done.seconds,
        peak_memory_gb=done.peak / 1e9,
    )
