"""How fast everything is, beside what this machine can do at most.

    python benchmarks/speed.py --output_path=benchmark.json

The limit is what a large 3x3 convolution of 64 by 64 channels reaches, forward and
backward, measured just before and just after each training step, for machines are not
equally fast from one minute to the next. Everything else is of the default network.
"""

import functools
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import numpy as np  # noqa: E402
from absl import flags  # noqa: E402

from console import app, quiet  # noqa: E402
from console.files import check_target, written_whole  # noqa: E402
from console.flags import define_count, define_numbers  # noqa: E402
from console.progress import say  # noqa: E402
from dataloaders.paired import PairedLoader, PairedSettings  # noqa: E402
from imaging.files import load_image, save_image  # noqa: E402
from imaging.imresize import imresize, make_lr  # noqa: E402

with quiet.imports():
    import tensorflow as tf

    from models.eusr import EUSR, Architecture, Training
    from training import devices
    from training.ahead import Ahead
    from training.options import StepOptions

FLAGS = flags.FLAGS
PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}

# Sides of what is measured, in pixels: the patches of the default run, a picture, the
# tensors of the limit, and an image of DIV2K.
PATCH, PICTURE, LIMIT_SIDE, DIV2K = 48, 192, 96, (1356, 2040)

# Seconds that a data-centre GPU takes for a step.
CONSUMER = 0.020
CONSUMED = 200


def define_flags():
    """Declares the flags."""
    define_numbers("scales", (2, 4, 8), "Scales to measure.")
    define_count("batch_size", 16, "Patches in a training step.")
    define_count("repeats", 4, "How often each thing is timed; the best counts.")
    flags.DEFINE_string("output_path", None, "JSON file for all numbers.")
    flags.DEFINE_string("cuda_device", "-1", "GPU to measure; -1 for the CPU.")


def main():
    """Measures, prints a table, writes the numbers."""
    if FLAGS.output_path is not None:
        check_target(FLAGS.output_path, "--output_path")
    device = devices.choose(FLAGS.cuda_device)
    results = {"machine": f"{device}: {describe_processor()}, {os.cpu_count()} cores"}
    say(results["machine"])
    results["steps"] = measure_steps()
    results["upscaling"] = measure_upscaling()
    # Of the largest thing so far, a float32 step at the largest scale.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    results["peak_memory_gb"] = peak / 1e9
    results["input"] = measure_input()
    results["start_seconds"] = measure_start()
    say(
        f"peak memory {results['peak_memory_gb']:.1f} GB  train.py --helpshort "
        f"{results['start_seconds']:.1f} s"
    )
    if FLAGS.output_path is not None:
        with written_whole(FLAGS.output_path) as aside:
            aside.write_text(json.dumps(results, indent=2) + "\n")
        say(f"Wrote {FLAGS.output_path}")


