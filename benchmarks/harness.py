"""Shared parts of the benchmarks: settings, timing, and running of scripts."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row
from console.errors import InputError
from console.settings import PathName, Settings, option
from imaging.files import to_uint8
from imaging.imresize import imresize
from models.generator_settings import Architecture

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """What to measure, on which device."""

    scales: tuple[int, ...] = option(Architecture.model_scales, "Scales to measure.")
    batch_size: int = option(16, "Patches in a training step.")
    repeats: int = option(4, "Number of timings of each function; the best counts.")
    features: int = option(
        Architecture.conv_features, "Channels of the network's inner convolutions."
    )
    shared_blocks: int = option(
        Architecture.shared_blocks,
        "Local residual blocks in the part that all scales share.",
    )
    cuda_device: str = option("0", "GPU to measure; -1 or no GPU: the CPU.")
    megapixels: float = option(24.0, "large_picture: millions of pixels.", least=0.0)
    memory_limit: float = option(4.0, "large_picture: see test.py.", least=1.0)
    truth_path: PathName | None = option(
        None, "precision: HR images to train on; if not given, the demo's photographs."
    )
    validate_truth_path: PathName | None = option(
        None, "precision: HR images to measure on."
    )
    seeds: int = option(3, "precision: number of trainings in each precision.")
    steps: int = option(2000, "precision: steps of each training.")
    train_flags: str = option("", "precision: more flags of train.py.")
    validate_flags: str = option("", "precision: more flags of validate.py.")

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU is measured, if there is one."""
        return self.cuda_device != "-1"

    def check(self) -> None:
        """See `Settings.check`: the paths of both parts are needed."""
        if (self.truth_path is None) != (self.validate_truth_path is None):
            raise InputError("give both --truth_path and --validate_truth_path.")


def time_once(function: Callable[[], Any]) -> float:
    """Returns the seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def time_in_turn(
    runs: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, float]:
    """Times functions in turn, so that a busy moment of the machine affects them all.

    Args:
        runs: From names to functions that were called before; a first call is slower.
        repeats: Number of calls of each function.

    Returns:
        From the same names to the seconds of the fastest call.
    """
    rounds = [
        {name: time_once(run) for name, run in runs.items()} for _ in range(repeats)
    ]
    return {name: min(each[name] for each in rounds) for name in runs}


def compare(
    what: str, runs: Mapping[str, Callable[[], Any]], repeats: int, **values: Any
) -> Iterator[Row]:
    """Times functions as `time_in_turn` does, and yields the row of each.

    `values` are other values of all rows.
    """
    found = time_in_turn(runs, repeats)
    first = next(iter(found.values()))
    for name, seconds in found.items():
        row = Row(f"{what}, {name}", seconds=seconds, relative_speed=first / seconds)
        yield dataclasses.replace(row, **values)


def draw(height: int, width: int, seed: int = 0, noise: float = 4) -> np.ndarray:
    """Draws a smooth picture with some noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    smooth = imresize(coarse, size=(height, width)).astype(np.float32)
    return to_uint8(smooth + rng.normal(0, noise, smooth.shape))


def run_script(script: str, *arguments: str, **flags: Any) -> float:
    """Runs a script of this repository in a separate process; returns the seconds.

    A flag of None is left out.

    Raises:
        InputError: The script ended with another status; holds its error output.
    """
    given = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    command = [sys.executable, str(ROOT / script), *arguments, *given]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip()
        raise InputError(f"{script} ended with {done.returncode}: {said}")
    return time.perf_counter() - start
