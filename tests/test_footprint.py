"""Whether a batch that is too large for the memory is refused before the training."""

import re
from types import SimpleNamespace

import keras
import pytest

from console.errors import InputError
from models import footprint
from models.base import Model
from models.footprint import check_memory, count_eusr, count_four_pass, count_pass
from models.four_pass_settings import FourPassTraining
from models.generator import Generator
from models.generator_settings import Architecture
from models.layers import Convolution
from tests.pictures import write_pictures
from tests.scripts import fail_here, run_here
from tests.small import SMALL_FLAGS

GIGABYTE = 10**9


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("blocks", [(1, 1), (3, 2)])
def test_what_a_pass_keeps_is_what_its_convolutions_take(scale, blocks, monkeypatch):
    architecture = Architecture((scale,), 4, *blocks)
    taken, call = [], Convolution.call

    def call_and_note(layer, x):
        if x.shape[-1] != 3:  # The picture itself.
            taken.append(x.shape[1] * x.shape[2] * x.shape[3])
        return call(layer, x)

    monkeypatch.setattr(Convolution, "call", call_and_note)
    generator = Generator(architecture)
    generator(keras.ops.zeros((1, 2, 2, 3)), scale=scale)
    assert count_pass(architecture, scale) == 4 * sum(taken) / (2 * 2)


def test_half_precision_takes_half_but_for_the_last_features():
    architecture = Architecture(conv_features=10)
    half = count_pass(architecture, 8, "bfloat16")
    assert half == count_pass(architecture, 8) / 2 + 4 * 64 * 10


def test_four_passes_keep_all_of_them_and_what_judges():
    architecture = Architecture()
    nothing = {f"weight_l{kind}{what}": 0 for kind in "as" for what in "sr"}
    alone = FourPassTraining(passes=(8,), weight_lg=0, **nothing)
    assert count_four_pass(architecture, alone) == count_eusr(architecture, (2, 4, 8))
    judged = FourPassTraining(passes=(8,))
    three = FourPassTraining()
    assert count_four_pass(architecture, judged) > count_four_pass(architecture, alone)
    more = count_pass(architecture, 2) * 5 + count_pass(architecture, 4)
    added = count_four_pass(architecture, three) - count_four_pass(architecture, judged)
    assert added > more


def make_loader(batch_size, scales=(2,)):
    settings = SimpleNamespace(batch_size=batch_size, lr_patch_size=10)
    return SimpleNamespace(settings=settings, scales=scales)


def test_the_batch_that_would_fit_fits(monkeypatch):
    monkeypatch.setattr(footprint, "free_memory", lambda: 20 * GIGABYTE)
    with pytest.raises(InputError) as caught:
        check_memory(make_loader(4096), 300_000, replicas=4)
    assert str(caught.value) == (
        "--batch_size=4096: a training step with --input_patch_size=10 takes 123 GB or "
        "more, and 20.0 GB of memory are free; --batch_size=332 should fit."
    )
    check_memory(make_loader(332), 300_000, replicas=4)
    check_memory(make_loader(4096), 300_000, workers=8)
    with pytest.raises(InputError, match="reduce both"):
        check_memory(make_loader(1), GIGABYTE)


def test_a_model_that_does_not_know_is_held_to_the_size_of_the_patches(monkeypatch):
    assert Model().count_step_memory((2,)) is None
    # Ten times 3 bytes for each of an LR pixel and its 64 HR pixels.
    needed = 10 * 3 * (1 + 64) * 10 * 10 * 5
    monkeypatch.setattr(footprint, "free_memory", lambda: needed)
    check_memory(make_loader(5, (2, 8)), None)
    with pytest.raises(InputError, match="--batch_size=2 should fit"):
        check_memory(make_loader(6, (2, 8)), None)


def test_nothing_is_said_where_nothing_is_known_of_the_memory(monkeypatch):
    monkeypatch.setattr(footprint, "free_memory", lambda: None)
    check_memory(make_loader(10**9), GIGABYTE)


def train(folder, *more):
    write_pictures(folder / "HR", [(64, 64)])
    return (
        *("train.py", f"--data_truth_path={folder}/HR", f"--train_path={folder}/run"),
        *(f"--cache_path={folder}/cache", "--input_patch_size=8", *more),
    )


def test_training_refuses_it_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(footprint, "free_memory", lambda: 24 * GIGABYTE)
    # Whose pixels alone are 51 MB.
    line = fail_here(*train(tmp_path, "--batch_size=4096", "--scales=8"))
    assert re.search(r"takes 34\.4 GB or more, and 24\.0 GB", line)
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "run" / "arguments.json").exists()


def test_a_gpu_has_a_memory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(footprint, "free_memory", lambda: 1)
    small = ("--max_steps=1", "--scales=2", "--batch_size=2", *SMALL_FLAGS)
    assert "1 bytes of memory" in fail_here(*train(tmp_path, *small))
    monkeypatch.setattr("training.devices.choose", lambda *_: "GPU 0")
    done = run_here(*train(tmp_path, *small))
    assert done.returncode == 0, done.stderr
