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
from benchmarks.harness import BenchmarkSettings, time_once
from benchmarks.rows import Row

PASSES = {"forward and backward": False, "forward only": True}
PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
FEATURES = 64
SIDE = 96

# Enough to fill the device: a GPU needs a millisecond for the smaller batch.
CPU_BATCH, GPU_BATCH = 16, 256


class Limit:
    """A convolution to time.

    Attributes:
        flops: Floating-point operations of one run.
    """

    def __init__(self, precision: str, is_forward_only: bool) -> None:
        """Traces the convolution and runs it once."""
        batch = GPU_BATCH if tf.config.get_visible_devices("GPU") else CPU_BATCH
        self.shape, self.dtype = (batch, SIDE, SIDE, FEATURES), PRECISIONS[precision]
        run = run_forward if is_forward_only else run_forward_and_backward
        self.run = tf.function(run, autograph=False)
        self.flops = count_flops(self.run, *self._draw())
        self.measure()

    def measure(self) -> float:
        """Returns the FLOP/s of one run."""
        drawn = self._draw()
        seconds = time_once(lambda: [value.numpy() for value in self.run(*drawn)])
        return self.flops / seconds

    def _draw(self):
        drawn = [
            tf.cast(tf.random.uniform(shape, -1.0, 1.0), self.dtype)
            for shape in (self.shape, (3, 3, FEATURES, FEATURES), self.shape)
        ]
        for value in _use(*drawn):
            value.numpy()  # Waits for the GPU.
        return drawn


def run_forward(x: tf.Tensor, kernel: tf.Tensor, gradient: tf.Tensor) -> list[Any]:
    """Runs the convolution; returns a value of its result. Ignores the gradient."""
    return _use(tf.nn.conv2d(x, kernel, 1, "SAME"))


def run_forward_and_backward(
    x: tf.Tensor, kernel: tf.Tensor, gradient: tf.Tensor
) -> list[Any]:
    """Runs the convolution and both gradients; returns a value of each."""
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    return _use(y, *tape.gradient(y, [x, kernel], gradient))


def _use(*results):
    """Returns a value of each result, because TensorFlow drops unused results."""
    return [result[0, 0, 0, 0] for result in results]


@functools.cache
def get(precision: str, is_forward_only: bool = False) -> Limit:
    """Returns the limit of a precision; traces it only once."""
    return Limit(precision, is_forward_only)


def measure_beside(
    row: Row,
    runs: Mapping[str, Callable[[], Any]],
    flops: int,
    repeats: int,
    is_forward_only: bool = False,
) -> Iterator[Row]:
    """Times functions in turn, each between two measurements of the limit.

    Args:
        row: The row's values that all functions have in common.
        runs: From a precision, or a name of a program that runs in float32, to a
            function. The others are compared with the first.
        flops: Floating-point operations of each function.
        repeats: Number of timings; the best of each function counts.
        is_forward_only: Whether the forward limit applies.

    Yields:
        The row of each function.
    """
    for run in runs.values():
        run()  # The first call is slower and is not timed.
    times: dict[str, list[float]] = {name: [] for name in runs}
    limits: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            precision = name if name in PRECISIONS else "float32"
            limit = get(precision, is_forward_only)
            limits[name].append(limit.measure())
            times[name].append(time_once(run))
            limits[name].append(limit.measure())
    first = min(times[next(iter(runs))])
    for name in runs:
        seconds, most = min(times[name]), max(limits[name])
        is_precision = name in PRECISIONS
        yield dataclasses.replace(
            row,
            what=row.what if is_precision else f"{row.what}, {name}",
            precision=name if is_precision else "float32",
            seconds=seconds,
            tflops_per_second=flops / seconds / 1e12,
            limit_tflops_per_second=most / 1e12,
            share_of_limit=flops / seconds / most,
            times_float32=first / seconds,
        )


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures the limits of each precision."""
    for passes, is_forward_only in PASSES.items():
        in_float32 = 0.0
        for precision in PRECISIONS:
            limit = get(precision, is_forward_only)
            best = max(limit.measure() for _ in range(2 * settings.repeats))
            in_float32 = in_float32 or best
            yield Row(
                f"limit, {passes}",
                precision,
                seconds=limit.flops / best,
                tflops_per_second=best / 1e12,
                times_float32=best / in_float32,
            )
