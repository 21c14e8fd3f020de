"""How much memory training and upscaling take at most.

Each is measured in a process of its own: TensorFlow keeps memory for later use, so
that in one process the second would count what the first one took.
"""

import dataclasses
import subprocess
import sys
from pathlib import Path

from benchmarks.limit import PRECISIONS
from benchmarks.network import PICTURE
from benchmarks.rows import Row
from console.errors import InputError
from console.flags import NumbersSerializer

PEAK = str(Path(__file__).with_name("peak.py"))


def measure(settings):
    """Measures training and upscaling at each scale and precision.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: Of each.
    """
    names = {
        "training": f"memory of training, batch {settings.batch_size}",
        "upscaling": f"memory of upscaling {PICTURE}x{PICTURE}",
    }
    for kind, what in names.items():
        for scale in settings.scales:
            alone = dataclasses.replace(settings, scales=(scale,))
            for precision in PRECISIONS:
                yield Row(
                    what,
                    precision=precision,
                    scale=scale,
                    peak_memory_gb=measure_peak(kind, precision, alone),
                )


def measure_peak(kind, precision, settings):
    """Starts `peak.py`; see there.

    Returns:
        float: 10^9 bytes; None where the system does not say it.

    Raises:
        InputError: It failed; with what it said.
    """
    values = dataclasses.asdict(settings)
    values |= {"kind": kind, "precision": precision}
    values["scales"] = NumbersSerializer().serialize(settings.scales)
    arguments = [f"--{name}={value}" for name, value in values.items()]
    done = subprocess.run(
        [sys.executable, PEAK, *arguments], capture_output=True, text=True
    )
    if done.returncode:
        raise InputError(
            f"benchmarks/peak.py ended with {done.returncode}: {done.stderr.strip()}"
        )
    return float(done.stdout) if done.stdout.strip() else None
