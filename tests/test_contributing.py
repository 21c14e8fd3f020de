"""What CONTRIBUTING.md shows, led through every script as its reader would."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dataloaders import PAIRED
from imaging.files import load_image, save_image
from imaging.imresize import make_lr
from models import MODELS
from models.opening import open_model
from score_predictors import PREDICTORS
from tests import forked
from tests.pictures import write_pictures
from tests.scored_data import write_tid2013
from tests.scripts import ROOT, fail_here, run_here, succeed_here
from training.options import StepOptions

NETWORK = ("--edsr_features=4", "--edsr_blocks=1")
SMALL_EUSR = ("--eusr_conv_features=4", "--eusr_shared_blocks=1")
SIZES = ("--batch_size=2", "--input_patch_size=8")


def blocks():
    """The code blocks of the page: from the file that each is saved as to its text."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = re.findall(r"[Ss]ave\s+it\s+as\s+`([\w/]+)\.py`", text)
    return dict(zip(files, re.findall(r"```python\n(.*?)```", text, re.S), strict=True))


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory):
    """Saves the files and adds their lines, as far as that goes in one process."""
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a process of its own would not know the models")
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        for file, code in blocks().items():
            name = f"own_{Path(file).name}"
            (folder / f"{name}.py").write_text(code)
            patch.delitem(sys.modules, name, raising=False)
        patch.setitem(MODELS, "edsr", "own_edsr:EDSR")
        patch.setitem(PAIRED, "side_by_side", "own_side_by_side:SideBySide")
        patch.setitem(PREDICTORS, "small", "own_small:Small")
        yield


@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("models/edsr", 60),
        ("dataloaders/side_by_side", 40),
        ("score_predictors/small", 40),
    ],
)
def test_an_addition_is_short(file, most):
    assert 10 < len(blocks()[file].splitlines()) <= most


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_pictures(
        tmp_path_factory.mktemp("images") / "HR", [(96, 84), (72, 96)]
    )


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    """A run of the model, stopped once and gone on with, and what it said."""
    folder = tmp_path_factory.mktemp("run")
    start = (
        "train.py",
        "--model=edsr",
        f"--data_truth_path={images}",
        *SIZES,
        *NETWORK,
    )
    start += (f"--train_path={folder}", f"--cache_path={folder}/cache", "--save_freq=2")
    start += ("--ema_decay=0.9", "--deterministic", "--edsr_learning_rate=1e-3")
    succeed_here(*start, "--max_steps=2")
    assert "Resuming from" in succeed_here(*start, "--max_steps=4")
    return folder, start


def test_a_run_that_goes_on_is_that_which_was_not_stopped(trained, tmp_path):
    folder, start = trained
    start = (*start, f"--train_path={tmp_path}", "--max_steps=4")
    succeed_here(*start)
    ours, theirs = (
        tf.train.load_checkpoint(str(path / "model.ckpt-4"))
        for path in (folder, tmp_path)
    )
    items = ("generator/", "generator_optimizer/", "ema/")
    names = [n for n in ours.get_variable_to_shape_map() if n.startswith(items)]
    # The mean, and kernel and bias of 1 + 3 + 1 + 1 + 2 + 3 convolutions.
    assert len([n for n in names if n.startswith("ema/")]) == 1 + 2 * 11
    for name in names:
        np.testing.assert_array_equal(ours.get_tensor(name), theirs.get_tensor(name))


def test_every_scale_is_measured(trained, images, tmp_path):
    folder, _ = trained
    flags = (f"--restore_path={folder}", f"--data_truth_path={images}")
    succeed_here("validate.py", *flags, f"--report_path={tmp_path}/report.json")
    measured = json.loads((tmp_path / "report.json").read_text())["scales"]
    assert set(measured) == {"2", "3", "4"}


@pytest.mark.parametrize("flag", ["--precision=bfloat16", "--jit_compile"])
def test_precision_and_xla_reach_the_network(trained, tmp_path, flag):
    _, start = trained
    start = (*start, f"--train_path={tmp_path}", "--max_steps=1", "--scales=3")
    # It may be told that the processor is none for bfloat16.
    done = run_here(*start, flag)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.ckpt-1.index").exists()
    if "bfloat16" in flag:
        half = open_model(tmp_path, options=StepOptions(precision="bfloat16"))
        assert half.generator.body.last.compute_dtype == "bfloat16"
        assert half.forward(tf.zeros((1, 8, 8, 3)), 3).dtype == tf.float32


