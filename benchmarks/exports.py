"""How fast other programs run the network that freeze.py writes for them, beside ours.

All of them in float32, one after the other, each timed several times in turn.
"""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.limit import get
from benchmarks.network import PICTURE, count_flops, make_model, take_through
from benchmarks.rows import Row
from benchmarks.timing import time_once
from console.choices import load
from console.errors import InputError
from console.progress import say
from frozen.formats import FORMATS
from frozen.upscaler_graph import make_network


def measure(settings):
    """Times the upscaling of one picture by each program at each scale.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each; `times_float32` is how many times as fast as the model here.
    """
    model = make_model(settings, "float32")
    lr = np.random.default_rng(0).uniform(0, 255, (1, PICTURE, PICTURE, 3))
    for scale in settings.scales:
        flops = sum(count_flops(model.generator, scale)) * PICTURE**2
        with tempfile.TemporaryDirectory() as folder:
            runs = {"the model here": _make_run(model, scale)}
            runs |= make_exports(model, scale, Path(folder))
            yield from _measure(runs, lr.astype(np.float32), flops, scale, settings)


def _make_run(model, scale):
    return functools.partial(take_through, model.stages(scale))


def make_exports(model, scale, folder, formats=tuple(FORMATS)):
    """Writes a network for other programs; says which cannot be written here.

    Args:
        model: A `models.base.Model`.
        scale: Upscaling factor.
        folder: Path to write to.
        formats: Names of `FORMATS`.

    Returns:
        dict: From the name of a format to what runs its file, on float32 (N, H, W, 3).
    """
    network = make_network(model, (scale,))
    runs = {}
    for name in formats:
        file_format = load(FORMATS, name, "--format")
        try:
            file_format.check_needs(f"the row of {name}")
        except InputError as error:
            say(f"  left out: {error}")
            continue
        path = folder / f"model{file_format.ending}"
        file_format.write(network, path)
        runs[name] = file_format.load(network, path)
    return runs


def _measure(runs, lr, flops, scale, settings):
    limit = get("float32", is_forward_only=True)
    seconds = {name: [] for name in runs}
    limits = []
    for run in runs.values():
        run(lr)  # The first call prepares for the size: it is not timed.
    for _ in range(settings.repeats):
        for name, run in runs.items():
            limits.append(limit.measure())
            seconds[name].append(time_once(lambda run=run: run(lr)))
    best = {name: min(times) for name, times in seconds.items()}
    ours, *_ = best.values()
    row = Row(f"upscaling {PICTURE}x{PICTURE}", precision="float32", scale=scale)
    for name, time in best.items():
        yield dataclasses.replace(
            row,
            what=f"{row.what}, {name}",
            seconds=time,
            tflops_per_second=flops / time / 1e12,
            limit_tflops_per_second=max(limits) / 1e12,
            share_of_limit=flops / time / max(limits),
            times_float32=ours / time,
        )
