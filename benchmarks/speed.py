"""Measures speed and memory, beside the limit of this machine.

    python benchmarks/speed.py --output_path=benchmark.json

Each section of `SECTIONS` is a function from `benchmarks.harness.BenchmarkSettings` to
rows. Rows are printed when they are measured, then as one table, and written as JSON.
To add a section, write a function and add a line to `SECTIONS`.
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
        network,
        pictures,
        predictor,
    )
    from benchmarks.harness import BenchmarkSettings
    from benchmarks.rows import tell, to_table
    from training import devices


# In the order of their measurement; the limit comes first, because the others use it.
SECTIONS = {
    "limit": limit.measure,
    "training": network.measure_training,
    "upscaling": network.measure_upscaling,
    "tiles": pictures.measure_tiles,
    "pictures": pictures.measure_pictures,
    "shipped": pictures.measure_shipped,
    "four_pass": four_pass.measure,
    "input": loading.measure,
    "predictor": predictor.measure,
    "large_picture": pictures.measure_large_picture,
    "precision": bfloat16.measure,
}
# Measured only on request, because they may take hours.
LONG = ("large_picture", "precision")


@dataclasses.dataclass(frozen=True)
class SpeedSettings(Settings):
    """The sections to measure, and the file to write."""

    output_path: PathName | None = option(None, "JSON file for all numbers.")
    sections: tuple[str, ...] = option(
        tuple(name for name in SECTIONS if name not in LONG),
        f"Sections to measure; also {' and '.join(LONG)}.",
    )

    def check(self) -> None:
        """See `Settings.check`: each section must be in `SECTIONS`."""
        unknown = [name for name in self.sections if name not in SECTIONS]
        if unknown or not self.sections:
            raise InputError(
                f"--sections={','.join(unknown)}: expected one or more of "
                f"{', '.join(SECTIONS)}."
            )


SETTINGS: tuple[Any, ...] = (BenchmarkSettings, SpeedSettings)


def main() -> None:
    """Measures, prints a table, and writes all numbers."""
    settings, asked = (each.from_flags() for each in SETTINGS)
    if asked.output_path is not None:
        check_target(asked.output_path, "--output_path")
    report = describe_machine(devices.choose(settings.cuda_device))
    say(f"Measuring on {report['device']} (TensorFlow {report['tensorflow']})")
    sections = {}
    for name, measure in SECTIONS.items():
        if name in asked.sections:
            say(f"\n{name}")
            sections[name] = tell(measure(settings))
    everything = [row for rows in sections.values() for row in rows]
    say(f"\nOn {report['device']}:\n\n{to_table(everything)}")
    report["settings"] = dataclasses.asdict(settings)
    report["sections"] = {
        name: [row.to_json() for row in rows] for name, rows in sections.items()
    }
    if asked.output_path is not None:
        with written_whole(asked.output_path) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")
        say(f"\nWrote {asked.output_path}")


def describe_machine(device: str) -> dict[str, Any]:
    """Describes the machine, and the device that `training.devices.choose` names."""
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


def describe_processor() -> str:
    """Returns the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor()


if __name__ == "__main__":
    app.run(main, SETTINGS)
