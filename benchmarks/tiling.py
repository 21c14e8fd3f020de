"""What tiles cost, and how near test.py comes to the speed of its network."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.network import make_model, take_through
from benchmarks.rows import Row
from benchmarks.timing import time_best, time_once
from console.errors import InputError
from frozen import graphs
from frozen.upscaler_graph import make_network
from imaging.files import to_uint8
from imaging.imresize import imresize
from imaging.pictures import Picture
from imaging.saving import save_picture
from upscaling.tiles import MEMORY, Tiling, upscale_image

TEST = str(Path(__file__).resolve().parents[1] / "test.py")

# Sides of squares that 16 GB of memory still hold whole, at 64 channels.
SIDES = {2: 1536, 4: 768, 8: 384}
PICTURES, SIZE = 20, (320, 480)


def measure_tiles(settings):
    """Times a picture whole and in the tiles that some of the memory gives.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each, at each scale.
    """
    model = make_model(settings, "float32")
    # So many tiles at any number of channels.
    tiling = Tiling(memory=MEMORY * settings.features / 64)
    for scale in settings.scales:
        stages, side = model.stages(scale), SIDES[scale]
        lr = draw(side, side)
        runs = {
            "whole": functools.partial(take_through, stages, lr[None]),
            "in tiles": functools.partial(upscale_image, stages, lr, tiling),
        }
        # The first ones are not timed.
        difference = float(np.abs(runs["whole"]()[0] - runs["in tiles"]()).max())
        seconds = {what: [] for what in runs}
        for _ in range(settings.repeats):
            for what, run in runs.items():
                seconds[what].append(time_once(run))
        whole, in_tiles = (min(times) for times in seconds.values())
        what = f"upscaling {side}x{side}"
        yield Row(f"{what}, whole", scale=scale, seconds=whole)
        yield Row(
            f"{what}, in tiles",
            scale=scale,
            seconds=in_tiles,
            times_whole=in_tiles / whole,
            largest_difference=difference,
        )


def measure_pictures(settings):
    """Times test.py on a folder of pictures, beside its network alone.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of both.

    Raises:
        InputError: test.py failed; with what it said.
    """
    model, scale = make_model(settings, "float32"), settings.scales[0]
    stages = model.stages(scale)
    what = f"{PICTURES} pictures of {SIZE[1]}x{SIZE[0]}"
    lrs = [draw(*SIZE, seed) for seed in range(PICTURES)]
    take_through(stages, lrs[0][None])
    with tempfile.TemporaryDirectory() as folder:
        for index, lr in enumerate(lrs):
            save_picture(f"{folder}/in/{index}.jpg", Picture(to_uint8(lr)))
        graphs.save(make_network(model, (scale,)).graph_def, f"{folder}/model.pb")
        network = time_best(
            lambda: [take_through(stages, lr[None]) for lr in lrs], settings.repeats
        )
        command = (
            *(f"--model_name={folder}/model.pb", f"--use_gpu={settings.on_gpu}"),
            *(f"--input_path={folder}/in", f"--output_path={folder}/out"),
            f"--scale={scale}",
        )
        script = time_best(lambda: run_test(*command), settings.repeats)
    yield Row(f"{what}, the network alone", scale=scale, seconds=network)
    yield Row(
        f"{what}, test.py with its start",
        scale=scale,
        seconds=script,
        share_of_network=network / script,
    )


def run_test(*flags):
    """Runs test.py, whatever results are there.

    Raises:
        InputError: It failed; with what it said.
    """
    command = [sys.executable, TEST, "--overwrite", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"test.py ended with {done.returncode}: {done.stderr.strip()}")


def draw(height, width, seed=0):
    """A smooth picture with some noise, float32 (H, W, 3) of whole numbers."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    smooth = imresize(coarse, size=(height, width)).astype(np.float32)
    return to_uint8(smooth + rng.normal(0, 4, smooth.shape)).astype(np.float32)
