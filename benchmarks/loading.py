"""Measures the start of a script and the preparation of batches."""

import dataclasses
import functools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import BenchmarkSettings, draw, run_script, time_best, time_once
from benchmarks.network import PATCH
from benchmarks.rows import Row
from console.prefetch import Prefetch
from console.settings import PathName
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from imaging.files import load_image, save_image
from imaging.imresize import imresize, make_lr

# Height and width of an image of DIV2K.
SIZE = (1356, 2040)
PICTURES = 8
BATCHES = 50

# Seconds per step of a data-centre GPU, and the number of simulated steps.
CONSUMER = 0.020
CONSUMED = 200
# Steps until about as many degraded regions are made as are used up.
WARMED = 150

# Flags of a run so small that its start takes most of the time.
SMALL = (
    *("--batch_size=1", "--input_patch_size=8", "--scales=2", "--log_freq=1"),
    *("--max_steps=1", "--eusr_model_scales=2", "--eusr_conv_features=4"),
    "--eusr_shared_blocks=1",
)


def measure_start(settings: BenchmarkSettings) -> Iterator[Row]:
    """Times train.py from its start to its help, and to the end of its first step."""
    helped = [
        run_script("train.py", "--helpshort").seconds for _ in range(settings.repeats)
    ]
    yield Row("train.py, start to help", seconds=min(helped))
    trained = [time_first_step(settings.cuda_device) for _ in range(settings.repeats)]
    yield Row("train.py, start to first step", seconds=min(trained))


def time_first_step(cuda_device: str) -> float:
    """Returns the seconds until a small run reports its first step."""
    with tempfile.TemporaryDirectory() as folder:
        save_image(f"{folder}/HR/0.png", np.zeros((64, 64, 3), np.uint8))
        done = run_script(
            "train.py",
            *SMALL,
            data_truth_path=f"{folder}/HR",
            train_path=f"{folder}/train",
            cache_path=f"{folder}/cache",
            cuda_device=cuda_device,
        )
    return next(seconds for seconds, line in done.lines if line.startswith("step 1/"))


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Times the cache, batches, waiting for batches, and imresize beside decoding."""
    picture = draw(*SIZE, noise=8)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "HR" / "0.png"
        save_image(first, picture)
        for index in range(1, PICTURES):
            shutil.copyfile(first, first.with_stem(str(index)))
        loader = PairedLoader(
            PairedSettings(
                truth_path=(PathName(str(first.parent)),),
                input_path=None,
                scales=settings.scales,
                lr_patch_size=PATCH,
                batch_size=settings.batch_size,
                cache_path=PathName(f"{folder}/cache"),
            )
        )
        yield Row(f"cache of {PICTURES} pictures", seconds=time_once(loader.prepare))
        for scale in settings.scales:
            seconds = statistics.median(
                time_once(functools.partial(loader.batch, step, scale))
                for step in range(BATCHES)
            )
            yield Row(f"batch of {settings.batch_size}", scale=scale, seconds=seconds)
        seconds, waited = consume(
            loader.batch, CONSUMED, lambda _: time.sleep(CONSUMER)
        )
        what = f"data for a {CONSUMER * 1e3:.0f} ms step"
        yield Row(what, waiting_share=waited / seconds)
        for scale in settings.scales:
            yield from measure_degraded(loader.settings, scale)
        size, small = f"{SIZE[1]}x{SIZE[0]}", make_lr(picture, 4)
        for what, function in {
            f"decoding a PNG, {size}": lambda: load_image(first),
            f"imresize x4 down from {size}": lambda: make_lr(picture, 4),
            f"imresize x4 up to {size}": lambda: imresize(small, 4),
        }.items():
            yield Row(what, seconds=time_best(function, settings.repeats))


def measure_degraded(settings: PairedSettings, scale: int) -> Iterator[Row]:
    """Times batches of `--degradation=photo` at one scale, in a run's threads."""
    settings = dataclasses.replace(settings, scales=(scale,), degradation="photo")
    loader = PairedLoader(settings)
    loader.prepare()
    threads: dict[str, Any] = {"workers": loader.threads, "depth": 3 * loader.threads}
    end, before = WARMED + CONSUMED, []

    def take(_):
        before.append(time.process_time())

    seconds, _ = consume(loader.batch, end, take, untimed=WARMED, **threads)
    spent = time.process_time() - before[WARMED]
    what = f"degraded batch of {settings.batch_size}"
    yield Row(f"{what}, processor time", scale=scale, seconds=spent / CONSUMED)
    what, rate = f"{what}, {loader.threads} threads", CONSUMED / seconds
    yield Row(what, scale=scale, seconds=1 / rate, batches_per_second=rate)
    seconds, waited = consume(
        lambda step: loader.batch(end + step),
        CONSUMED,
        lambda _: time.sleep(CONSUMER),
        **threads,
    )
    what = f"degraded data for a {CONSUMER * 1e3:.0f} ms step"
    yield Row(what, scale=scale, waiting_share=waited / seconds)


def consume(
    make: Callable[[int], Any],
    count: int,
    take: Callable[[Any], Any],
    finish: Callable[[], Any] = lambda: None,
    untimed: int = 0,
    **options: Any,
) -> tuple[float, float]:
    """Consumes batches that are prepared in the background, as in training.

    Args:
        make: From a step to its batch.
        count: Number of batches.
        take: Consumes a batch.
        finish: Waits for the work that `take` started.
        untimed: Number of first batches that are not timed.
        **options: Options of `Prefetch`.

    Returns:
        The seconds in total, and the seconds of waiting for batches.
    """
    with Prefetch(make, range(count), **options) as batches:
        for _ in range(untimed):
            take(batches.get())
        finish()
        start, before = time.perf_counter(), batches.waited
        for _ in range(count - untimed):
            take(batches.get())
        finish()
        return time.perf_counter() - start, batches.waited - before
