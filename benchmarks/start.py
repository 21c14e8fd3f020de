"""How long a user waits: until the help appears, and until training has begun."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.rows import Row
from benchmarks.timing import time_best
from console.errors import InputError
from imaging.files import save_image

TRAIN = (sys.executable, str(Path(__file__).resolve().parents[1] / "train.py"))

# So small that it is the start that takes the time.
SMALL = (
    *("--batch_size=1", "--input_patch_size=8", "--scales=2", "--log_freq=1"),
    *("--max_steps=1", "--eusr_model_scales=2", "--eusr_conv_features=4"),
    "--eusr_shared_blocks=1",
)


def measure(settings):
    """Times train.py from its start.

    Args:
        settings: `benchmarks.settings.BenchmarkSettings`.

    Yields:
        Row: To its help, and to the end of its first step.
    """
    seconds = time_best(_show_help, settings.repeats)
    yield Row("train.py, start to help", seconds=seconds)
    seconds = min(
        _time_first_step(settings.cuda_device) for _ in range(settings.repeats)
    )
    yield Row("train.py, start to first step", seconds=seconds)


def _show_help():
    subprocess.run([*TRAIN, "--helpshort"], capture_output=True, check=False)


def _time_first_step(cuda_device):
    """Seconds until a small run says that its first step is done.

    Raises:
        InputError: It ended without; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_image(f"{folder}/HR/0.png", np.zeros((64, 64, 3), np.uint8))
        command = [
            *(*TRAIN, *SMALL, f"--data_truth_path={folder}/HR"),
            *(f"--train_path={folder}/train", f"--cache_path={folder}/cache"),
            f"--cuda_device={cuda_device}",
        ]
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            seconds, lines = None, []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("step 1/") and seconds is None:
                    seconds = time.perf_counter() - start
    if seconds is None:
        raise InputError(f"train.py took no step: {''.join(lines).strip()}")
    return seconds
