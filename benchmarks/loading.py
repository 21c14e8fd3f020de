"""Measures the preparation of batches."""

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import BenchmarkSettings, draw
from benchmarks.network import PATCH
from benchmarks.rows import Row
from console.prefetch import Prefetch
from console.settings import PathName
from dataloaders.degradation_settings import BICUBIC
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from imaging.files import save_image

# Height and width of an image of DIV2K.
SIZE = (1356, 2040)
PICTURES = 8

# Seconds per step of a data-centre GPU, and the number of simulated steps.
CONSUMER = 0.020
CONSUMED = 200
# Steps until about as many degraded regions are made as are used up.
WARMED = 150


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Times batches with and without degradations, in a run's threads."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "HR" / "0.png"
        save_image(first, draw(*SIZE, noise=8))
        for index in range(1, PICTURES):
            shutil.copyfile(first, first.with_stem(str(index)))
        paired = PairedSettings(
            truth_path=(PathName(str(first.parent)),),
            input_path=None,
            scales=settings.scales,
            lr_patch_size=PATCH,
            batch_size=settings.batch_size,
            cache_path=PathName(f"{folder}/cache"),
        )
        for degradation in (BICUBIC, "photo"):
            for scale in settings.scales:
                yield from measure_batches(
                    dataclasses.replace(
                        paired, scales=(scale,), degradation=degradation
                    )
                )


def measure_batches(settings: PairedSettings) -> Iterator[Row]:
    """Times batches of one scale, and the waiting for them of a fast step."""
    loader = PairedLoader(settings)
    loader.prepare()
    threads = {"workers": loader.threads, "depth": 3 * loader.threads}
    what, (scale,) = f"{settings.degradation} batch", settings.scales
    took = consume(loader.batch, WARMED, CONSUMED, lambda _: None, **threads)
    for clock, seconds in (
        ("processor time", took.processor),
        (f"{loader.threads} threads", took.seconds),
    ):
        each = f"{what} of {settings.batch_size}, {clock}"
        yield Row(each, scale, seconds / CONSUMED)

    def make(step):
        return loader.batch(WARMED + CONSUMED + step)

    took = consume(make, 0, CONSUMED, lambda _: time.sleep(CONSUMER), **threads)
    share = took.waited / took.seconds
    what = f"{what} for a {CONSUMER * 1e3:.0f} ms step"
    yield Row(what, scale=scale, waiting_share=share)


@dataclasses.dataclass(frozen=True)
class Took:
    """Seconds by the clock, seconds of all processors, and seconds of waiting."""

    seconds: float
    processor: float
    waited: float


def consume(
    make: Callable[[int], Any],
    untimed: int,
    count: int,
    take: Callable[[Any], Any],
    **options: Any,
) -> Took:
    """Consumes batches that `Prefetch` prepares in the background, as in training.

    The first `untimed` batches are not timed, `count` batches after them are.
    """

    def read_clocks():
        return time.perf_counter(), time.process_time(), batches.waited

    with Prefetch(make, range(untimed + count), **options) as batches:
        for _ in range(untimed):
            take(batches.get())
        before = read_clocks()
        for _ in range(count):
            take(batches.get())
        after = read_clocks()
    return Took(*(b - a for a, b in zip(before, after, strict=True)))
