"""Takes one training step, or upscales one picture, and prints the memory it took.

    python benchmarks/peak.py --kind=training --precision=bfloat16 --scales=2

Prints 10^9 bytes: of a GPU what TensorFlow took of its memory at most, else what the
whole process did; nothing where the system does not say it.
"""

import dataclasses
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.machine import peak_memory  # noqa: E402
from console.settings import option  # noqa: E402

with quiet.imports():
    import tensorflow as tf

    from benchmarks import network
    from benchmarks.limit import PRECISIONS
    from benchmarks.settings import BenchmarkSettings
    from models.generator_settings import Training
    from training import devices


@dataclasses.dataclass(frozen=True)
class PeakSettings(BenchmarkSettings):
    """What is done, and in which precision."""

    kind: str = option("training", "What to do.", choices=("training", "upscaling"))
    precision: str = option("float32", "Of the network.", choices=tuple(PRECISIONS))


def main():
    """Does it at each scale, prints the peak."""
    settings = PeakSettings.from_flags()
    devices.choose(settings.cuda_device)
    is_training = settings.kind == "training"
    training = Training() if is_training else None
    model = network.make_model(settings, settings.precision, training)
    for scale in settings.scales:
        if is_training:
            network.make_step(model, settings.batch_size, scale)()
        else:
            network.make_upscaling(model, scale)()
    peak = read_peak()
    print("" if peak is None else peak / 1e9)


def read_peak():
    """Bytes; None where nothing says it."""
    if tf.config.get_visible_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return peak_memory()


if __name__ == "__main__":
    app.run(main, (PeakSettings,))
