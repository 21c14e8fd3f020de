"""4PP-EUSR through the scripts, as a user would go."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from imaging.files import load_image
from metrics.niqe import FEATURES
from models.four_pass_settings import FourPassTraining
from tests.four_pass import SMALL_FLAGS, narrow_discriminator, write_predictor
from tests.pictures import write_pictures
from tests.scripts import fail_here, run_here, succeed_here

# Large enough for NIQE's two blocks.
SIZES = [(104, 200), (112, 208)]


@pytest.fixture(scope="module", autouse=True)
def narrow():
    with narrow_discriminator():
        yield


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """A folder with pictures, predictors, NIQE's model and a trained EUSR."""
    folder = tmp_path_factory.mktemp("four_pass")
    write_pictures(folder / "HR", SIZES)
    write_pictures(folder / "valid", SIZES, 10)
    write_predictor(folder / "aesthetic.pb", 0)
    write_predictor(folder / "subjective.pb", 1, first_score=None)
    write_predictor(folder / "fixed.pb", 2, side=32)
    np.savez(
        folder / "niqe.npz",
        mu_prisparam=np.ones(FEATURES),
        cov_prisparam=np.eye(FEATURES),
    )
    succeed_here("train.py", *train_flags(folder, "eusr", steps=1))
    return folder


def train_flags(folder, name, steps=2, **more):
    flags = {
        "data_truth_path": folder / "HR",
        "cache_path": folder / "cache",
        "train_path": folder / name,
        "max_steps": steps,
        "log_freq": 1,
        "summary_freq": 1,
        "batch_size": 2,
        "input_patch_size": 8,
        **more,
    }
    return [*SMALL_FLAGS, *(f"--{flag}={value}" for flag, value in flags.items())]


def four_pass_flags(folder, name="4pp", steps=2, **more):
    flags = {
        "model": "4pp_eusr",
        "restore_path": folder / "eusr",
        "restore_target": "generator",
        "eusr_aesthetic_nima_path": folder / "aesthetic.pb",
        "eusr_subjective_nima_path": folder / "subjective.pb",
        **more,
    }
    given = {flag: value for flag, value in flags.items() if value is not None}
    return train_flags(folder, name, steps, **given)


@pytest.fixture(scope="module")
def trained(road):
    """What the training says; its folder is `4pp`."""
    return succeed_here(
        "train.py",
        *four_pass_flags(road, validate_truth_path=road / "valid", validate_freq=1),
        *(f"--niqe_model_path={road / 'niqe.npz'}", "--best_metric=niqe"),
        "--measure_grid",
    )


def test_the_log_names_each_loss(trained):
    assert "Starting from the weights of" in trained
    assert "Training 4pp_eusr at x4" in trained
    line = next(line for line in trained.splitlines() if line.startswith("step 1/2"))
    for name in ("loss", "reconstruction", "adversarial", "discriminator"):
        assert f"  {name} " in line
    for kind in ("aesthetic", "subjective"):
        assert f"  {kind}_score " in line and f"  {kind}_representation " in line
    assert "discriminator/" not in line and "aesthetic/" not in line


def test_tensorboard_shows_losses_scores_rates_and_estimates(road, trained):
    (path,) = (road / "4pp" / "x4").glob("events*[0-9].v2")
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {
        *("reconstruction", "adversarial", "discriminator", "loss", "gradient_norm"),
        *("aesthetic_score", "aesthetic_representation"),
        *("subjective_score", "subjective_representation"),
        *("aesthetic/sr", "aesthetic/hr", "subjective/sr", "subjective/hr"),
        *("discriminator/fake", "discriminator/real", "discriminator/accuracy"),
        *("discriminator/gradient_norm", "discriminator/learning_rate"),
        *("learning_rate", "validation/psnr_y", "validation/niqe"),
        "validation/grid",
        *("estimate_x2", "estimate_x4", "estimate_x8", "input", "truth"),
    } <= tags


def test_the_best_by_niqe_is_the_least(trained):
    lines = [line for line in trained.splitlines() if line.startswith("validated")]
    values = [float(line.split("niqe ")[1].split()[0]) for line in lines]
    assert len(values) == 2 and all("  grid " in line for line in lines)
    assert trained.count("Best so far") == (2 if values[1] < values[0] else 1)


def test_the_same_command_goes_on_and_what_differs_is_said(road, trained):
    arguments = json.loads((road / "4pp" / "arguments.json").read_text())
    for field in dataclasses.fields(FourPassTraining):
        assert f"eusr_{field.name}" in arguments
    flags = four_pass_flags(road, steps=3, eusr_weight_lg=0.2)
    said = succeed_here("train.py", *flags)
    assert "From here on: --eusr_weight_lg was 0.1 and is 0.2." in said
    assert "Resuming from" in said and "step 3/3" in said
    assert "Starting from" not in said


