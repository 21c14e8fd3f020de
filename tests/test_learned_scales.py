"""Which scales weights were ever trained at, and what that allows."""

import dataclasses
import json

import numpy as np
import pytest

from console.errors import InputError
from models import opening
from models.eusr import EUSR
from models.generator_settings import Training
from tests.pictures import write_pictures
from tests.scripts import fail_here, succeed_here
from tests.small import SMALL, make_small
from training import checkpoints
from training.arguments import LEARNED
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions

ARCHITECTURE = dataclasses.replace(SMALL, model_scales=(2, 4, 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images, and of a network with x2, x4 and x8 what a run at x4 has left."""
    folder = tmp_path_factory.mktemp("learned")
    write_pictures(folder / "HR", [(64, 64), (64, 72)])
    train(folder, "x4", "--scales=4", "--eusr_model_scales=2,4,8")
    return folder


def train(folder, name, *flags, do=succeed_here):
    return do(
        *("train.py", f"--data_truth_path={folder / 'HR'}", "--max_steps=2"),
        *(f"--cache_path={folder / 'cache'}", f"--train_path={folder / name}"),
        *("--batch_size=2", "--input_patch_size=8"),
        *("--eusr_conv_features=4", "--eusr_shared_blocks=1"),
        *flags,
    )


def read_learned(path):
    return checkpoints.describe(checkpoints.find(path)).get(LEARNED)


def test_what_was_trained_is_the_default_and_the_rest_is_refused(folder, tmp_path):
    weights = f"--restore_path={folder / 'x4'}"
    images = f"--data_truth_path={folder / 'HR'}"
    report = tmp_path / "report.json"
    succeed_here("validate.py", weights, images, f"--report_path={report}")
    assert list(json.loads(report.read_text())["scales"]) == ["4"]
    line = fail_here("validate.py", weights, images, "--scales=4,8")
    assert line.endswith("was never trained at x8, only at x4.\n".strip())

    target = f"--output_path={tmp_path / 'model.pb'}"
    assert "(x4)" in succeed_here("freeze.py", weights, target)
    line = fail_here("freeze.py", weights, target, "--scales=2,8")
    assert "--scales=2,8: " in line and "never trained at x2 and x8" in line

    enlarge = ("test.py", weights, f"--input_path={folder / 'HR'}")
    line = fail_here(*enlarge, "--scale=8", f"--output_path={tmp_path / 'SR'}")
    assert line == "Error: --scale=8: the model was trained at x4."
    said = succeed_here(*enlarge, "--scale=1.5", f"--output_path={tmp_path / 'SR'}")
    assert "pictures are enlarged by 4, then resized" in said


def test_a_network_of_one_scale_is_measured_at_it(folder, tmp_path):
    train(folder, "alone", "--eusr_model_scales=4")
    report = tmp_path / "report.json"
    succeed_here(
        *("validate.py", f"--restore_path={folder / 'alone'}"),
        *(f"--data_truth_path={folder / 'HR'}", f"--report_path={report}"),
    )
    assert list(json.loads(report.read_text())["scales"]) == ["4"]


def test_what_a_run_starts_from_counts_and_what_nobody_knows_counts_as_all(folder):
    start = f"--restore_path={folder / 'x4'}"
    train(folder, "on", start, "--restore_target=generator", "--scales=2")
    assert read_learned(folder / "on") == [2, 4]
    # It goes on, and is handed on.
    train(folder, "on", start, "--scales=2", "--max_steps=3")
    assert read_learned(folder / "on") == [2, 4]
    target = folder / "out" / "model.ckpt-3"
    export = ("freeze.py", "--format=weights", f"--restore_path={folder / 'on'}")
    succeed_here(*export, f"--output_path={target}")
    assert read_learned(target) == [2, 4]
    # For some of its scales only.
    succeed_here(*export, f"--output_path={folder / 'of4' / target.name}", "--scales=4")
    assert read_learned(folder / "of4") == [4]
    line = fail_here(*export, f"--output_path={target}", "--scales=8")
    assert "--scales=8" in line and read_learned(target) == [2, 4]
    prefix = CheckpointWriter(
        make_small().checkpoint_items(), folder / "unknown", 1
    ).save(0)
    assert read_learned(prefix) is None
    model = opening.open_model(prefix)
    assert model.usable_scales == model.scales == (2, 4)
    flags = ("--eusr_model_scales=2,4", "--restore_target=generator", "--scales=2")
    train(folder, "from_unknown", f"--restore_path={prefix}", *flags)
    assert read_learned(folder / "from_unknown") is None


def test_no_pass_goes_through_what_was_never_trained(folder):
    line = train(
        *(folder, "passes", "--model=4pp_eusr"),
        *(f"--eusr_weight_{name}=0" for name in ("las", "lar", "lss", "lsr")),
        *(f"--restore_path={folder / 'x4'}", "--restore_target=generator"),
        do=fail_here,
    )
    assert (
        "was never trained at x2 and x8, which --eusr_passes=2,4,8 uses. Train these "
        "scales first, or give --eusr_passes=4."
    ) in line
    assert not list((folder / "passes").glob("model*"))


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_network_of_more_scales_starts_from_one_of_fewer(tmp_path, ema_decay):
    smaller = make_small(StepOptions(ema_decay=ema_decay))
    if ema_decay:
        smaller.average.weights[0].assign(1.0 + smaller.generator.weights[0])
    smaller.learn((2, 4))
    start = CheckpointWriter(smaller.checkpoint_items(), tmp_path, 1).save(0)
    larger = EUSR(ARCHITECTURE, Training())
    before = {w.path: np.array(w) for w in larger.generator.weights}
    larger.restore(start)
    source = smaller.average or smaller.generator
    taken = {w.path: np.array(w) for w in source.weights}
    for weight in larger.generator.weights:
        expected = taken.get(weight.path, before[weight.path])
        np.testing.assert_array_equal(weight, expected)
    assert any("/x8_" in path for path in set(before) - set(taken))
    # Of a checkpoint that does not say it, no more than it has a path for was trained.
    smaller.state.arguments.values.pop(LEARNED)
    larger.restore(
        CheckpointWriter(smaller.checkpoint_items(), tmp_path / "old", 1).save(0)
    )
    assert larger.learned_scales == [2, 4]
    # A run that goes on is another matter.
    with pytest.raises(InputError, match="another network .*model_scales=2,4"):
        larger.restore(start, resume=True)


def test_more_scales_are_trained_from_a_checkpoint_of_fewer(folder):
    start = CheckpointWriter(make_small().checkpoint_items(), folder / "few", 1).save(0)
    flags = ("--eusr_model_scales=2,4,8", f"--restore_path={start}")
    said = train(folder, "more", *flags)
    assert f"{start} has no x8: the layers for them start untrained" in said
    assert "Resuming from" in train(folder, "more", *flags, "--max_steps=3")
