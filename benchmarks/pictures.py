"""Measures the upscaling of pictures: in tiles, by test.py, with shipped weights."""

import functools
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import (
    BenchmarkSettings,
    Finished,
    draw,
    run_script,
    time_best,
    time_in_turn,
)
from benchmarks.limit import PRECISIONS
from benchmarks.network import make_exports, make_model, take_through
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
        seconds = time_in_turn(runs, settings.repeats)
        what = f"upscaling {side}x{side}"
        yield Row(f"{what}, whole", scale=scale, seconds=seconds["whole"])
        yield Row(
            f"{what}, in tiles",
            scale=scale,
            seconds=seconds["in tiles"],
            times_whole=seconds["in tiles"] / seconds["whole"],
            largest_difference=float(difference),
        )


def measure_pictures(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures test.py on a folder of pictures, and the network alone."""
    model, scale = make_model(settings), settings.scales[0]
    stages = model.stages(scale)
    lrs = [draw(*SIZE, seed) for seed in range(PICTURES)]
    batches = [lr[None].astype(np.float32) for lr in lrs]
    take_through(stages, batches[0])
    network = time_best(
        lambda: [take_through(stages, lr) for lr in batches], settings.repeats
    )
    with tempfile.TemporaryDirectory() as folder:
        for index, lr in enumerate(lrs):
            save_picture(f"{folder}/in/{index}.jpg", Picture(lr))
        path = write_network(model, (scale,), folder)
        test = functools.partial(run_test, folder, scale, model_name=path)
        script = time_best(
            functools.partial(test, use_gpu=settings.on_gpu), settings.repeats
        )
    what = f"{PICTURES} pictures of {SIZE[1]}x{SIZE[0]}"
    yield Row(f"{what}, the network alone", scale=scale, seconds=network)
    yield Row(
        f"{what}, test.py with its start",
        scale=scale,
        seconds=script,
        share_of_network=network / script,
    )


def write_network(model: Any, scales: Sequence[int], folder: str) -> str:
    """Freezes a network; returns the path of the file."""
    path = f"{folder}/model.pb"
    graphs.save(make_network(model, scales).graph_def, path)
    return path


def run_test(folder: str, scale: int, **flags: Any) -> Finished:
    """Runs test.py from `in` to `out` of a folder; replaces existing results."""
    flags |= {"input_path": f"{folder}/in", "output_path": f"{folder}/out"}
    return run_script("test.py", "--overwrite", scale=scale, **flags)


def measure_shipped(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures a photograph with shipped EUSR, bicubic, other engines and test.py.

    4PP-EUSR has the same network, and therefore the same speed. Engines that are not
    installed are left out.
    """
    models: dict[str, Any] = {
        precision: open_model(
            find_shipped("eusr"), options=StepOptions(precision=precision)
        )
        for precision in PRECISIONS
    }
    starts = {"": engines.TENSORFLOW}
    if importlib.util.find_spec(engines.OPENVINO):
        starts[", OpenVINO"] = engines.OPENVINO
        for precision in PRECISIONS:
            model = models[f"{precision}, OpenVINO"] = open_model(find_shipped("eusr"))
            engines.OpenVino(precision=precision).run_parts_of(model)
    usable = models["float32"].usable_scales
    for scale in (scale for scale in settings.scales if scale in usable):
        size = [side * PHOTOGRAPH_SCALE // scale for side in PHOTOGRAPH]
        picture = draw(*size)
        lr = picture.astype(np.float32)
        runs: dict[str, Callable[[], Any]] = {
            "bicubic": functools.partial(imresize, picture, scale)
        }
        for name, model in models.items():
            stages = model.stages(scale)
            runs[f"EUSR, {name}"] = functools.partial(upscale_image, stages, lr)
        with tempfile.TemporaryDirectory() as folder:
            onnx = make_exports(models["float32"], scale, folder, ["onnx"])
            for run_onnx in onnx.values():
                runs["EUSR, onnxruntime"] = functools.partial(run_onnx, lr[None])
            save_picture(f"{folder}/in/0.png", Picture(picture))
            for name, engine in starts.items():
                use_gpu = settings.on_gpu if engine == engines.TENSORFLOW else None
                runs[f"EUSR, test.py with its start{name}"] = functools.partial(
                    run_test, folder, scale, use_gpu=use_gpu, engine=engine
                )
            for run in runs.values():
                run()  # The first call is slower and is not timed.
            seconds = time_in_turn(runs, settings.repeats)
        megapixels = size[0] * size[1] * scale**2 / 1e6
        for what, each in seconds.items():
            yield Row(
                f"{size[1]}x{size[0]}, {what}",
                scale=scale,
                seconds=each,
                times_bicubic=each / seconds["bicubic"],
                seconds_per_output_megapixel=each / megapixels,
            )