def test_frozen_in_every_format_and_tiled_it_makes_the_same_picture(
    trained, images, tmp_path
):
    folder, _ = trained
    lr = load_image(images / "0.png")
    model = open_model(folder)
    for form in ("pb", "saved_model", "onnx", "tflite"):
        out = tmp_path / {"pb": "m.pb", "onnx": "m.onnx", "tflite": "m.tflite"}.get(
            form, "saved"
        )
        scales = "--scales=2,3,4" if form == "pb" else "--scales=3"
        flags = (f"--restore_path={folder}", f"--output_path={out}", scales)
        succeed_here("freeze.py", *flags, f"--format={form}")
        assert out.exists()
    for scale in (2, 3, 4):
        save = tmp_path / f"x{scale}"
        flags = (f"--input_path={images / '0.png'}", f"--scale={scale}")
        flags += (f"--model_name={tmp_path}/m.pb", "--tile_size=32")
        succeed_here("test.py", *flags, f"--output_path={save}")
        expected = model.upscale(lr, scale)
        assert expected.shape == (96 * scale, 84 * scale, 3)
        assert np.abs(load_image(save / "0.png") - expected.astype(int)).max() <= 1


def test_two_devices_take_the_steps_of_one(trained, tmp_path):
    folder, start = trained
    own = str(Path(sys.modules["own_edsr"].__file__).parent)
    # Two GPUs are what a user has in the place of these.
    program = (
        f"import runpy, sys; sys.path[:0] = [{own!r}, {str(ROOT)!r}]\n"
        "from models import MODELS; MODELS['edsr'] = 'own_edsr:EDSR'\n"
        "from tests.replicas_program import make_mirrored\n"
        "from training import replicas; replicas.make_team = lambda: make_mirrored(2)\n"
        f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')\n"
    )
    flags = (*start[1:], f"--train_path={tmp_path}", "--max_steps=2")
    done = forked.run(["-c", program, *flags])
    assert done.returncode == 0, done.stderr
    one, two = (
        tf.train.load_checkpoint(str(path / "model.ckpt-2"))
        for path in (folder, tmp_path)
    )
    for name in one.get_variable_to_shape_map():
        if name.startswith("generator/") and "VARIABLE_VALUE" in name:
            np.testing.assert_allclose(
                two.get_tensor(name), one.get_tensor(name), rtol=1e-3, atol=1e-5
            )


def test_images_side_by_side_are_found_and_their_sizes_checked(images, tmp_path):
    folder = tmp_path / "both"
    folder.mkdir()
    for path in images.iterdir():
        hr = load_image(path)
        save_image(folder / f"{path.stem}_HR.png", hr)
        save_image(folder / f"{path.stem}_LRx3.png", make_lr(hr, 3))
    start = ("--dataloader=side_by_side", f"--data_truth_path={folder}", "--scales=3")
    train = ("train.py", *start, *SIZES, "--eusr_model_scales=3", "--max_steps=2")
    train += SMALL_EUSR
    train += (f"--cache_path={tmp_path}/cache", f"--train_path={tmp_path}/run")
    assert "_LRx3" not in succeed_here(*train)
    measure = ("validate.py", f"--restore_path={tmp_path}/run", *start)
    assert "eusr x3" in succeed_here(*measure)


def test_a_predictor_is_trained_measured_frozen_and_used(tmp_path):
    images = write_tid2013(tmp_path / "tid2013")
    flags = (f"--tid2013_image_path={images}", "--tid2013_validate_range=0,4")
    start = ("score_predictors/train.py", "--model=small", *flags, "--batch_size=4")
    start += ("--small_features=4", "--input_patch_size=32", f"--train_path={tmp_path}")
    start += (
        "--tid2013_train_range=4,0",
        "--weight_filename=s.h5",
        "--ema_decay=0.9",
        "--dataloader=tid2013",
    )
    succeed_here(*start, "--epochs=1")
    assert "Resuming from" in succeed_here(*start, "--epochs=2")
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 3
    done = run_here(*start, "--weight_filename=h.h5", "--precision=bfloat16")
    assert done.returncode == 0, done.stderr
    restore = ("--model=small", f"--restore_path={tmp_path}/s.h5")
    measure = ("--dataloader=tid2013", *flags, "--input_patch_size=32")
    succeed_here("score_predictors/evaluate.py", *restore, *measure)
    frozen = f"--output_path={tmp_path}/s.pb"
    assert "exactly" in succeed_here("score_predictors/freeze.py", *restore, frozen)
    images = write_pictures(tmp_path / "SR", [(40, 52)])
    scores = [
        succeed_here(
            "score_predictors/predict.py", *given, f"--input_path={images}"
        ).splitlines()[-1]
        for given in (restore, (f"--model_name={tmp_path}/s.pb",))
    ]
    assert scores[0] == scores[1]


def test_mistakes_with_them_get_a_line(images, tmp_path):
    paths = (f"--data_truth_path={images}", f"--train_path={tmp_path}/run")
    assert "Received scale 5" in fail_here(
        "train.py", "--model=edsr", *paths, *SIZES, *NETWORK, "--edsr_scales=5"
    )
    beside = ("--dataloader=side_by_side", *paths, *SIZES, *SMALL_EUSR)
    assert "found no HR images" in fail_here("train.py", *beside)
    more = fail_here("train.py", *beside, f"--data_input_path={images}")
    assert "leave the flag out" in more
