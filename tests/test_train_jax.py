"""Training under JAX: the same steps as train.py's, and files that come home."""

import csv
import json
import os
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)
from tensorboard.util.tensor_util import make_ndarray

from frozen.predictor import FrozenPredictor
from misc.jax_training import archives, log, run_files
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import FourPassTraining
from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from tests import forked
from tests.four_pass import SMALL
from tests.pictures import write_pictures
from tests.scripts import ROOT, succeed_here
from tests.small_predictor import narrow_mobilenetv2
from training import checkpoints
from training.arguments import LEARNED
from training.checkpoint_writer import CheckpointWriter

pytest.importorskip("jax", reason="JAX is missing")
pytest.importorskip("optax", reason="optax, of requirements-jax.txt, is missing")

QUICK = os.environ["XLA_FLAGS"]

SMALL_FLAGS = ("--eusr_conv_features=4", "--eusr_shared_blocks=1")

# As `tests.small_predictor.narrow_mobilenetv2`: all of it takes a minute to compile.
NARROW_SCRIPT = """
import runpy, sys
from tests.small_predictor import narrow_mobilenetv2
narrow = narrow_mobilenetv2()
narrow.__enter__()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Writes what a predictor says of pictures.
DESCRIBE = """
import sys
import jax
import numpy as np
from misc.jax_training.four_pass import Predictor
weights, pictures, output = sys.argv[1:]
describe = jax.jit(Predictor(weights, "--a", "float32").describe)
scores, features, maps = describe(np.load(pictures))
np.savez(output, scores, features, *maps)
"""


def start_jax(*arguments, more_flags="", is_narrow=False):
    """Starts `misc/train_jax.py` as a process of its own, without TensorFlow."""
    script = ROOT / "misc" / "train_jax.py"
    command = ["-c", NARROW_SCRIPT, script] if is_narrow else [script]
    environment = {**os.environ, "XLA_FLAGS": f"{QUICK} {more_flags}"}
    return forked.Script([*command, *arguments], env=environment, server=forked.JAX)


def train_jax(*arguments, status=0, **options):
    """Runs it to its end; returns what it said on stdout, or in an error's line."""
    process = start_jax(*arguments, **options)
    said, complained = process.communicate(timeout=300)
    assert process.returncode == status, complained + said
    assert "Traceback" not in complained
    return complained.strip() if status == 1 else said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    write_pictures(folder / "HR", [(72, 80), (80, 72), (90, 96)])
    write_pictures(folder / "valid", [(40, 48), (48, 40)], 10)
    return folder


def flags_of(folder, name, **more):
    values = {
        "data_truth_path": folder / "HR",
        "cache_path": folder / "cache",
        "train_path": folder / name,
        "batch_size": 2,
        "input_patch_size": 8,
        "log_freq": 1,
        **more,
    }
    return [*SMALL_FLAGS, *(f"--{flag}={value}" for flag, value in values.items())]


def make_predictor(path):
    """A MobileNetV2 that says something of its own about each picture.

    With random weights and the statistics of some noise; without these all pictures
    look alike to it.
    """
    keras.utils.set_random_seed(0)
    predictor = MobileNetV2(Settings(alpha=0.35, weights="none", bn_momentum=0.0))
    draw = np.random.default_rng(1)
    noise = draw.uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)
    predictor.network(noise, training=True)
    # As large as those of a trained one.
    scaled = [la for la in predictor.network.layers if hasattr(la, "moving_variance")]
    scaled[-1].gamma.assign(scaled[-1].gamma * 0.1)
    predictor.head.kernel.assign(draw.normal(0, 0.05, predictor.head.kernel.shape))
    weight_files.save(path, predictor.network, {"alpha": 0.35, "first_score": 0})
    frozen = path.with_suffix(".pb")
    flags = (f"--restore_path={path}", f"--output_path={frozen}")
    succeed_here("score_predictors/freeze.py", *flags)
    return path, frozen


# Options that leave the paper, of both frameworks.
CRISP = {
    "eusr_discriminator": "unet",
    "eusr_discriminator_features": 4,
    "eusr_discriminator_warmup_steps": 1,
    "eusr_adversarial_loss": "relativistic",
    "eusr_representation": "spatial",
    "eusr_weight_grid": 0.5,
    "eusr_weight_las": 0,
    "eusr_weight_lar": 0,
    "eusr_passes": 4,
}


def start_weights(folder, **training):
    """A checkpoint at step 0, weights with life in them, and the same as archive."""
    training = FourPassTraining(
        **{f"weight_l{kind}": 0.0 for kind in ("as", "ar", "ss", "sr")}, **training
    )
    keras.utils.set_random_seed(0)
    model = FourPassEUSR(SMALL, training)
    draw = np.random.default_rng(2)
    for variable in model.generator.trainable_variables:
        variable.assign_add(draw.normal(0, 0.02, variable.shape))
    prefix = CheckpointWriter(model.checkpoint_items(), folder / "start", 1).save(0)
    archive = folder / "start-0.npz"
    flags = (f"--input_path={prefix}", f"--output_path={archive}")
    said = succeed_here("misc/import_weights.py", *flags)
    assert "generator, discriminator" in said
    return prefix, archive


