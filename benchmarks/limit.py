"""What this machine can do at most, by which all else is judged.

The limit is what a large 3x3 convolution of 64 by 64 channels reaches, forward and
backward; for what runs forward only, as upscaling does, forward only. Machines are not
equally fast from one minute to the next, so it is measured again beside everything.
"""

import functools
import math

import tensorflow as tf

from benchmarks.rows import Row
from benchmarks.timing import time_once

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
        passes = 1 if is_forward_only else 3
        self.flops = passes * 2 * 9 * FEATURES * math.prod(self.shape)
        run = run_forward if is_forward_only else run_forward_and_backward
        self.run = tf.function(run, autograph=False)
        self.measure()

    def measure(self):
        """FLOP/s of one run."""
        x, gradient = self._draw(self.shape), self._draw(self.shape)
        kernel = self._draw((3, 3, FEATURES, FEATURES))
        seconds = time_once(
            lambda: [value.numpy() for value in self.run(x, kernel, gradient)]
        )
        return self.flops / seconds

    def _draw(self, shape):
        drawn = tf.cast(tf.random.uniform(shape, -1.0, 1.0), self.dtype)
        _use(drawn)[0].numpy()  # Waits, as a GPU draws while Python goes on.
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


def time_beside(functions, repeats, is_forward_only=False):
    """Times functions in turn, each time between two measurements of the limit.

    Args:
        functions: From a precision to what is timed, already warm.
        repeats: How often; the best of each counts.
        is_forward_only: Which limit applies.

    Returns:
        dict: From a precision to (seconds, FLOP/s of the limit).
    """
    times = {precision: [] for precision in functions}
    limits = {precision: [] for precision in functions}
    for _ in range(repeats):
        for precision, function in functions.items():
            limit = get(precision, is_forward_only)
            limits[precision].append(limit.measure())
            times[precision].append(time_once(function))
            limits[precision].append(limit.measure())
    return {each: (min(times[each]), max(limits[each])) for each in functions}


def measure(settings):
    """Measures the limit alone.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each precision, forward and backward, and forward only.
    """
    for passes, is_forward_only in PASSES.items():
        best = {
            precision: max(
                get(precision, is_forward_only).measure()
                for _ in range(2 * settings.repeats)
            )
            for precision in PRECISIONS
        }
        for precision, flops_per_second in best.items():
            yield Row(
                what=f"limit, {passes}",
                precision=precision,
                seconds=get(precision, is_forward_only).flops / flops_per_second,
                tflops_per_second=flops_per_second / 1e12,
                times_float32=flops_per_second / best["float32"],
            )
