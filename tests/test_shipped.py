"""The weights that lie in the repository: whole, good, used where none are named."""

import hashlib
import json
import re

import numpy as np
import pytest

from imaging.files import load_image, save_image
from models import shipped
from tests.scripts import ROOT, fail_here, succeed_here
from training import checkpoints

FOLDER = ROOT / "pretrained"
CARD = (FOLDER / "README.md").read_text()
EUSR = f"--restore_path={FOLDER / 'eusr'}"


def draw_shapes(side=192):
    """Discs, bars and a fan of lines with smooth edges, uint8 (H, W, 3)."""
    y, x = np.mgrid[:side, :side] + 0.5
    picture = np.stack([90 + 0.3 * y, 120 - 0.2 * x, 100 + 0.2 * (x - y)], -1)

    def paint(signed_distance, colour):
        covered = np.clip(0.5 - signed_distance, 0, 1)[..., None]
        picture[:] = picture * (1 - covered) + covered * np.array(colour)

    for row, column, radius, colour in (
        (50, 55, 34, (230, 210, 60)),
        (60, 140, 22.5, (30, 60, 160)),
        (60, 140, 9, (240, 240, 240)),
    ):
        paint(np.hypot(y - row, x - column) - radius, colour)
    for index in range(6):
        centre = 20 + 13 * index
        paint(np.abs(0.8 * x + 0.6 * y - 130 - centre) - 3, (40, 30 * index, 60))
    angle = np.arctan2(y - 150, x - 130)
    spokes = np.abs((angle * 20 / np.pi) % 2 - 1) - 0.5
    inside = np.hypot(y - 150, x - 130) - 36
    width = np.hypot(y - 150, x - 130) * np.pi / 20
    paint(np.maximum(spokes * width, inside), (250, 250, 245))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def read_stated(column):
    """What the card states of the drawn picture, from a scale to a number."""
    rows = re.findall(r"^\| x(\d) \|(.*)\|$", CARD.partition("draw_shapes")[2], re.M)
    return {scale: float(cells.split("|")[column]) for scale, cells in rows}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    save_image(folder / "HR" / "shapes.png", draw_shapes())
    return folder


def test_the_files_are_those_of_the_checksums():
    sums = dict(
        reversed(line.split())
        for line in (FOLDER / "SHA256SUMS").read_text().splitlines()
    )
    files = [path for path in FOLDER.rglob("model.ckpt*") if path.is_file()]
    assert {str(path.relative_to(FOLDER)) for path in files} == set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    assert sum(path.stat().st_size for path in files) <= 8e6


def test_they_carry_the_network_and_nothing_of_the_run():
    prefix = shipped.find("eusr")
    assert checkpoints.list_roots(prefix) == {"generator", "state"}
    arguments = checkpoints.describe(prefix)
    assert sorted(arguments) == ["architecture", "model"]
    assert checkpoints.read_step(prefix) == checkpoints.step_of(prefix) > 0


def test_they_give_the_stated_psnr(drawn):
    report = drawn / "report.json"
    said = succeed_here(
        "validate.py",
        *(f"--data_truth_path={drawn / 'HR'}", f"--report_path={report}"),
    )
    assert "Using the weights that ship: pretrained/eusr/model.ckpt-" in said
    measured = json.loads(report.read_text())
    assert measured["restore_path"] == shipped.find("eusr")
    assert measured["shave_size"] == 4
    for column, name in enumerate(("bicubic", "ours")):
        stated = read_stated(column)
        assert sorted(stated) == ["2", "4", "8"]
        for scale, psnr in stated.items():
            values = measured["scales"][scale]
            values = values["bicubic"] if name == "bicubic" else values
            assert values["average"]["psnr_y"] == pytest.approx(psnr, abs=0.002)


def test_a_picture_is_enlarged_where_no_model_is_named(drawn, tmp_path):
    flags = (f"--input_path={drawn / 'HR'}", "--scale=3")
    said = succeed_here("test.py", *flags, f"--output_path={tmp_path / 'SR'}")
    assert "Using the weights that ship: pretrained/eusr/model.ckpt-" in said
    named = (EUSR, f"--output_path={tmp_path / 'named'}")
    assert "that ship" not in succeed_here("test.py", *flags, *named)
    pictures = [load_image(tmp_path / name / "shapes.png") for name in ("SR", "named")]
    assert pictures[0].shape == (576, 576, 3)
    np.testing.assert_array_equal(*pictures)


def test_a_frozen_file_that_was_not_named_is_pointed_out(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pb").touch()
    flags = (f"--input_path={drawn / 'HR'}", "--output_path=SR", "--scale=2")
    said = succeed_here("test.py", *flags, cwd=tmp_path)
    assert "model.pb is here but was not named: --model_name=model.pb would" in said
    # Which is not below the present folder, and so is named in full.
    assert f"Using the weights that ship: {FOLDER}/eusr/model.ckpt-" in said


def test_they_are_frozen_where_no_checkpoint_is_named(drawn, tmp_path):
    target = tmp_path / "model.pb"
    said = succeed_here("freeze.py", "--scales=2", f"--output_path={target}")
    assert "Using the weights that ship" in said and "x2" in said
    assert target.stat().st_size < 8e6


def test_a_model_whose_weights_do_not_ship_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    line = fail_here("validate.py", "--model=eusr", "--data_truth_path=HR")
    assert "--model=eusr needs trained weights: give --restore_path=CHECKPOINT" in line
    assert f"({tmp_path} has weights of no model.)" in line


def test_training_goes_on_from_them_without_naming_their_network(drawn, tmp_path):
    flags = (
        *(f"--data_truth_path={drawn / 'HR'}", f"--train_path={tmp_path / 'run'}"),
        *(f"--cache_path={tmp_path}", "--scales=2", "--input_patch_size=8"),
        *("--batch_size=1", "--eusr_learning_rate=1e-6"),
    )
    start = (EUSR, "--restore_target=generator", "--max_steps=1")
    said = succeed_here("train.py", *flags, *start)
    assert f"The network is that of {FOLDER}/eusr/model.ckpt-" in said
    architecture = checkpoints.describe(shipped.find("eusr"))["architecture"]
    features = f"--eusr_conv_features={architecture['conv_features']}"
    assert features in said
    # The run knows by itself; a flag that is given still counts.
    said = succeed_here("train.py", *flags, "--max_steps=2")
    assert f"The network is that of the run in {tmp_path / 'run'}: " in said
    more = (*flags, "--max_steps=3", "--eusr_conv_features=7")
    line = fail_here("train.py", *more)
    assert f"--eusr_conv_features was {architecture['conv_features']} and is 7" in line
    # Nothing is lost on the way from the first weights to a file to hand on.
    target = tmp_path / "out" / "model.ckpt-2"
    said = succeed_here(
        "misc/export_weights.py",
        *(f"--restore_path={tmp_path / 'run'}", f"--output_path={target}"),
    )
    assert "step 2" in said and "read back, it is the same" in said
    assert checkpoints.list_roots(target) == {"generator", "state"}
    reader, first = map(checkpoints.open_reader, (target, shipped.find("eusr")))
    name = "generator/first_conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    moved = np.abs(reader.get_tensor(name) - first.get_tensor(name)).max()
    assert 0 < moved < 1e-5
