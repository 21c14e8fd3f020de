"""Weights between those of two networks: --naturalness."""

import json

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from models.eusr import EUSR
from models.four_pass_eusr import FourPassEUSR
from models.opening import CheckpointSettings, open_model
from tests.four_pass import SMALL
from tests.measured import Reader
from tests.pictures import write_pictures
from tests.scripts import fail_here, run_here, succeed_here
from tests.small import make_small
from training import checkpoints
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions

CRISP = ("--model=4pp_eusr", "--naturalness=0.5")


def save(model, folder):
    model.state.step.assign(7)
    return CheckpointWriter(model.checkpoint_items(), folder, 1).save(7)


def move(weights, seed):
    """Moves weights by a tenth of their size, as a training from them does."""
    draw = np.random.default_rng(seed)
    for weight in weights:
        noise = draw.normal(0, 0.1, weight.shape).astype(np.float32)
        weight.assign(weight + np.abs(weight) * noise)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoints of an EUSR and of a 4PP-EUSR trained from it, and a picture."""
    folder = tmp_path_factory.mktemp("mixing")
    exact, crisp = EUSR(SMALL), FourPassEUSR(SMALL)
    move(exact.generator.trainable_variables, 0)
    for ours, theirs in zip(
        crisp.generator.weights, exact.generator.weights, strict=True
    ):
        ours.assign(theirs)
    move(crisp.generator.trainable_variables, 1)
    exact.learn((2, 4, 8))
    crisp.take_learned({"learned_scales": [2, 4]})
    save(exact, folder / "exact")
    save(crisp, folder / "crisp")
    write_pictures(folder / "HR", [(40, 48)])
    return folder


def name_weights(folder, naturalness=0.5):
    return (
        f"--restore_path={folder / 'crisp'}",
        f"--exact_path={folder / 'exact'}",
        f"--naturalness={naturalness}",
    )


def open_mixed(folder, naturalness, crisp="crisp", exact="exact", **more):
    settings = CheckpointSettings(
        folder / crisp, naturalness=naturalness, exact_path=folder / exact, **more
    )
    return settings.find(None).open(None)[0]


def read(model):
    return [weight.numpy() for weight in model.generator.weights]


def upscale(model):
    lr = np.random.default_rng(1).uniform(0, 255, (1, 9, 9, 3))
    return model.forward(tf.constant(lr, tf.float32), 4).numpy()


def test_the_ends_are_the_two_networks_and_the_middle_is_their_mean(folder, capsys):
    exact, crisp = open_model(folder / "exact"), open_model(folder / "crisp")
    assert np.abs(upscale(exact) - upscale(crisp)).max() > 0.1
    for naturalness, same in ((0.0, exact), (1.0, crisp)):
        mixed = open_mixed(folder, naturalness)
        np.testing.assert_array_equal(upscale(mixed), upscale(same))
    capsys.readouterr()
    mixed = open_mixed(folder, 0.8)
    for ours, theirs, each in zip(*map(read, (crisp, exact, mixed)), strict=True):
        np.testing.assert_allclose(each, 0.2 * theirs + 0.8 * ours, rtol=1e-5)
    assert mixed.name == "4pp_eusr" and mixed.usable_scales == (2, 4)
    assert capsys.readouterr().out == (
        f"Mixing 80% of {folder}/crisp/model.ckpt-7 with 20% of "
        f"{folder}/exact/model.ckpt-7 (--naturalness=0.8).\n"
    )


def test_averaged_weights_are_mixed_unless_told_otherwise(folder, tmp_path):
    model = make_small(StepOptions(ema_decay=0.5))
    move(model.average.weights, 2)
    save(model, tmp_path / "one")
    for use_ema, network in ((True, model.average), (False, model.generator)):
        mixed = open_mixed(tmp_path, 0.5, "one", "one", use_ema=use_ema)
        for each, weight in zip(read(mixed), network.weights, strict=True):
            np.testing.assert_allclose(each, weight, rtol=1e-6)


def test_other_networks_and_networks_trained_apart_are_refused(folder, tmp_path):
    save(make_small(), tmp_path / "fewer")
    with pytest.raises(InputError, match=r"another network .*model_scales=2,4 \(not"):
        open_mixed(folder, 0.5, exact=tmp_path / "fewer")
    apart = EUSR(SMALL)
    save(apart, tmp_path / "apart")
    with pytest.raises(InputError, match="were trained apart, .* by --exact_path"):
        open_mixed(folder, 0.0, exact=tmp_path / "apart")
    related = open_model(folder / "exact")
    related.take_learned({"learned_scales": [8]})
    save(related, tmp_path / "x8")
    with pytest.raises(InputError, match="never trained at the same scale"):
        open_mixed(folder, 0.5, exact=tmp_path / "x8")


def test_a_mixture_is_exported_as_it_is_opened(folder, tmp_path):
    target = tmp_path / "mixed" / "model.ckpt-7"
    export = ("freeze.py", "--format=weights", *name_weights(folder, 0.8))
    said = succeed_here(*export, f"--output_path={target}")
    assert said.count("Mixing 80% of") == 1
    again, mixed = open_model(target), open_mixed(folder, 0.8)
    for one, two in zip(read(again), read(mixed), strict=True):
        np.testing.assert_array_equal(one, two)
    assert again.name == "4pp_eusr" and again.usable_scales == (2, 4)
    assert checkpoints.read_step(target) == 7
    line = fail_here(*export, f"--output_path={folder / 'exact' / 'model.ckpt-7'}")
    assert "is the checkpoint to read" in line


def test_moments_are_not_exported_with_mixed_weights(tmp_path):
    save(make_small(), tmp_path / "run")
    export = ("freeze.py", "--format=tf1", f"--restore_path={tmp_path / 'run'}")
    said = succeed_here(*export, f"--output_path={tmp_path / 'one'}")
    assert "Adam's moments" in said
    more = ("--naturalness=0.5", f"--exact_path={tmp_path / 'run'}")
    said = succeed_here(*export, *more, f"--output_path={tmp_path / 'two'}")
    assert "Adam's moments" not in said


def test_a_result_of_another_mixture_is_not_taken_for_done(folder, tmp_path):
    def start(naturalness, *more):
        return run_here(
            *("test.py", *name_weights(folder, naturalness), "--scale=4"),
            *(f"--input_path={folder / 'HR'}", f"--output_path={tmp_path / 'SR'}"),
            *more,
        )

    assert "Upscaled 1 of 1" in start(0.5).stdout
    assert "Kept 1 of 1" in start(0.5).stdout
    other = open_model(folder / "exact")
    move(other.generator.trainable_variables, 3)
    exact = save(other, tmp_path / "other")
    for done in (start(0.6), start(0.5, f"--exact_path={exact}")):
        assert done.returncode == 1 and "not made: 1 of 1 results" in done.stderr
    # The place of the weights is no part of it.
    same = save(open_model(folder / "exact"), tmp_path / "moved")
    assert checkpoints.identify(same) == checkpoints.identify(
        folder / "exact" / "model.ckpt-7"
    )
    assert "Kept 1 of 1" in start(0.5, f"--exact_path={same}").stdout


def test_the_report_tells_the_mixture(folder, tmp_path):
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    said = succeed_here(
        *("validate.py", *name_weights(folder), "--scales=4"),
        *(f"--data_truth_path={folder / 'HR'}", f"--report_path={report}"),
        f"--report={page}",
    )
    assert said.count("Mixing 50% of") == 1
    told = json.loads(report.read_text())
    assert told["naturalness"] == 0.5
    assert told["exact_path"] == f"{folder}/exact/model.ckpt-7"
    facts = Reader(page.read_bytes()).data["facts"]
    assert ["naturalness", "0.5"] in facts
    assert ["mixed with", told["exact_path"]] in facts


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--exact_path=train",), "--exact_path=train needs --naturalness"),
        (("--model=bicubic", CRISP[1]), "--model=bicubic has no weights"),
        (("--model_name=model.pb", CRISP[1]), "--naturalness is for checkpoints"),
        ((*CRISP, "--exact_path=model.pb"), "--exact_path=model.pb: not found"),
        (("--naturalness=1.5",), "--naturalness=1.5"),
    ],
)
def test_what_cannot_be_mixed_is_refused_in_one_line(folder, tmp_path, flags, said):
    line = fail_here(
        *("test.py", *flags, "--scale=4"),
        *(f"--input_path={folder / 'HR'}", f"--output_path={tmp_path / 'SR'}"),
    )
    assert said in line