@pytest.mark.parametrize("name", ["eusr", "4pp_eusr", "crisp"])
def test_steps_are_those_of_train_py(folder, name):
    flags = {"max_steps": 3, "ema_decay": 0.9, "model": name, "seed": 4}
    whole, kinds, training = ["--restore_target=generator"], [], {}
    if name == "4pp_eusr":
        whole, kinds = [], ["aesthetic", "subjective"]
        training = {"discriminator_features": 1}
        flags["eusr_discriminator_features"] = 1
    elif name == "crisp":
        whole, kinds = [], ["subjective"]
        training = {"discriminator": "unet", "discriminator_features": 4}
        flags |= {"model": "4pp_eusr", **CRISP}
    else:
        flags["scales"] = "2,4"
    prefix, archive = start_weights(folder, **training)
    ours, theirs = dict(flags), dict(flags)
    if kinds:
        with narrow_mobilenetv2():
            weights, frozen = make_predictor(folder / "predictor.h5")
        for kind in kinds:
            theirs[f"eusr_{kind}_nima_path"] = frozen
            ours[f"eusr_{kind}_nima_path"] = weights
    there, here = f"{name}_tensorflow", f"{name}_jax"
    theirs = flags_of(folder, there, **theirs, summary_freq=1, restore_path=prefix)
    succeed_here("train.py", *theirs, *whole)
    ours = flags_of(folder, here, **ours, restore_path=archive)
    said = train_jax(*ours, is_narrow=bool(kinds))
    rows = log.read(folder / here, flags["max_steps"])
    drawn = [row["scale"] for row in rows]
    assert drawn == ([4, 4, 4] if kinds else [4, 2, 2]), said
    for scale in set(drawn):
        curves = EventAccumulator(str(folder / there / f"x{scale}")).Reload()
        for row in (row for row in rows if row["scale"] == scale):
            for tag in set(row) & set(curves.Tags()["tensors"]):
                if name == "crisp" and (tag, row["step"]) == ("learning_rate", 1):
                    continue  # TensorFlow logs the rate of the step to come.
                (value,) = (
                    float(make_ndarray(event.tensor_proto))
                    for event in curves.Tensors(tag)
                    if event.step == row["step"]
                )
                rel = 1e-3 if tag.endswith("gradient_norm") else 1e-4
                # Adam's first step moves a weight as far by a gradient of rounding
                # errors as by any other, so from then on both drift apart.
                rel *= 50 if kinds and row["step"] > 1 else 1
                assert row[tag] == pytest.approx(value, rel=rel), (tag, row["step"])
    if kinds:
        names = {"reconstruction", "adversarial", "discriminator"}
        if name == "crisp":
            names |= {"grid_loss"}
        for kind in kinds:
            names |= {f"{kind}_score", f"{kind}_representation"}
            # The predictor tells estimates from truth.
            assert all(abs(r[f"{kind}/sr"] - r[f"{kind}/hr"]) > 1e-3 for r in rows)
        assert names <= set(rows[0]) & set(curves.Tags()["tensors"])
    arrays = run_files.flatten(run_files.read_weights(folder / here, "--a").state)
    reader = tf.train.load_checkpoint(str(folder / there))
    start, _ = archives.read(archive, "--a")
    moved = 0
    for key, array in arrays.items():
        expected = reader.get_tensor(f"{key}/.ATTRIBUTES/VARIABLE_VALUE")
        np.testing.assert_allclose(array, expected, atol=1e-4, err_msg=key)
        moved += key in start and not np.array_equal(array, start[key])
    assert moved > 20 and any(key.startswith("ema/") for key in arrays)


