"""How fast everything is, beside what this machine can do at most.

    python benchmarks/speed.py --output_path=benchmark.json

Each section of `SECTIONS` takes `benchmarks.harness.BenchmarkSettings` and yields rows;
they are shown as they come, as one table at the end, and written as JSON. A new section
is such a function and one line.
"""

import dataclasses
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say
from console.settings import PathName, Settings, option

with quiet.imports():
    import tensorflow as tf

    from benchmarks import (
        bfloat16,
        four_pass,
        limit,
        loading,
        memory,
        network,
        pictures,
        predictor,
    )
    from benchmarks.harness import BenchmarkSettings
    from benchmarks.rows import tell, to_table
    from training import devices


# In this order: the limit stands first, as all else is judged by it.
SECTIONS = {
    "limit": limit.measure,
    "training": network.measure_training,
    "upscaling": network.measure_upscaling,
    "tiles": pictures.measure_tiles,
    "pictures": pictures.measure_pictures,
    "shipped": pictures.measure_shipped,
    "four_pass": four_pass.measure,
    "memory": memory.measure,
    "input": loading.measure,
    "predictor": predictor.measure,
    "start": loading.measure_start,
    "large_picture": memory.measure_large_picture,
    "precision": bfloat16.measure,
}
# Measured only if they are asked for: they may take hours.
LONG = ("large_picture", "precision")


@dataclasses.dataclass(frozen=True)
class SpeedSettings(Settings):
    """What is measured, and where the numbers go."""

    output_path: PathName | None = option(None, "JSON file for all numbers.")
    sections: tuple[str, ...] = option(
        tuple(name for name in SECTIONS if name not in LONG),
        f"What to measure; also {' and '.join(LONG)}.",
    )


SETTINGS: tuple[Any, ...] = (BenchmarkSettings, SpeedSettings)


def main():
    """Measures, prints a table, writes the numbers."""
    settings, asked = (each.from_flags() for each in SETTINGS)
    if asked.output_path is not None:
        check_target(asked.output_path, "--output_path")
    check_sections(asked.sections)
    report = describe_machine(devices.choose(settings.cuda_device))
    say(f"Measuring on {report['device']} (TensorFlow {report['tensorflow']})")
    report["settings"] = dataclasses.asdict(settings)
    sections = {}
    for name, measure in SECTIONS.items():
        if name in asked.sections:
            say(f"\n{name}")
            sections[name] = tell(measure(settings))
    everything = [row for rows in sections.values() for row in rows]
    say(f"\nOn {report['device']}:\n\n{to_table(everything)}")
    report["sections"] = {
        name: [row.to_json() for row in rows] for name, rows in sections.items()
    }
    if asked.output_path is not None:
        with written_whole(asked.output_path) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")
        say(f"\nWrote {asked.output_path}")


def check_sections(names):
    """Refuses names that are not in `SECTIONS`.

    Raises:
        InputError: At least one is not.
    """
    unknown = [name for name in names if name not in SECTIONS]
    if unknown or not names:
        raise InputError(
            f"--sections={','.join(unknown)}: expected some of {', '.join(SECTIONS)}."
        )


def describe_machine(device):
    """Says what is measured, in words.

    Args:
        device: As `training.devices.choose` calls it.

    Returns:
        dict: `device`, `processor`, `cores` and `tensorflow`.
    """
    processor, cores = describe_processor(), os.cpu_count()
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        device = f"{device}, {details.get('device_name', 'of unknown name')}"
    return {
        "device": f"{device} ({processor}, {cores} cores)",
        "processor": processor,
        "cores": cores,
        "tensorflow": tf.__version__,
    }


def describe_processor():
    """The processor's name, as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor()


if __name__ == "__main__":
    app.run(main, SETTINGS)
