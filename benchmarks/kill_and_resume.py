"""Kills a training run again and again, and compares its end with one left alone.

    python benchmarks/kill_and_resume.py --kills=20
    python benchmarks/kill_and_resume.py --kills=20 --model=4pp_eusr

A small network is trained on made-up pictures with --deterministic, averaged weights,
clipping and validation, once in one go, and once with SIGKILL at random moments, each
followed by the same command. In turn it is killed while it starts, while it trains, and
while it writes a checkpoint. Ends with an error if a single bit of the last
checkpoints differs.
"""

import dataclasses
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

import numpy as np  # noqa: E402

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.progress import say, track  # noqa: E402
from console.settings import Settings, option  # noqa: E402
from imaging.files import save_image  # noqa: E402

with quiet.imports():
    import tensorflow as tf

    from benchmarks.four_pass import write_predictor
    from training import checkpoints

WHEN = ("saving", "starting", "training")

# What checkpoints hold beside the run.
NO_PART = ("_CHECKPOINTABLE", "save_counter", "state/arguments")

# What the models need beside the flags of both.
FLAGS_OF_MODEL = {
    "eusr": ["--scales=2,4", "--eusr_model_scales=2,4"],
    "4pp_eusr": [
        *("--eusr_aesthetic_nima_path={folder}/0.pb", "--eusr_model_scales=2,4,8"),
        "--eusr_subjective_nima_path={folder}/1.pb",
    ],
}

# Steps that a run may still do between the moment chosen and its end.
MARGIN = 15


@dataclasses.dataclass(frozen=True)
class KillSettings(Settings):
    """What is trained, and how often it is killed."""

    model: str = option("eusr", "Which model to train.", choices=tuple(FLAGS_OF_MODEL))
    kills: int = option(20, "How often to kill the run.")
    steps: int = option(1000, "Training steps of both runs, 20 or more to a kill.")
    save_freq: int = option(2, "Steps between two checkpoints.")
    seed: int = option(0, "Of the moments at which it is killed.", least=0)


def main():
    """Runs both and compares."""
    settings = KillSettings.from_flags()
    if settings.steps < settings.kills * (MARGIN + 5):
        raise InputError(
            f"--steps={settings.steps}: {settings.kills} kills need at least "
            f"{settings.kills * (MARGIN + 5)}."
        )
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        draw = np.random.default_rng(0)
        for index in range(3):
            picture = draw.integers(0, 256, (64, 80, 3), np.uint8)
            save_image(folder / "HR" / f"{index}.png", picture)
        if settings.model == "4pp_eusr":
            for seed in range(2):
                write_predictor(folder / f"{seed}.pb", alpha=0.35, seed=seed)
        say(f"Training {settings.steps} steps in one go")
        starting = finish(folder, "whole", settings)
        killer = Killer(folder, starting, settings)
        for index in track(range(settings.kills), settings.kills, "Killing", "run"):
            killer.kill(WHEN[index % len(WHEN)])
        finish(folder, "killed", settings)
        compare(folder / "whole", folder / "killed")
        if settings.kills >= len(WHEN) and not killer.half_written:
            raise InputError(
                "none of the kills came while a checkpoint was being written, so "
                "little is shown; try another --seed."
            )
        say(
            f"Killed {settings.kills} times, {killer.half_written} of them while a "
            "checkpoint was being written: the last checkpoint has the same bits."
        )


def start(folder, name, settings):
    """Starts the run, or goes on with it."""
    return subprocess.Popen(
        [
            *(sys.executable, ROOT / "train.py", "--deterministic"),
            *(f"--data_truth_path={folder / 'HR'}", f"--train_path={folder / name}"),
            *(f"--cache_path={folder / 'cache'}", f"--max_steps={settings.steps}"),
            *(f"--save_freq={settings.save_freq}", "--summary_freq=50", "--log_freq=1"),
            *(f"--model={settings.model}", "--batch_size=2", "--input_patch_size=8"),
            *(flag.format(folder=folder) for flag in FLAGS_OF_MODEL[settings.model]),
            *("--eusr_conv_features=4", "--eusr_shared_blocks=1"),
            *("--ema_decay=0.9", "--gradient_clip_norm=50"),
            *(f"--validate_truth_path={folder / 'HR'}", "--validate_freq=20"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(folder, name, settings):
    """Runs to the end.

    Returns:
        float: Seconds until it began to train.

    Raises:
        InputError: It failed; with what it said.
    """
    begin, began = time.monotonic(), 0.0
    process = start(folder, name, settings)
    for line in process.stdout:
        if line.startswith("Training "):
            began = time.monotonic() - begin
    _, errors = process.communicate()
    if process.returncode:
        raise InputError(f"the run {name} failed: {errors.strip()}")
    return began


class Killer:
    """Starts the run and kills it, never at its end.

    Attributes:
        half_written: How many kills left a half-written checkpoint behind.
    """

    def __init__(self, folder, starting, settings):
        """Takes the folder, the seconds that a start takes, and the settings."""
        self.run_folder, self.folder = folder / "killed", folder
        self.starting, self.settings = starting, settings
        self.random = random.Random(settings.seed)
        self.half_written = 0

    def kill(self, when):
        """Starts the run once and kills it.

        Args:
            when: One of `WHEN`.

        Raises:
            InputError: It came to its end before, so that there was nothing to kill.
        """
        process = start(self.folder, "killed", self.settings)
        if when == "starting":
            time.sleep(self.random.uniform(0.1, 1.0) * self.starting)
        else:
            # All kills together must not use up the steps.
            self._wait_for_steps(
                process, self.settings.steps // self.settings.kills - MARGIN
            )
        if when == "saving":
            while process.poll() is None and not self._is_half_written():
                pass
        elif when == "training":
            time.sleep(self.random.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            raise InputError(
                f"the run ended with {process.returncode} before it was killed; give "
                "more --steps."
            )
        self.half_written += self._is_half_written()

    def _wait_for_steps(self, process, most):
        """Reads the log of a random number of steps."""
        left = self.random.randint(1, most)
        for line in process.stdout:
            left -= line.startswith("step ")
            if left == 0:
                return

    def _is_half_written(self):
        """Whether TensorFlow's folder for a checkpoint in the making is there."""
        return any(self.run_folder.glob("*_temp"))


def compare(one, two):
    """Compares the last checkpoints of two runs, name by name.

    Raises:
        InputError: They differ.
    """
    readers = [tf.train.load_checkpoint(checkpoints.find(path)) for path in (one, two)]
    names = [sorted(reader.get_variable_to_shape_map()) for reader in readers]
    if names[0] != names[1]:
        raise InputError("the two runs end with different names in their checkpoints")
    different = [
        name
        for name in names[0]
        # How often it was saved and what its folder is called are no part of the run.
        if not name.startswith(NO_PART)
        and len({np.asarray(r.get_tensor(name)).tobytes() for r in readers}) > 1
    ]
    if different:
        raise InputError(
            f"{len(different)} of {len(names[0])} values differ, first {different[0]}"
        )


if __name__ == "__main__":
    app.run(main, (KillSettings,))