def test_a_predictor_says_what_its_frozen_file_says(tmp_path):
    weights, frozen = make_predictor(tmp_path / "predictor.h5")
    pictures = np.random.default_rng(3).uniform(0, 255, (2, 32, 32, 3)).astype("f4")
    np.save(tmp_path / "pictures.npy", pictures)
    paths = weights, tmp_path / "pictures.npy", tmp_path / "said.npz"
    done = forked.run(["-c", DESCRIBE, *paths], server=forked.JAX)
    assert done.returncode == 0, done.stderr
    said = list(np.load(tmp_path / "said.npz").values())
    scores, features, maps = FrozenPredictor(frozen).describe(tf.constant(pictures))
    assert len(said) == 2 + len(maps) > 4
    for ours, theirs in zip(said, (scores, features, *maps), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    assert abs(said[0][0] - said[0][1]) > 1e-3


@pytest.fixture(scope="module")
def stopped(folder):
    """A run of 20 steps in small half-precision files, stopped and gone on with."""
    flags = flags_of(
        folder,
        "run",
        scales=2,
        eusr_model_scales=2,
        max_steps=100_000,
        save_freq=1_000_000,
        ema_decay=0.9,
        max_file_megabytes=1,
        eusr_conv_features=32,
        validate_truth_path=folder / "valid",
    )
    flags += ["--half_precision", "--eusr_learning_rate=1e-3"]
    process = start_jax(*flags)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("step 12/"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM, process.stderr.read()
    step = archives.list_steps(folder / "run", archives.STATE)[-1]
    end = step + 20
    flags = [flag for flag in flags if not flag.startswith("--max_steps")]
    said = train_jax(*flags, f"--max_steps={end}")
    return "".join(lines), said, step, end


def test_a_run_stops_and_goes_on_without_tensorflow(folder, stopped):
    first, said, step, end = stopped
    assert f"Stopped by SIGTERM after step {step}" in first
    assert f"Resuming from step {step} of" in said
    assert f"step {step + 1}/{end}" in said and f"step {step}/{end}" not in said
    pieces = sorted(path.name for path in (folder / "run").glob(f"weights-{end}.*"))
    assert pieces[0] == f"weights-{end}.npz.1of{len(pieces)}" and len(pieces) > 1
    assert all(path.stat().st_size <= 1e6 for path in (folder / "run").glob("*.npz*"))
    with open(folder / "run" / "log.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["loss"]]
    assert [int(row["step"]) for row in rows] == list(range(1, end + 1))
    arguments = json.loads((folder / "run" / "arguments.json").read_text())
    assert arguments["half_precision"] and arguments["eusr_conv_features"] == 32


def test_what_comes_home_measures_as_it_did_there(folder, stopped):
    _, said, _, end = stopped
    line = next(
        line for line in said.splitlines() if f"validated at step {end}" in line
    )
    there = float(line.split()[-1])
    succeed_here(
        "misc/import_weights.py",
        f"--input_path={folder / 'run'}",
        f"--output_path={folder / 'home' / 'model.ckpt-7'}",
    )
    report = folder / "report.json"
    succeed_here(
        "validate.py",
        f"--restore_path={folder / 'home'}",
        "--scales=2",
        f"--data_truth_path={folder / 'valid'}",
        f"--report_path={report}",
    )
    home = json.loads(report.read_text())["scales"]
    # What it was trained at came along, too.
    assert checkpoints.describe(str(folder / "home" / "model.ckpt-7"))[LEARNED] == [2]
    assert home["2"]["average"]["psnr_y"] == pytest.approx(there, abs=0.01)


def test_a_deadline_lets_the_rate_fall_to_zero_on_two_devices(folder):
    # On a busy machine the first of them end while the step is compiled.
    for seconds in (4, 16, 64):
        start, name = time.monotonic(), f"late{seconds}"
        said = train_jax(
            *flags_of(folder, name, scales=2, eusr_model_scales=2, steps_per_call=2),
            *(f"--max_seconds={seconds}", "--eusr_learning_rate_schedule=cosine"),
            more_flags="--xla_force_host_platform_device_count=2",
        )
        assert "on 2 x cpu" in said
        assert time.monotonic() - start < seconds + 120
        with open(folder / name / "log.csv") as file:
            rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
        if len(rates) > 1:
            break
    assert rates[0] > 2e-5 and rates[-1] < 2e-6
    assert rates == sorted(rates, reverse=True)


def test_a_loss_that_is_not_finite_stops_the_run_with_its_step_and_images(folder):
    flags = flags_of(folder, "far", scales=2, eusr_model_scales=2, max_steps=30)
    line = train_jax(*flags, "--eusr_learning_rate=1e30", status=1)
    assert "the loss or a gradient of step" in line and "is not finite" in line
    assert any(f"images {name}" in line for name in "012")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--max_steps=5", "--max_steps=5 is not a multiple of --steps_per_call=2"),
        ("--validate_freq=2", "--validate_freq needs --validate_truth_path."),
        (
            "--eusr_learning_rate_decay_steps=5",
            "--eusr_learning_rate_decay_steps and --max_seconds both say when",
        ),
        ("--deterministic", "--deterministic is not a flag of this script"),
        ("--precision=float16", "should be one of <float32|bfloat16>"),
    ],
)
def test_wrong_flags_get_one_line(folder, flag, said):
    time = ("--max_seconds=9", "--eusr_learning_rate_schedule=cosine")
    flags = flags_of(folder, "w", steps_per_call=2)
    line = train_jax(*flags, *time, flag, status=1)
    assert said in line and "\n" not in line
