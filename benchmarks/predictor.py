"""Measures the training of a score predictor and the preparation of its images."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.harness import BenchmarkSettings, draw, time_best
from benchmarks.loading import consume
from benchmarks.rows import Row
from console.settings import PathName
from dataloaders.ava import AVA, AVASettings
from score_predictors import epochs
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee
from training.loop import Loop

# Height and width of most of AVA's photographs.
SIZE = (480, 640)
PICTURES = 64
BATCH_SIZE = 32
BATCHES = 12

# The default network; the weights do not matter.
SETTINGS = Settings(weights=PathName("none"))


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the input alone, and training from memory and from files."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        write_ava(folder)
        loader = make_loader(folder)
        threads = loader.settings.threads
        options: dict[str, Any] = {"workers": threads, "depth": 2 * threads}
        seconds, _ = consume(loader.batch, BATCHES, lambda batch: None, **options)
        yield Row(
            f"predictor's images, JPEG {SIZE[1]}x{SIZE[0]}",
            images_per_second=BATCH_SIZE * BATCHES / seconds,
        )
        for name, last_only in (("the last layer", True), ("all layers", False)):
            loop = make_loop(folder, loader, last_only)
            seconds = time_step(loop, loader.batch(0), settings.repeats)
            yield Row(
                f"predictor, training {name}",
                seconds=seconds,
                images_per_second=BATCH_SIZE / seconds,
            )
            # The first batch cannot be prepared during an earlier step.
            options |= {"finish": functools.partial(wait, loop), "untimed": 1}
            take = loop.take_step
            seconds, waited = consume(loader.batch, BATCHES, take, **options)
            yield Row(
                f"predictor, training {name} from files",
                images_per_second=BATCH_SIZE * (BATCHES - 1) / seconds,
                waiting_share=waited / seconds,
            )


def write_ava(folder: Path) -> None:
    """Writes JPEG pictures and their votes in AVA's layout."""
    margin = 11 * PICTURES
    picture = draw(SIZE[0] + margin, SIZE[1] + margin, noise=8)
    (folder / "images").mkdir()
    lines = []
    for index in range(PICTURES):
        top, left = 9 * index, 11 * index
        crop = picture[top : top + SIZE[0], left : left + SIZE[1]]
        Image.fromarray(crop).save(folder / "images" / f"{index}.jpg", quality=90)
        lines.append(f"{index} {index} {' '.join(['7'] * 10)}")
    (folder / "AVA.txt").write_text("\n".join(lines))


def make_loader(folder: Path) -> AVA:
    """Makes a loader of the files of `write_ava`, with the flags' defaults."""
    settings = AVASettings(
        "0,0",
        "0,1",
        batch_size=BATCH_SIZE,
        dataset_path=PathName(str(folder / "AVA.txt")),
        image_path=PathName(str(folder / "images")),
    )
    loader = AVA(settings)
    loader.prepare(parts=("train",))
    return loader


def make_loop(folder: Path, loader: AVA, last_only: bool) -> Loop:
    """Makes the loop that trains a predictor, or its last layer only."""
    predictor = MobileNetV2(dataclasses.replace(SETTINGS, train_last_only=last_only))
    files = RunFiles(folder, "a.h5")
    return epochs.make_loop(Trainee(predictor, 1e-3), loader, files, 1)


def time_step(loop: Loop, batch: Any, repeats: int) -> float:
    """Returns the seconds of the fastest of several steps from memory."""

    def train_and_wait():
        loop.take_step(batch)
        wait(loop)

    return time_best(train_and_wait, repeats)


def wait(loop: Loop) -> int:
    """Waits until the GPU has finished all steps; returns their number."""
    return loop.model.step
