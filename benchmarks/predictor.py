"""Measures the training of a score predictor and the preparation of its images."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.harness import BenchmarkSettings, draw, time_in_turn
from benchmarks.loading import consume
from benchmarks.rows import Row
from console.settings import PathName
from dataloaders.ava import AVA, AVASettings
from score_predictors import epochs
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee

# Height and width of most of AVA's photographs.
SIZE = (480, 640)
PICTURES = 64
BATCH_SIZE = 32
BATCHES = 12

# The default network; the weights do not matter.
SETTINGS = Settings(weights=PathName("none"))


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the preparation of images, and steps of the last and of all layers."""
    with tempfile.TemporaryDirectory() as path:
        loader = make_loader(Path(path))
        threads = loader.settings.threads
        options = {"workers": threads, "depth": 2 * threads}
        took = consume(loader.batch, 0, BATCHES, lambda _: None, **options)
        rate = BATCH_SIZE * BATCHES / took.seconds
        what = f"predictor's images, JPEG {SIZE[1]}x{SIZE[0]}"
        yield Row(what, images_per_second=rate)
        batch = loader.batch(0)
        for name, last_only in (("the last layer", True), ("all layers", False)):
            network = dataclasses.replace(SETTINGS, train_last_only=last_only)
            trainee = Trainee(MobileNetV2(network), 1e-3)
            files = RunFiles(Path(path), "a.h5")
            loop = epochs.make_loop(trainee, loader, files, 1)

            def train_and_wait(loop=loop):
                loop.take_step(batch)
                return loop.model.step  # Is known when the GPU has finished.

            train_and_wait()
            (seconds,) = time_in_turn({"": train_and_wait}, settings.repeats).values()
            what, rate = f"predictor, training {name}", BATCH_SIZE / seconds
            yield Row(what, seconds=seconds, images_per_second=rate)


def make_loader(folder: Path) -> AVA:
    """Writes pictures and votes in AVA's layout; returns a loader of them."""
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
