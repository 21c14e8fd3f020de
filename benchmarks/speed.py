"""How fast everything is, beside what this machine can do at most.

    python benchmarks/speed.py --output_path=benchmark.json

Each section of `SECTIONS` yields rows; they are shown as they come, as one table at the
end, and written as JSON. A new section is a module with such a function and one line.
"""

import dataclasses
import json
import os
import platform
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.files import check_target, written_whole  # noqa: E402
from console.progress import say  # noqa: E402
from console.settings import PathName, Settings, option  # noqa: E402

with quiet.imports():
    import tensorflow as tf

    from benchmarks import (
        exports,
        four_pass,
        limit,
        loading,
        memory,
        network,
        predictor,
        shipped,
        start,
        tiling,
    )
    from benchmarks.rows import to_table
    from benchmarks.settings import BenchmarkSettings
    from training import devices


# In this order: the limit stands first, as all else is judged by it.
SECTIONS = {
    "limit": limit.measure,
    "training": network.measure_training,
    "upscaling": network.measure_upscaling,
    "tiles": tiling.measure_tiles,
    "pictures": tiling.measure_pictures,
    "exports": exports.measure,
    "shipped": shipped.measure,
    "four_pass": four_pass.measure,
    "memory": memory.measure,
    "input": loading.measure,
    "predictor": predictor.measure,
    "start": start.measure,
}


@dataclasses.dataclass(frozen=True)
class SpeedSettings(Settings):
    """What is measured, and where the numbers go."""

    output_path: PathName | None = option(None, "JSON file for all numbers.")
    sections: tuple[str, ...] = option(tuple(SECTIONS), "What to measure.")


SETTINGS = (BenchmarkSettings, SpeedSettings)


def main():
    """Measures, prints a table, writes the numbers."""
    settings, asked = (each.from_flags() for each in SETTINGS)
    if asked.output_path is not None:
        check_target(asked.output_path, "--output_path")
    check_sections(asked.sections)
    report = describe_machine(devices.choose(settings.cuda_device))
    say(f"Measuring on {report['device']} (TensorFlow {report['tensorflow']})")
    report["settings"] = dataclasses.asdict(settings)
    sections = {
        name: measure_section(name, settings)
        for name in SECTIONS
        if name in asked.sections
    }
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


def measure_section(name, settings):
    """Measures one section and tells each row as it comes.

    Args:
        name: One of `SECTIONS`.
        settings: `benchmarks.settings.BenchmarkSettings`.

    Returns:
        list of `benchmarks.rows.Row`.
    """
    say(f"\n{name}")
    rows = []
    for row in SECTIONS[name](settings):
        rows.append(row)
        say(f"  {row.describe()}")
    return rows


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
