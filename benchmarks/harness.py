"""Shared parts of the benchmarks: settings, timing, and running of scripts."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

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


def time_best(function: Callable[[], Any], repeats: int) -> float:
    """Returns the seconds of the fastest of several calls."""
    return min(time_once(function) for _ in range(repeats))


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


def draw(height: int, width: int, seed: int = 0, noise: float = 4) -> np.ndarray:
    """Draws a smooth picture with some noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    smooth = imresize(coarse, size=(height, width)).astype(np.float32)
    return to_uint8(smooth + rng.normal(0, noise, smooth.shape))


@dataclasses.dataclass(frozen=True)
class Finished:
    """The result of a script.

    Attributes:
        seconds: Duration of the script.
        peak: Peak memory in bytes; at least the memory of the parent process.
        lines: (seconds since the start, text) of each printed line.
    """

    seconds: float
    peak: int
    lines: list[tuple[float, str]]


def run_script(script: str, *arguments: str, **flags: Any) -> Finished:
    """Runs a script of this repository in a separate process.

    Args:
        script: Path of the script from the repository's root.
        *arguments: Arguments of the command line.
        **flags: Further flags; None leaves a flag out.

    Raises:
        InputError: The script ended with another status; holds its error output.
    """
    given = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    command = [sys.executable, str(ROOT / script), *arguments, *given]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        with process.stdout:
            lines = [(time.perf_counter() - start, line) for line in process.stdout]
        _, ended, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
        errors.seek(0)
        said = errors.read().strip()
    if process.returncode:
        raise InputError(f"{script} ended with {process.returncode}: {said}")
    return Finished(time.perf_counter() - start, usage.ru_maxrss * 1024, lines)