def describe_processor():
    """The processor's name, as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor()


def time_best(function):
    """Seconds of the fastest of several calls, after one that warms up."""
    function()
    times = []
    for _ in range(FLAGS.repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_limit(dtype):
    """FLOP/s of a large convolution, forward and backward."""
    shape = (16, LIMIT_SIDE, LIMIT_SIDE, 64)
    x, gradient = (tf.cast(tf.random.normal(shape), dtype) for _ in range(2))
    kernel = tf.cast(tf.random.normal((3, 3, 64, 64)), dtype)

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        gradients = tape.gradient(y, [x, kernel], gradient)
        # All three are used; TensorFlow would drop what is not.
        return [tf.reduce_max(result) for result in (y, *gradients)]

    seconds = time_best(lambda: [result.numpy() for result in run()])
    return 3 * 2 * 9 * 64 * 64 * np.prod(shape[:3], dtype=float) / seconds


def count_flops(generator, scale):
    """FLOP of one pass for each LR pixel: of the first convolution, and of the rest."""
    first = rest = 0.0
    for variable in generator.path_variables(scale):
        if not variable.path.endswith("kernel"):
            continue
        module = re.search(r"_upscaling(\d+)/", variable.path)
        # Each module before this one has doubled height and width.
        pixels = 4 ** int(module[1]) if module else 1
        if "_last_conv/" in variable.path:
            pixels = scale**2
        flops = 2.0 * np.prod(variable.shape) * pixels
        if "/first_conv/" in variable.path:
            first += flops
        else:
            rest += flops
    return first, rest


def measure_steps():
    """Times a training step at each scale and precision.

    Returns:
        list of dicts.
    """
    say(f"\ntraining step, batch {FLAGS.batch_size}, patch {PATCH}")
    rows = []
    for precision, dtype in PRECISIONS.items():
        model = EUSR(Architecture(), Training(), StepOptions(precision=precision))
        for scale in FLAGS.scales:
            draw = np.random.default_rng(0)
            shape = (FLAGS.batch_size, PATCH, PATCH, 3)
            lr = tf.constant(draw.integers(0, 256, shape, np.uint8))
            shape = (FLAGS.batch_size, PATCH * scale, PATCH * scale, 3)
            hr = tf.constant(draw.integers(0, 256, shape, np.uint8))
            step = tf.function(model.train_step, autograph=False)
            before = measure_limit(dtype)

            seconds = time_best(functools.partial(_train, step, lr, hr, scale))
            limit = (before + measure_limit(dtype)) / 2
            first, rest = count_flops(model.generator, scale)
            # The picture itself needs no gradient, so the first one runs twice.
            flops = (2 * first + 3 * rest) * FLAGS.batch_size * PATCH**2
            row = {
                "precision": precision,
                "scale": scale,
                "seconds": seconds,
                "tflops_per_second": flops / seconds / 1e12,
                "limit_tflops_per_second": limit / 1e12,
                "share_of_limit": flops / seconds / limit,
            }
            rows.append(row)
            say(
                f"  {precision:8}  x{scale}  {seconds:6.2f} s  "
                f"{row['tflops_per_second']:.3f} TFLOP/s  "
                f"{row['share_of_limit']:4.0%} of the limit"
            )
    return rows


def _train(step, lr, hr, scale):
    return step(lr, hr, scale)["loss"].numpy()


def measure_upscaling():
    """Times the upscaling of a picture at each scale and precision."""
    say(f"\nupscaling {PICTURE}x{PICTURE}")
    rows = []
    for precision, dtype in PRECISIONS.items():
        model = EUSR(Architecture(), options=StepOptions(precision=precision))
        limit = measure_limit(dtype)
        lr = tf.random.uniform((1, PICTURE, PICTURE, 3), 0, 255)
        for scale in FLAGS.scales:
            trunk, head = model.stages(scale)
            seconds = time_best(functools.partial(_upscale, trunk, head, lr))
            flops = sum(count_flops(model.generator, scale)) * PICTURE**2
            row = {
                "precision": precision,
                "scale": scale,
                "seconds": seconds,
                "tflops_per_second": flops / seconds / 1e12,
                "share_of_limit": flops / seconds / limit,
                "seconds_per_output_megapixel": seconds / (PICTURE * scale) ** 2 * 1e6,
            }
            rows.append(row)
            say(
                f"  {precision:8}  x{scale}  {seconds:6.2f} s  "
                f"{row['tflops_per_second']:.3f} TFLOP/s  "
                f"{row['share_of_limit']:4.0%} of the limit"
            )
    return rows


def _upscale(trunk, head, lr):
    return head.run(trunk.run(lr)).numpy()


def measure_input():
    """Times batches, waiting and imresize on pictures of DIV2K's size."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        noise = np.random.default_rng(0).normal(0, 8, (*DIV2K, 3))
        y, x = np.mgrid[: DIV2K[0], : DIV2K[1]]
        picture = 128 + 60 * np.sin(x / 40)[..., None] + 40 * np.cos(y / 30)[..., None]
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        for index in range(8):
            save_image(folder / "HR" / f"{index}.png", np.roll(picture, 99 * index, 1))
        settings = PairedSettings(
            truth_path=str(folder / "HR"),
            input_path=None,
            scales=FLAGS.scales,
            lr_patch_size=PATCH,
            batch_size=FLAGS.batch_size,
            cache_path=str(folder / "cache"),
        )
        start = time.perf_counter()
        loader = PairedLoader(settings)
        loader.prepare()
        results = {"cache_seconds_of_8_images": time.perf_counter() - start}
        say(f"\ninput, {DIV2K[1]}x{DIV2K[0]}")
        for scale in FLAGS.scales:
            times = []
            for step in range(50):
                start = time.perf_counter()
                loader.batch(step, scale)
                times.append(time.perf_counter() - start)
            results[f"batch_milliseconds_x{scale}"] = 1e3 * float(np.median(times))
            say(f"  a batch at x{scale}: {1e3 * np.median(times):.2f} ms")
        start = time.perf_counter()
        with Ahead(loader.batch, 0, CONSUMED) as batches:
            for _ in range(CONSUMED):
                batches.get()
                time.sleep(CONSUMER)
        share = batches.waited / (time.perf_counter() - start)
        results["waiting_share_of_20_ms_consumer"] = share
        say(f"  a consumer of 20 ms a step waits {share:.2%} of the time")
        path = folder / "HR" / "0.png"
        results["decode_png_seconds"] = time_best(lambda: load_image(path))
        results["imresize_x4_down_seconds"] = time_best(lambda: make_lr(picture, 4))
        small = picture[: DIV2K[0] // 4, : DIV2K[1] // 4]
        results["imresize_x4_up_seconds"] = time_best(lambda: imresize(small, 4))
        say(
            f"  decoding the PNG {results['decode_png_seconds'] * 1e3:.0f} ms, "
            f"imresize x4 down {results['imresize_x4_down_seconds'] * 1e3:.0f} ms, up "
            f"{results['imresize_x4_up_seconds'] * 1e3:.0f} ms"
        )
    return results


def measure_start():
    """Seconds until a script has looked at its flags."""
    command = [sys.executable, str(ROOT / "train.py"), "--helpshort"]
    return time_best(lambda: subprocess.run(command, capture_output=True, check=False))


if __name__ == "__main__":
    app.run(main, define_flags)
