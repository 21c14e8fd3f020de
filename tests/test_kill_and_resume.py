"""Kills a training run again and again, and compares its end with one left alone.

    python -m pytest tests/test_kill_and_resume.py
    KILLS=20 KILLED_MODEL=4pp_eusr python -m pytest tests/test_kill_and_resume.py

A small network is trained on made-up pictures with --deterministic, averaged weights,
clipping and validation, once in one go, and once with SIGKILL at random moments, each
followed by the same command. In turn it is killed while it writes a checkpoint, while
it starts, and while it trains. No bit of the last checkpoints may differ.
"""

import os
import random
import signal
import time

import numpy as np
import tensorflow as tf

from imaging.files import save_image
from tests.four_pass import write_predictors
from tests.workers import start
from training import checkpoints

KILLS = int(os.environ.get("KILLS", "2"))
MODEL = os.environ.get("KILLED_MODEL", "eusr")

# Steps between two kills, at most; those that a run may still do between the moment
# chosen and its end.
STEPS, MARGIN = 20, 15

WHEN = ("saving", "starting", "training")

# What checkpoints hold beside the run: how often it was saved, what its folder is
# called.
NO_PART = ("_CHECKPOINTABLE", "save_counter", "state/arguments")


def write_data(folder):
    """Writes what is trained on; returns the flags of the model."""
    draw = np.random.default_rng(0)
    for index in range(3):
        picture = draw.integers(0, 256, (64, 80, 3), np.uint8)
        save_image(folder / "HR" / f"{index}.png", picture)
    if MODEL == "4pp_eusr":
        paths = write_predictors(folder).items()
        return [f"--eusr_{name}={path}" for name, path in paths]
    return ["--scales=2,4", "--eusr_model_scales=2,4"]


def make_command(folder, name, flags):
    return [
        *("train.py", "--deterministic", f"--model={MODEL}", *flags),
        *(f"--data_truth_path={folder}/HR", f"--train_path={folder}/{name}"),
        *(f"--cache_path={folder}/cache", f"--max_steps={KILLS * STEPS}"),
        *("--save_freq=2", "--summary_freq=50", "--log_freq=1"),
        *("--batch_size=2", "--input_patch_size=8"),
        *("--eusr_conv_features=4", "--eusr_shared_blocks=1"),
        *("--ema_decay=0.9", "--gradient_clip_norm=50"),
        *(f"--validate_truth_path={folder}/HR", "--validate_freq=20"),
    ]


def finish(command):
    """Runs to the end; returns the seconds until it began to train."""
    begin, began = time.monotonic(), None
    process = start(command)
    for line in process.stdout:
        if line.startswith("Training "):
            began = time.monotonic() - begin
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return began


def is_half_written(folder):
    """Whether TensorFlow's folder for a checkpoint in the making is there."""
    return any(folder.glob("*_temp"))


def kill(command, folder, when, starting, draw):
    """Starts the run once and kills it; returns whether it left a checkpoint half."""
    process = start(command)
    if when == "starting":
        time.sleep(draw.uniform(0.1, 1.0) * starting)
    else:
        # All kills together must not use up the steps.
        left = draw.randint(1, STEPS - MARGIN)
        while left and (line := process.stdout.readline()):
            left -= line.startswith("step ")
    if when == "saving":
        while process.poll() is None and not is_half_written(folder):
            pass
    elif when == "training":
        time.sleep(draw.uniform(0.0, 0.05))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return is_half_written(folder)


def read_last(folder):
    reader = tf.train.load_checkpoint(checkpoints.find(folder))
    return {
        name: np.asarray(reader.get_tensor(name)).tobytes()
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(NO_PART)
    }


def test_a_run_killed_ends_with_the_bits_of_one_that_ran_through(tmp_path):
    flags = write_data(tmp_path)
    starting = finish(make_command(tmp_path, "whole", flags))
    command, draw = make_command(tmp_path, "killed", flags), random.Random(0)
    half_written = [
        kill(command, tmp_path / "killed", WHEN[i % len(WHEN)], starting, draw)
        for i in range(KILLS)
    ]
    finish(command)
    # One alone may come too late.
    assert any(half_written) or len(WHEN) > KILLS
    whole, killed = (read_last(tmp_path / name) for name in ("whole", "killed"))
    assert len(whole) > 50
    assert killed == whole
