"""How fast a score predictor is trained, and its images prepared."""

import dataclasses
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.loading import draw_picture
from benchmarks.rows import Row
from benchmarks.timing import time_best
from dataloaders.ava import AVA, AVASettings
from score_predictors import epochs
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee
from training.prefetch import Prefetch

# Height and width of most of AVA's photographs.
SIZE = (480, 640)
PICTURES = 64
BATCH_SIZE = 32
BATCHES = 12

# The network at its defaults; what its weights are is of no consequence.
SETTINGS = Settings(weights="none")


def measure(settings):
    """Times the input alone, training from memory, and both together.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each, for the default network at alpha 1.0 and 192 pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_ava(folder)
        loader = make_loader(folder)
        yield Row(
            f"predictor's images, JPEG {SIZE[1]}x{SIZE[0]}",
            images_per_second=measure_input(loader),
        )
        for name, last_only in (("the last layer", True), ("all layers", False)):
            network = dataclasses.replace(SETTINGS, train_last_only=last_only)
            predictor = MobileNetV2(network)
            trainee, files = Trainee(predictor, 1e-3), RunFiles(folder, "a.h5")
            loop = epochs.make_loop(trainee, loader, files, 1)
            batch = loader.batch(0)
            train = lambda loop=loop, b=batch: train_and_wait(loop, b)  # noqa: E731
            seconds = time_best(train, settings.repeats)
            yield Row(
                f"predictor, training {name}",
                seconds=seconds,
                images_per_second=BATCH_SIZE / seconds,
            )
            yield measure_together(loop, loader, name)


def write_ava(folder):
    """Writes pictures as JPEG and their votes, in AVA's layout."""
    picture = draw_picture()
    (folder / "images").mkdir()
    lines = []
    for index in range(PICTURES):
        top, left = 9 * index, 11 * index
        crop = picture[top : top + SIZE[0], left : left + SIZE[1]]
        Image.fromarray(crop).save(folder / "images" / f"{index}.jpg", quality=90)
        lines.append(f"{index} {index} {' '.join(['7'] * 10)}")
    (folder / "AVA.txt").write_text("\n".join(lines))


def make_loader(folder):
    """Makes a loader of what `write_ava` wrote, with the flags' defaults."""
    paths = {"dataset_path": folder / "AVA.txt", "image_path": folder / "images"}
    loader = AVA(AVASettings("0,0", "0,1", batch_size=BATCH_SIZE, **paths))
    loader.prepare(parts=("train",))
    return loader


def measure_input(loader):
    """Images a second that are prepared when nobody else computes."""
    threads = loader.settings.threads
    start = time.perf_counter()
    with Prefetch(loader.batch, 0, BATCHES, threads, 2 * threads) as batches:
        count = sum(len(batches.get().patches) for _ in range(BATCHES))
    return count / (time.perf_counter() - start)


def train_and_wait(loop, batch):
    """Takes a step and waits for the device, which a GPU's step does not by itself."""
    loop.take_step(batch)
    return loop.model.step


def measure_together(loop, loader, name):
    """Trains from files; a `Row` with the share of the time spent waiting."""
    threads = loader.settings.threads
    with Prefetch(loader.batch, 0, BATCHES, threads, 2 * threads) as batches:
        # The first batch has nothing before it to be prepared behind.
        train_and_wait(loop, batches.get())
        start, before = time.perf_counter(), batches.waited
        for _ in range(BATCHES - 2):
            loop.take_step(batches.get())
        # Once, at the end: training does not wait for each step either.
        train_and_wait(loop, batches.get())
        seconds = time.perf_counter() - start
        waited = batches.waited - before
    return Row(
        f"predictor, training {name} from files",
        images_per_second=BATCH_SIZE * (BATCHES - 1) / seconds,
        waiting_share=waited / seconds,
    )
