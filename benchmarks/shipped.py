"""What a photograph takes with the EUSR that ships, beside other programs.

4PP-EUSR, whose network is the same, takes as long.
"""

import functools
import tempfile
from pathlib import Path

from benchmarks import exports, tiling
from benchmarks.rows import Row
from benchmarks.timing import time_once
from imaging.files import to_uint8
from imaging.imresize import imresize
from imaging.pictures import Picture
from imaging.saving import save_picture
from models import shipped
from models.opening import open_model
from training.options import StepOptions
from upscaling.tiles import upscale_image

# A megapixel at x2; at other scales as much smaller as makes results of the same size.
SIZE, SCALE = (864, 1152), 2


def measure(settings):
    """Times one photograph at each scale.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of bicubic, of the network in both precisions, of onnxruntime running the
        same network, and of test.py with its start, reading and writing.

    Raises:
        InputError: test.py failed; with what it said.
    """
    models = {
        precision: open_model(
            shipped.find("eusr"), options=StepOptions(precision=precision)
        )
        for precision in ("float32", "bfloat16")
    }
    usable = models["float32"].usable_scales
    for scale in (scale for scale in settings.scales if scale in usable):
        lr = tiling.draw(*(side * SCALE // scale for side in SIZE))
        with tempfile.TemporaryDirectory() as folder:
            runs = {"bicubic": functools.partial(imresize, to_uint8(lr), scale)}
            for precision, model in models.items():
                stages = model.stages(scale)
                runs[f"EUSR, {precision}"] = functools.partial(
                    upscale_image, stages, lr
                )
            onnx = exports.make_exports(
                models["float32"], scale, Path(folder), ["onnx"]
            )
            for run in onnx.values():
                runs["EUSR, onnxruntime"] = functools.partial(run, lr[None])
            save_picture(f"{folder}/in.png", Picture(to_uint8(lr)))
            runs["EUSR, test.py with its start"] = functools.partial(
                tiling.run_test,
                *(f"--input_path={folder}/in.png", f"--output_path={folder}/out"),
                *(f"--scale={scale}", f"--use_gpu={settings.on_gpu}"),
            )
            yield from _measure(runs, lr, scale, settings.repeats)


def _measure(runs, lr, scale, repeats):
    """Times all in turn, so that a busy moment of the machine meets each."""
    seconds = {what: [] for what in runs}
    for run in runs.values():
        run()  # The first call prepares for the size: it is not timed.
    for _ in range(repeats):
        for what, run in runs.items():
            seconds[what].append(time_once(run))
    best = {what: min(times) for what, times in seconds.items()}
    for what, time in best.items():
        yield Row(
            f"{lr.shape[1]}x{lr.shape[0]}, {what}",
            scale=scale,
            seconds=time,
            times_bicubic=time / best["bicubic"],
            seconds_per_output_megapixel=1e6 * time / (lr[..., 0].size * scale**2),
        )
