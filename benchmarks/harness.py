"""What benchmarks share: their settings, times, and scripts started as processes."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from console.errors import InputError
from console.settings import PathName, Settings, option
from imaging.files import to_uint8
from imaging.imresize import imresize
from models.generator_settings import Architecture

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """What is measured, and where."""

    scales: tuple[int, ...] = option(Architecture.model_scales, "Scales to measure.")
    batch_size: int = option(16, "Patches in a training step.")
    repeats: int = option(4, "How often each thing is timed; the best counts.")
    features: int = option(
        Architecture.conv_features, "Channels of the network's inner convolutions."
    )
    shared_blocks: int = option(
        Architecture.shared_blocks,
        "Local residual blocks in the part that all scales share.",
    )
    cuda_device: str = option(
        "0", "GPU to measure; -1 for the CPU, as without any GPU."
    )
    megapixels: float = option(24.0, "large_picture: millions of pixels.", least=0.0)
    memory_limit: float = option(4.0, "large_picture: see test.py.", least=1.0)
    truth_path: PathName | None = option(
        None, "precision: HR images to train on; without any the demo's photographs."
    )
    validate_truth_path: PathName | None = option(
        None, "precision: HR images to measure on."
    )
    seeds: int = option(3, "precision: how often to train in each precision.")
    steps: int = option(2000, "precision: steps of each training.")
    train_flags: str = option("", "precision: more flags of train.py.")
    validate_flags: str = option("", "precision: more flags of validate.py.")

    @property
    def on_gpu(self):
        """Whether a GPU is measured, where there is one."""
        return self.cuda_device != "-1"

    def check(self):
        """See `Settings.check`: one path is of no use without the other."""
        if (self.truth_path is None) != (self.validate_truth_path is None):
            raise InputError("give both --truth_path and --validate_truth_path.")


def time_once(function):
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def time_best(function, repeats):
    """Seconds of the fastest of several calls, the least disturbed one."""
    return min(time_once(function) for _ in range(repeats))


def time_in_turn(runs, repeats):
    """Times functions in turn, so that a busy moment of the machine meets each.

    Args:
        runs: dict, from names to functions that were called before: a first call
            prepares for the size.
        repeats: How often.

    Returns:
        dict: From the same names to the seconds of the fastest call.
    """
    rounds = [
        {name: time_once(run) for name, run in runs.items()} for _ in range(repeats)
    ]
    return {name: min(each[name] for each in rounds) for name in runs}


def draw(height, width, seed=0, noise=4):
    """A smooth picture with some noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    smooth = imresize(coarse, size=(height, width)).astype(np.float32)
    return to_uint8(smooth + rng.normal(0, noise, smooth.shape))


@dataclasses.dataclass(frozen=True)
class Finished:
    """A script that has ended.

    Attributes:
        seconds: From its start to its end.
        peak: Bytes of memory that it had at most; never less than its parent has.
        lines: list of (seconds, text): what it printed, and when.
    """

    seconds: float
    peak: int
    lines: list


def run_script(script, *arguments, status=0, **flags):
    """Runs a script of this repository in a process of its own.

    Args:
        script: Its path from the repository's root.
        arguments: What is given to it as it stands.
        status: The exit status that it should have.
        flags: Its other flags, without those that are None.

    Returns:
        Finished.

    Raises:
        InputError: It ended with another status; with what it said.
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
    if process.returncode != status:
        raise InputError(f"{script} ended with {process.returncode}: {said}")
    return Finished(time.perf_counter() - start, usage.ru_maxrss * 1024, lines)
