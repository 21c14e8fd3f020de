"""Measures the upscaling of pictures: in tiles, by test.py, with shipped weights."""

import dataclasses
import functools
import importlib.util
import resource
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness import BenchmarkSettings, compare, draw, run_script
from benchmarks.limit import PRECISIONS
from benchmarks.network import make_exports, make_model, run_apart, take_through
from benchmarks.rows import Row
from frozen import engines, graphs
from frozen.upscaler_graph import make_network
from imaging.imresize import imresize
from imaging.pictures import Picture
from imaging.saving import save_picture
from models.opening import find_shipped, open_model
from training.options import StepOptions
from upscaling.tiles import MEMORY, Tiling, upscale_image

# Largest sides of squares that fit in 16 GB of memory without tiles, at 64 channels.
SIDES = {2: 1536, 4: 768, 8: 384}
PICTURES, SIZE = 20, (320, 480)

# A megapixel at x2; at other scales, the size that gives a result of the same size.
PHOTOGRAPH, PHOTOGRAPH_SCALE = (864, 1152), 2

# Ratio of height to width of a large picture, as of cameras.
ASPECT = 2 / 3
SCRIPT = "test.py with its start"


def measure_tiles(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures a picture without tiles, and in tiles that fit a limited memory."""
    model = make_model(settings)
    # The number of tiles does not depend on the number of channels.
    tiling = Tiling(memory=MEMORY * settings.features / 64)
    for scale in settings.scales:
        stages, side = model.stages(scale), SIDES[scale]
        lr = draw(side, side).astype(np.float32)
        runs = {
            "whole": functools.partial(take_through, stages, lr[None]),
            "in tiles": functools.partial(upscale_image, stages, lr, tiling),
        }
        # The first calls are not timed.
        difference = np.abs(runs["whole"]()[0] - runs["in tiles"]()).max()
        what = f"upscaling {side}x{side}"
        whole, in_tiles = compare(what, runs, settings.repeats, scale=scale)
        yield whole
        yield dataclasses.replace(in_tiles, largest_difference=float(difference))


def measure_pictures(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures test.py on a folder of pictures, and the network alone."""
    model, scale = make_model(settings), settings.scales[0]
    stages = model.stages(scale)
    lrs = [draw(*SIZE, seed) for seed in range(PICTURES)]
    batches = [lr[None].astype(np.float32) for lr in lrs]
    with tempfile.TemporaryDirectory() as folder:
        for index, lr in enumerate(lrs):
            save_picture(f"{folder}/in/{index}.jpg", Picture(lr))
        test = functools.partial(
            run_test, folder, scale, write_network(model, scale, folder)
        )
        runs: dict[str, Callable[[], Any]] = {
            "the network alone": lambda: [take_through(stages, lr) for lr in batches],
            SCRIPT: functools.partial(test, use_gpu=settings.on_gpu),
        }
        take_through(stages, batches[0])
        what = f"{PICTURES} pictures of {SIZE[1]}x{SIZE[0]}"
        yield from compare(what, runs, settings.repeats, scale=scale)


def write_network(model: Any, scale: int, folder: str) -> str:
    """Freezes a network; returns the path of the file."""
    path = f"{folder}/model.pb"
    graphs.save(make_network(model, (scale,)).graph_def, path)
    return path


def run_test(
    folder: str, scale: int, model_name: str | None = None, **flags: Any
) -> float:
    """Runs test.py from `in` to `out` of a folder; replaces existing results."""
    flags |= {"input_path": f"{folder}/in", "output_path": f"{folder}/out"}
    flags |= {"model_name": model_name, "scale": scale}
    return run_script("test.py", "--overwrite", **flags)


def measure_shipped(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures a photograph with shipped EUSR, bicubic, other engines and test.py.

    4PP-EUSR has the same network, and therefore the same speed. Engines that are not
    installed are left out.
    """
    path = find_shipped("eusr")
    models: dict[str, Any] = {
        precision: open_model(path, options=StepOptions(precision=precision))
        for precision in PRECISIONS
    }
    starts = {"": engines.TENSORFLOW}
    if importlib.util.find_spec(engines.OPENVINO):
        starts[", OpenVINO"] = engines.OPENVINO
        for precision in PRECISIONS:
            model = models[f"{precision}, OpenVINO"] = open_model(path)
            engines.OpenVino(precision=precision).run_parts_of(model)
    usable = models["float32"].usable_scales
    for scale in (scale for scale in settings.scales if scale in usable):
        size = [side * PHOTOGRAPH_SCALE // scale for side in PHOTOGRAPH]
        picture = draw(*size)
        lr = picture.astype(np.float32)
        runs: dict[str, Callable[[], Any]] = {
            f"EUSR, {name}": functools.partial(upscale_image, model.stages(scale), lr)
            for name, model in models.items()
        }
        runs["bicubic"] = functools.partial(imresize, picture, scale)
        megapixels = size[0] * size[1] * scale**2 / 1e6
        with tempfile.TemporaryDirectory() as folder:
            onnx = make_exports(models["float32"], scale, folder, ["onnx"])
            for run_onnx in onnx.values():
                runs["EUSR, onnxruntime"] = functools.partial(run_onnx, lr[None])
            save_picture(f"{folder}/in/0.png", Picture(picture))
            for name, engine in starts.items():
                use_gpu = settings.on_gpu if engine == engines.TENSORFLOW else None
                runs[f"EUSR, {SCRIPT}{name}"] = functools.partial(
                    run_test, folder, scale, use_gpu=use_gpu, engine=engine
                )
            for run in runs.values():
                run()  # The first call is slower and is not timed.
            what = f"{size[1]}x{size[0]}"
            for row in compare(what, runs, settings.repeats, scale=scale):
                yield dataclasses.replace(
                    row, seconds_per_output_megapixel=row.seconds / megapixels
                )


def measure_large_picture(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures test.py on a picture larger than its memory limit."""
    for scale in settings.scales:
        yield run_apart(upscale_large, settings, scale)


def upscale_large(settings: BenchmarkSettings, scale: int) -> Row:
    """Runs test.py on a JPEG, with a network of random weights."""
    height = int((settings.megapixels * 1e6 * ASPECT) ** 0.5)
    width = int(height / ASPECT)
    with tempfile.TemporaryDirectory() as folder:
        save_picture(f"{folder}/in/0.jpg", Picture(draw(height, width)))
        network = write_network(make_model(settings), scale, folder)
        limit = {"memory_limit": settings.memory_limit}
        seconds = run_test(folder, scale, network, **limit)
    # A child's peak is at least that of its parent, so this is called in a new process.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Row(f"{width}x{height}, {SCRIPT}", scale, seconds, peak_memory_gb=peak / 1e9)