def test_what_was_trained_is_measured_judged_frozen_and_upscales(road, trained):
    report = road / "report.json"
    data = [f"--data_truth_path={road / 'HR'}", f"--restore_path={road / '4pp'}"]
    said = succeed_here(
        "validate.py",
        *(*data, f"--report_path={report}", f"--niqe_model_path={road / 'niqe.npz'}"),
        f"--aesthetic_model={road / 'aesthetic.pb'}",
        f"--subjective_model={road / 'fixed.pb'}",
    )
    (scale,) = json.loads(report.read_text())["scales"].items()
    assert scale[0] == "4"
    for who in (scale[1], scale[1]["bicubic"]):
        for name in ("niqe", "aesthetic", "subjective", "psnr_y"):
            values = [image[name] for image in who["images"].values()]
            assert who["average"][name] == pytest.approx(np.mean(values))
        assert 1 <= who["average"]["aesthetic"] <= 10
    assert "niqe" in said and "aesthetic" in said and "subjective" in said

    for name, scales in (("one", "4"), ("all", "2,4,8")):
        succeed_here(
            "freeze.py",
            *(f"--restore_path={road / '4pp'}", f"--scales={scales}"),
            f"--output_path={road / f'{name}.pb'}",
        )
    succeed_here("freeze.py", data[1], f"--output_path={road / 'default.pb'}")
    assert (road / "default.pb").read_bytes() == (road / "one.pb").read_bytes()
    pictures = {}
    for name, more in (("one", []), ("all", []), ("mean", ["--all_passes"])):
        model = f"--model_name={road / 'all.pb'}" if more else None
        succeed_here(
            "test.py",
            *(model or f"--model_name={road / f'{name}.pb'}", *more),
            *(f"--input_path={road / 'HR' / '0.png'}", "--scale=4"),
            f"--output_path={road / name}",
        )
        pictures[name] = load_image(road / name / "0.png")
    # Rounded otherwise within, a few halves may turn over.
    assert np.abs(pictures["one"].astype(int) - pictures["all"]).max() <= 1
    assert pictures["mean"].shape == (4 * SIZES[0][0], 4 * SIZES[0][1], 3)
    assert np.abs(pictures["mean"].astype(int) - pictures["one"]).max() > 0

    line = fail_here(
        "test.py",
        *(f"--model_name={road / 'one.pb'}", "--all_passes", "--scale=4"),
        *(f"--input_path={road / 'HR'}", f"--output_path={road / 'no'}"),
    )
    assert "--all_passes needs x2, x4 and x8; the model supports x4" in line
    line = fail_here(
        "test.py",
        *(f"--model_name={road / 'all.pb'}", "--all_passes", "--scale=8"),
        *(f"--input_path={road / 'HR'}", f"--output_path={road / 'no'}"),
    )
    assert "--scale=8: the model enlarges by 4 at most" in line


@pytest.mark.parametrize(("model", "batch_size"), [("eusr", 16), ("4pp_eusr", 2)])
def test_the_batch_is_by_default_that_of_the_models_paper(model, batch_size):
    said = run_here("train.py", f"--model={model}", "--helpshort").stdout
    flag = said.split("--batch_size")[1].split("--")[0]
    assert f"(default: '{batch_size}')" in flag


@pytest.mark.parametrize(
    ("changes", "more", "said"),
    [
        (
            {"eusr_aesthetic_nima_path": None},
            [],
            "--eusr_aesthetic_nima_path must be given",
        ),
        (
            {"eusr_subjective_nima_path": "missing.pb"},
            [],
            "--eusr_subjective_nima_path=missing.pb: no such file",
        ),
        (
            {"eusr_subjective_nima_path": "fixed.pb"},
            ["--input_patch_size=12"],
            "accepts only 32x32 pixels, and --input_patch_size=12 makes 48x48; give "
            "--input_patch_size=8",
        ),
        (
            {"eusr_passes": "2,4"},
            ["--eusr_disable_multipass"],
            "--eusr_disable_multipass means --eusr_passes=4",
        ),
        ({"eusr_passes": "3"}, [], "--eusr_passes=3: expected one or more of 2, 4, 8"),
        (
            {"eusr_model_scales": "2,4"},
            [],
            "--eusr_model_scales=2,4 has no path for x8",
        ),
        ({"scales": "2"}, [], "--scales=2: 4pp_eusr supports 4"),
        ({"restore_target": None}, [], "--restore_target=generator restores only"),
        ({}, ["--best_metric=niqe"], "--best_metric needs --validate_truth_path"),
        ({"validate_freq": 5}, [], "--validate_freq needs --validate_truth_path"),
        ({}, ["--measure_grid"], "--measure_grid needs --validate_truth_path"),
        ({"best_metric": "niqe"}, [], "--best_metric=niqe needs --niqe_model_path"),
        ({"best_metric": "grid"}, [], "--best_metric=grid needs --measure_grid"),
    ],
)
def test_a_mistake_gets_one_line(road, monkeypatch, changes, more, said):
    monkeypatch.chdir(road)
    if "best_metric" in changes:
        changes = changes | {"validate_truth_path": road / "HR"}
    line = fail_here(
        "train.py", *four_pass_flags(road, "mistake", **changes), *more, cwd=road
    )
    assert said in line
    assert not (road / "mistake").exists()


def test_one_pass_from_scratch_needs_no_predictors_and_is_warned_of(road):
    done = run_here(
        "train.py",
        *four_pass_flags(
            road,
            "single",
            1,
            restore_path=None,
            restore_target=None,
            eusr_aesthetic_nima_path=None,
            eusr_subjective_nima_path=None,
        ),
        *("--eusr_disable_multipass", "--eusr_model_scales=4"),
        *("--eusr_weight_las=0", "--eusr_weight_lar=0"),
        *("--eusr_weight_lss=0", "--eusr_weight_lsr=0"),
    )
    assert done.returncode == 0, done.stderr
    assert "aesthetic" not in done.stdout.split("Training")[1]
    assert "unlike in the paper" in done.stderr
    assert "--restore_target=generator" in done.stderr


def test_the_discriminator_alone_is_a_start_from_scratch(road, trained):
    done = run_here(
        "train.py",
        *four_pass_flags(
            road, "other", 1, restore_path=road / "4pp", restore_target="discriminator"
        ),
        "--eusr_disable_multipass",
    )
    assert done.returncode == 0, done.stderr
    assert "Starting from the weights of" in done.stdout
    assert "unlike in the paper" in done.stderr
