"""What pictures take: in tiles, by test.py, with the weights that ship."""

import functools
import tempfile

import numpy as np

from benchmarks.harness import draw, run_script, time_best, time_in_turn
from benchmarks.limit import PRECISIONS
from benchmarks.network import make_exports, make_model, take_through
from benchmarks.rows import Row
from frozen import graphs
from frozen.upscaler_graph import make_network
from imaging.imresize import imresize
from imaging.pictures import Picture
from imaging.saving import save_picture
from models import shipped
from models.opening import open_model
from training.options import StepOptions
from upscaling.tiles import MEMORY, Tiling, upscale_image

# Sides of squares that 16 GB of memory still hold whole, at 64 channels.
SIDES = {2: 1536, 4: 768, 8: 384}
PICTURES, SIZE = 20, (320, 480)

# A megapixel at x2; at other scales as much smaller as makes results of the same size.
PHOTOGRAPH, PHOTOGRAPH_SCALE = (864, 1152), 2


def measure_tiles(settings):
    """A picture whole, and in the tiles that some of the memory gives."""
    model = make_model(settings)
    # So many tiles at any number of channels.
    tiling = Tiling(memory=MEMORY * settings.features / 64)
    for scale in settings.scales:
        stages, side = model.stages(scale), SIDES[scale]
        lr = draw(side, side).astype(np.float32)
        runs = {
            "whole": functools.partial(take_through, stages, lr[None]),
            "in tiles": functools.partial(upscale_image, stages, lr, tiling),
        }
        # The first ones are not timed.
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


def measure_pictures(settings):
    """test.py on a folder of pictures, beside its network alone."""
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
        flags = {"model_name": write_network(model, (scale,), folder)}
        flags["use_gpu"] = settings.on_gpu
        script = time_best(lambda: run_test(folder, scale, **flags), settings.repeats)
    what = f"{PICTURES} pictures of {SIZE[1]}x{SIZE[0]}"
    yield Row(f"{what}, the network alone", scale=scale, seconds=network)
    yield Row(
        f"{what}, test.py with its start",
        scale=scale,
        seconds=script,
        share_of_network=network / script,
    )


def write_network(model, scales, folder):
    """Freezes a network; returns the path of the file."""
    path = f"{folder}/model.pb"
    graphs.save(make_network(model, scales).graph_def, path)
    return path


def run_test(folder, scale, **flags):
    """Runs test.py on `in` of a folder, whatever results are there."""
    paths = {"input_path": f"{folder}/in", "output_path": f"{folder}/out"}
    return run_script("test.py", "--overwrite", scale=scale, **paths, **flags)


def measure_shipped(settings):
    """A photograph with the EUSR that ships, beside bicubic, onnxruntime and test.py.

    4PP-EUSR, whose network is the same, takes as long.
    """
    models = {
        precision: open_model(
            shipped.find("eusr"), options=StepOptions(precision=precision)
        )
        for precision in PRECISIONS
    }
    usable = models["float32"].usable_scales
    for scale in (scale for scale in settings.scales if scale in usable):
        size = [side * PHOTOGRAPH_SCALE // scale for side in PHOTOGRAPH]
        picture = draw(*size)
        lr = picture.astype(np.float32)
        runs = {"bicubic": functools.partial(imresize, picture, scale)}
        for precision, model in models.items():
            run = functools.partial(upscale_image, model.stages(scale), lr)
            runs[f"EUSR, {precision}"] = run
        with tempfile.TemporaryDirectory() as folder:
            onnx = make_exports(models["float32"], scale, folder, ["onnx"])
            for run in onnx.values():
                runs["EUSR, onnxruntime"] = functools.partial(run, lr[None])
            save_picture(f"{folder}/in/0.png", Picture(picture))
            runs["EUSR, test.py with its start"] = functools.partial(
                run_test, folder, scale, use_gpu=settings.on_gpu
            )
            for run in runs.values():
                run()  # The first call prepares for the size: it is not timed.
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
