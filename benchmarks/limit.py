"""What this machine can do at most, by which all else is judged.

The limit is what a large 3x3 convolution of 64 by 64 channels reaches, forward and
backward; for what runs forward only, as upscaling does, forward only. Machines are not
equally fast from one minute to the next, so it is measured again beside everything.
"""

import dataclasses
import functools

import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.harness import time_once
from benchmarks.rows import Row

PASSES = {"forward and backward": False, "forward only": True}
PRECISIONS = {"float32": tf.float32, "bfloat16": tf.bfloat16}
FEATURES = 64
SIDE = 96

# Enough to fill the device: a GPU does the smaller one in a millisecond.
CPU_BATCH, GPU_BATCH = 16, 256


class Limit:
    """A convolution to be timed; traced once, whoever measures.

    Attributes:
        flops: Floating-point operations of one run.
    """

    def __init__(self, precision, is_forward_only):
        """Warms up."""
        batch = GPU_BATCH if tf.config.get_visible_devices("GPU") else CPU_BATCH
        self.shape, self.dtype = (batch, SIDE, SIDE, FEATURES), PRECISIONS[precision]
        run = run_forward if is_forward_only else run_forward_and_backward
        self.run = tf.function(run, autograph=False)
        self.flops = count_flops(self.run, *self._draw())
        self.measure()

    def measure(self):
        """FLOP/s of one run."""
        drawn = self._draw()
        seconds = time_once(lambda: [value.numpy() for value in self.run(*drawn)])
        return self.flops / seconds

    def _draw(self):
        drawn = [
            tf.cast(tf.random.uniform(shape, -1.0, 1.0), self.dtype)
            for shape in (self.shape, (3, 3, FEATURES, FEATURES), self.shape)
        ]
        for value in _use(*drawn):
            value.numpy()  # Waits, as a GPU draws while Python goes on.
        return drawn


def run_forward(x, kernel, gradient):
    """The convolution alone; a value of its result. The gradient is not used."""
    return _use(tf.nn.conv2d(x, kernel, 1, "SAME"))


def run_forward_and_backward(x, kernel, gradient):
    """The convolution and both its gradients; a value of each."""
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    return _use(y, *tape.gradient(y, [x, kernel], gradient))


def _use(*results):
    """One value of each result: TensorFlow would drop what nobody uses."""
    return [result[0, 0, 0, 0] for result in results]


@functools.cache
def get(precision, is_forward_only=False):
    """The limit of a precision, a `Limit`; the same one for all who ask."""
    return Limit(precision, is_forward_only)


def measure_beside(row, runs, flops, repeats, is_forward_only=False):
    """Times functions in turn, each time between two measurements of the limit.

    Args:
        row: `Row` with what all have in common.
        runs: dict, from a precision, or from a name of what runs in float32, to a
            function. The first one is what the others are compared with.
        flops: How many floating-point operations each of them takes.
        repeats: How often; the best of each counts.
        is_forward_only: Which limit applies.

    Yields:
        Row: Of each function.
    """
    for run in runs.values():
        run()  # The first call prepares for the size: it is not timed.
    times, limits = {name: [] for name in runs}, {name: [] for name in runs}
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


def measure(settings):
    """The limit alone, of each precision, forward and backward and forward only."""
    for passes, is_forward_only in PASSES.items():
        in_float32 = None
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
