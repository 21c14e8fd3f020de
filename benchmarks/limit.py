"""Measures the limit of this machine, with which all speeds are compared.

The limit is the speed of a large 3x3 convolution of 64 by 64 channels, forward and
backward, or forward only for functions that run forward only, such as upscaling. The
speed of a machine varies, so the limit is measured again beside every function.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings, compare, time_in_turn
from benchmarks.rows import Row

PASSES = {"forward and backward": False, "forward only": True}
PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
FEATURES = 64
SIDE = 96

# Enough to fill the device: a GPU needs a millisecond for the smaller batch.
CPU_BATCH, GPU_BATCH = 16, 256


@functools.cache
def make(precision: str, is_forward_only: bool) -> tuple[Callable[[], Any], int]:
    """Makes a function that runs the convolution, and counts its FLOP."""
    batch = GPU_BATCH if tf.config.get_visible_devices("GPU") else CPU_BATCH
    shape = (batch, SIDE, SIDE, FEATURES)
    drawn = [
        tf.cast(tf.random.uniform(each, -1.0, 1.0), PRECISIONS[precision])
        for each in (shape, (3, 3, FEATURES, FEATURES), shape)
    ]
    pass_through = forward if is_forward_only else forward_and_backward
    function = tf.function(pass_through, autograph=False)
    return lambda: function(*drawn).numpy(), count_flops(function, *drawn)


def forward(x: tf.Tensor, kernel: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """Runs the convolution; returns a value of its result. Ignores the gradient."""
    return tf.nn.conv2d(x, kernel, 1, "SAME")[0, 0, 0, 0]


def forward_and_backward(
    x: tf.Tensor, kernel: tf.Tensor, gradient: tf.Tensor
) -> tf.Tensor:
    """Runs the convolution and both gradients; returns a value of each."""
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    results = [y, *tape.gradient(y, [x, kernel], gradient)]
    # TensorFlow drops results of which nothing is used.
    return tf.stack([each[0, 0, 0, 0] for each in results])


def compare_beside(
    what: str,
    runs: Mapping[str, Callable[[], Any]],
    flops: int,
    repeats: int,
    is_forward_only: bool = False,
    **values: Any,
) -> Iterator[Row]:
    """Times functions in turn, each between two runs of the limit; yields their rows.

    Args:
        what: What the functions do.
        runs: From a precision, or a name of a program that runs in float32, to a
            function.
        flops: Floating-point operations of each function.
        repeats: Number of timings; the best of each function counts.
        is_forward_only: Whether the forward limit applies.
        **values: Other values of all rows.
    """
    limits = {
        name: make(name if name in PRECISIONS else "float32", is_forward_only)
        for name in runs
    }
    in_turn: dict[str, Callable[[], Any]] = {}
    for name, run in runs.items():
        in_turn |= {f"limit of {name}": limits[name][0], name: run}
    for function in in_turn.values():
        function()  # The first call is slower and is not timed.
    found = time_in_turn(in_turn, repeats)
    first = found[next(iter(runs))]
    for name in runs:
        speed = flops / found[name]
        limit = limits[name][1] / found[f"limit of {name}"]
        row = Row(f"{what}, {name}", seconds=found[name], **values)
        yield dataclasses.replace(
            row,
            relative_speed=first / found[name],
            tflops_per_second=speed / 1e12,
            limit_tflops_per_second=limit / 1e12,
            share_of_limit=speed / limit,
        )


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the limits of each precision."""
    for passes, is_forward_only in PASSES.items():
        limits = {each: make(each, is_forward_only) for each in PRECISIONS}
        runs = {precision: run for precision, (run, _) in limits.items()}
        for run in runs.values():
            run()
        rows = compare(f"limit, {passes}", runs, settings.repeats)
        for row, (_, flops) in zip(rows, limits.values(), strict=True):
            yield dataclasses.replace(row, tflops_per_second=flops / row.seconds / 1e12)
