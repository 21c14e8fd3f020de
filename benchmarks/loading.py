"""What surrounds training steps: a script's start, and how batches are prepared."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.harness import draw, run_script, time_best, time_once
from benchmarks.network import PATCH
from benchmarks.rows import Row
from console.prefetch import Prefetch
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from imaging.files import load_image, save_image
from imaging.imresize import imresize, make_lr

# Height and width of an image of DIV2K.
SIZE = (1356, 2040)
PICTURES = 8
BATCHES = 50

# Seconds that a data-centre GPU takes for a step, and how many of them are tried.
CONSUMER = 0.020
CONSUMED = 200

# Flags of a run that is so small that it is the start that takes the time.
SMALL = (
    *("--batch_size=1", "--input_patch_size=8", "--scales=2", "--log_freq=1"),
    *("--max_steps=1", "--eusr_model_scales=2", "--eusr_conv_features=4"),
    "--eusr_shared_blocks=1",
)


def measure_start(settings):
    """train.py from its start to its help, and to the end of its first step."""
    # absl ends with 1 after a help.
    helped = [
        run_script("train.py", "--helpshort", status=1).seconds
        for _ in range(settings.repeats)
    ]
    yield Row("train.py, start to help", seconds=min(helped))
    trained = [time_first_step(settings.cuda_device) for _ in range(settings.repeats)]
    yield Row("train.py, start to first step", seconds=min(trained))


def time_first_step(cuda_device):
    """Seconds until a small run says that its first step is done."""
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


def measure(settings):
    """The cache, batches, waiting for them, and imresize beside decoding."""
    picture = draw(*SIZE, noise=8)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "HR" / "0.png"
        save_image(first, picture)
        for index in range(1, PICTURES):
            shutil.copyfile(first, first.with_stem(str(index)))
        loader = PairedLoader(
            PairedSettings(
                truth_path=str(first.parent),
                input_path=None,
                scales=settings.scales,
                lr_patch_size=PATCH,
                batch_size=settings.batch_size,
                cache_path=f"{folder}/cache",
            )
        )
        yield Row(f"cache of {PICTURES} pictures", seconds=time_once(loader.prepare))
        for scale in settings.scales:
            seconds = statistics.median(
                time_once(lambda step=step, scale=scale: loader.batch(step, scale))
                for step in range(BATCHES)
            )
            yield Row(f"batch of {settings.batch_size}", scale=scale, seconds=seconds)
        seconds, waited = consume(
            loader.batch, CONSUMED, lambda _: time.sleep(CONSUMER)
        )
        what = f"data for a {CONSUMER * 1e3:.0f} ms step"
        yield Row(what, waiting_share=waited / seconds)
        size, small = f"{SIZE[1]}x{SIZE[0]}", make_lr(picture, 4)
        for what, function in {
            f"decoding a PNG, {size}": lambda: load_image(first),
            f"imresize x4 down from {size}": lambda: make_lr(picture, 4),
            f"imresize x4 up to {size}": lambda: imresize(small, 4),
        }.items():
            yield Row(what, seconds=time_best(function, settings.repeats))


def consume(make, count, take, finish=lambda: None, untimed=0, **options):
    """Prepares batches in the background while others are taken, as training does.

    Args:
        make: From a step to its batch.
        count: How many batches.
        take: Takes a batch.
        finish: Waits for all that `take` began.
        untimed: How many of the first batches are not timed.
        options: Of `Prefetch`.

    Returns:
        (float, float): Seconds, and how many of them were spent waiting for batches.
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
