"""How fast batches are prepared, on pictures of the size of DIV2K's."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.network import PATCH
from benchmarks.rows import Row
from benchmarks.timing import time_best, time_once
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from imaging.files import load_image, save_image
from imaging.imresize import imresize, make_lr
from training.prefetch import Prefetch

# Height and width of an image of DIV2K.
SIZE = (1356, 2040)
PICTURES = 8
BATCHES = 50

# Seconds that a data-centre GPU takes for a step, and how many of them are tried.
CONSUMER = 0.020
CONSUMED = 200


def measure(settings):
    """Times the cache, batches, waiting for them, decoding and imresize.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each.
    """
    picture = draw_picture()
    with tempfile.TemporaryDirectory() as folder:
        path = write_pictures(picture, Path(folder) / "HR")
        loader = make_loader(Path(folder), settings)
        seconds = time_once(loader.prepare)
        yield Row(f"cache of {PICTURES} pictures", seconds=seconds)
        for scale in settings.scales:
            what = f"batch of {settings.batch_size}"
            yield Row(what, scale=scale, seconds=time_batch(loader, scale))
        share = measure_waiting(loader)
        yield Row(f"data for a {CONSUMER * 1e3:.0f} ms step", waiting_share=share)
        yield from _measure_imresize(picture, path, settings.repeats)


def draw_picture():
    """A picture of waves and noise, uint8 (H, W, 3)."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = 128 + 60 * np.sin(x / 40) + 40 * np.cos(y / 30)
    noise = np.random.default_rng(0).normal(0, 8, (*SIZE, 3))
    return np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8)


def write_pictures(picture, folder):
    """Writes one picture under several names.

    Returns:
        Path: Of the first.
    """
    first = folder / "0.png"
    save_image(first, picture)
    for index in range(1, PICTURES):
        shutil.copyfile(first, folder / f"{index}.png")
    return first


def make_loader(folder, settings):
    """Makes a loader of the pictures in `HR`; `prepare` makes its cache."""
    return PairedLoader(
        PairedSettings(
            truth_path=str(folder / "HR"),
            input_path=None,
            scales=settings.scales,
            lr_patch_size=PATCH,
            batch_size=settings.batch_size,
            cache_path=str(folder / "cache"),
        )
    )


def time_batch(loader, scale):
    """Seconds of a batch at one scale, the median of many different ones."""
    return statistics.median(
        time_once(lambda step=step: loader.batch(step, scale))
        for step in range(BATCHES)
    )


def measure_waiting(loader):
    """Share of the time that a consumer of `CONSUMER` seconds a step waits."""
    start = time.perf_counter()
    with Prefetch(loader.batch, 0, CONSUMED) as batches:
        for _ in range(CONSUMED):
            batches.get()
            time.sleep(CONSUMER)
    return batches.waited / (time.perf_counter() - start)


def _measure_imresize(picture, path, repeats):
    """Times imresize beside what every picture costs anyway, its decoding."""
    size = f"{SIZE[1]}x{SIZE[0]}"
    small = make_lr(picture, 4)
    for what, function in {
        f"decoding a PNG, {size}": lambda: load_image(path),
        f"imresize x4 down from {size}": lambda: make_lr(picture, 4),
        f"imresize x4 up to {size}": lambda: imresize(small, 4),
    }.items():
        yield Row(what, seconds=time_best(function, repeats))
