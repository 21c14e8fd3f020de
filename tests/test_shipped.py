"""The weights that lie in the repository: whole, good, used where none are named."""

import hashlib
import json
import re

import numpy as np
import pytest

from imaging.files import load_image, save_image
from models import offered, opening
from tests.scripts import ROOT, fail_here, succeed_here
from tests.small import SMALL_FLAGS
from training import checkpoints

MODELS = ("eusr", "4pp_eusr")
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
    title, table = CARD.partition("draw_shapes")[2].split("\n| --- ", 1)
    titles = title.splitlines()[-1].removeprefix("| ").removesuffix(" |").split(" | ")
    column = titles.index(column)
    rows = re.findall(r"^\| (x\d.*) \|$", table, re.M)
    cells = [row.split(" | ") for row in rows]
    return {
        row[0].removeprefix("x"): float(row[column])
        for row in cells
        if row[column] != "none"
    }


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
    others = {"README.md", "SHA256SUMS"}
    files = [p for p in FOLDER.rglob("*") if p.is_file() and p.name not in others]
    assert {str(path.relative_to(FOLDER)) for path in files} == set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    sizes = {path: path.stat().st_size for path in files}
    large = sum(size for path, size in sizes.items() if "large" in str(path))
    assert large <= 14e6 and sum(sizes.values()) - large <= 17e6


@pytest.mark.parametrize("folder", offered.SHIPPED)
def test_they_carry_the_network_and_nothing_of_the_run(folder):
    prefix = opening.find_shipped(folder)
    model = folder if folder in MODELS else "eusr"
    assert checkpoints.list_items(prefix) == {"generator", "state"}
    arguments = checkpoints.describe(prefix)
    limited = ["learned_scales"] if folder in ("4pp_eusr", "photo") else []
    faults = ["degradation_values"] if folder == "photo" else []
    assert sorted(arguments) == ["architecture", *faults, *limited, "model"]
    assert arguments["model"] == model
    assert checkpoints.read_step(prefix) == checkpoints.step_of(prefix) > 0


@pytest.mark.parametrize("model", MODELS)
def test_they_give_the_stated_psnr(drawn, tmp_path, model):
    report = tmp_path / "report.json"
    flags = () if model == "eusr" else (f"--model={model}",)
    scales = ["2", "4", "8"] if model == "eusr" else ["2", "4"]
    said = succeed_here(
        "validate.py",
        *(*flags, f"--scales={','.join(scales)}"),
        *(f"--data_truth_path={drawn / 'HR'}", f"--report_path={report}"),
    )
    assert f"Using the pretrained weights: pretrained/{model}/model.ckpt-" in said
    measured = json.loads(report.read_text())
    assert measured["restore_path"] == opening.find_shipped(model)
    assert measured["shave_size"] == 4
    for column in ("bicubic", f"`{model}`"):
        stated = read_stated(column)
        assert scales == [scale for scale in stated if scale in measured["scales"]]
        for scale in scales:
            values = measured["scales"][scale]
            values = values["bicubic"] if column == "bicubic" else values
            assert values["average"]["psnr_y"] == pytest.approx(
                stated[scale], abs=0.002
            )


def test_those_for_photographs_mend_faults(drawn, tmp_path):
    def measure(name):
        report = tmp_path / f"{name}.json"
        succeed_here(
            *("validate.py", f"--restore_path={FOLDER / name}", "--scales=2"),
            *("--degradation=photo", "--degradation_seed=3"),
            *(f"--data_truth_path={drawn / 'HR'}", f"--report_path={report}"),
        )
        found = json.loads(report.read_text())["scales"]["2"]
        averages = found["average"], found["bicubic"]["average"]
        return [average["psnr_y"] for average in averages]

    (photo, bicubic), (eusr, _) = measure("photo"), measure("eusr")
    assert photo > bicubic + 0.2 and photo > eusr + 0.2


@pytest.mark.parametrize(
    ("model", "flags"), [("eusr", ()), ("4pp_eusr", ("--model=4pp_eusr",))]
)
def test_a_picture_is_enlarged_where_no_weights_are_named(
    drawn, tmp_path, model, flags
):
    paths = (f"--input_path={drawn / 'HR'}", "--scale=3")
    target = f"--output_path={tmp_path / 'SR'}"
    said = succeed_here("test.py", *flags, *paths, target)
    assert f"Using the pretrained weights: pretrained/{model}/model.ckpt-" in said
    named = (f"--restore_path={FOLDER / model}", f"--output_path={tmp_path / 'named'}")
    assert "Using the pretrained" not in succeed_here("test.py", *paths, *named)
    pictures = [load_image(tmp_path / name / "shapes.png") for name in ("SR", "named")]
    assert pictures[0].shape == (576, 576, 3)
    np.testing.assert_array_equal(*pictures)


def test_the_two_can_be_mixed(drawn, tmp_path):
    flags = (f"--input_path={drawn / 'HR'}", f"--output_path={tmp_path}", "--scale=2")
    said = succeed_here("test.py", "--model=4pp_eusr", "--naturalness=0.5", *flags)
    assert "Mixing 50% of pretrained/4pp_eusr/model.ckpt-" in said
    assert "with 50% of pretrained/eusr/model.ckpt-" in said
    assert load_image(tmp_path / "shapes.png").shape == (384, 384, 3)


def test_a_frozen_file_that_was_not_named_is_pointed_out(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pb").touch()
    flags = (f"--input_path={drawn / 'HR'}", "--output_path=SR", "--scale=2")
    said = succeed_here("test.py", *flags, cwd=tmp_path)
    assert "model.pb exists but is not used; --model_name=model.pb uses" in said
    # Which is not below the present folder, and so is named in full.
    assert f"Using the pretrained weights: {FOLDER}/eusr/model.ckpt-" in said


def test_they_are_frozen_where_no_checkpoint_is_named(drawn, tmp_path):
    target = tmp_path / "model.pb"
    said = succeed_here("freeze.py", "--scales=2", f"--output_path={target}")
    assert "Using the pretrained weights" in said and "x2" in said
    assert target.stat().st_size < 8e6


@pytest.mark.parametrize(
    ("script", "flags", "model"),
    [
        ("test.py", (f"--input_path={ROOT / 'docs'}",), "eusr"),
        ("validate.py", ("--model=4pp_eusr", "--data_truth_path=HR"), "4pp_eusr"),
    ],
)
def test_weights_that_are_not_there_are_asked_for(
    tmp_path, monkeypatch, script, flags, model
):
    monkeypatch.setattr(opening, "SHIPPED", tmp_path)
    (tmp_path / "eusr").mkdir()  # As where only the files were removed.
    line = fail_here(script, *flags)
    where = tmp_path / model
    assert f"--model={model} needs trained weights, and none are in {where}." in line
    assert "Give --restore_path=CHECKPOINT" in line


def read_features():
    return checkpoints.describe(opening.find_shipped("eusr"))["architecture"][
        "conv_features"
    ]


def test_training_goes_on_from_them_without_naming_their_network(drawn, tmp_path):
    run, features = tmp_path / "run", read_features()
    flags = (*name_training(drawn, tmp_path), f"--train_path={run}", "--scales=2")
    start = (EUSR, "--restore_target=generator", "--max_steps=1")
    # What a run left that was killed before its first checkpoint says nothing.
    run.mkdir()
    (run / "arguments.json").write_text('{"eusr_conv_features": 4}')
    said = succeed_here("train.py", *flags, *start)
    assert f"Using the network settings of {FOLDER}/eusr/model.ckpt-" in said
    assert f"--eusr_conv_features={features}" in said
    # The run knows by itself; a flag that is given counts.
    said = succeed_here("train.py", *flags, "--max_steps=2")
    assert f"Using the network settings of {run}/model.ckpt-1: " in said
    line = fail_here("train.py", *flags, "--max_steps=3", "--eusr_conv_features=7")
    assert f"--eusr_conv_features was {features} and is 7" in line
    arguments = json.loads((run / "arguments.json").read_text())
    damaged = json.dumps(arguments | {"eusr_conv_features": "x"})
    (run / "arguments.json").write_text(damaged)
    line = fail_here("train.py", *flags, "--max_steps=3")
    assert f"--eusr_conv_features was x and is {features}" in line


def name_training(drawn, tmp_path):
    return (
        *(f"--data_truth_path={drawn / 'HR'}", f"--cache_path={tmp_path}"),
        *("--input_patch_size=8", "--batch_size=1", "--eusr_learning_rate=1e-6"),
    )


def test_a_network_of_fewer_scales_is_trained_at_these(drawn, tmp_path):
    flags = (*name_training(drawn, tmp_path), "--log_freq=1")
    succeed_here(
        *("train.py", *flags, *SMALL_FLAGS, "--max_steps=1"),
        f"--train_path={tmp_path / 'first'}",
    )
    said = succeed_here(
        *("train.py", *flags, "--max_steps=6", "--scale_weights=1,50"),
        *(f"--train_path={tmp_path / 'next'}", "--restore_target=generator"),
        f"--restore_path={tmp_path / 'first'}",
    )
    assert "--eusr_model_scales=2,4" in said and "Training eusr at x2, x4 on" in said
    assert said.count("  x4  loss") >= 5


def test_weights_are_handed_on_without_their_training(drawn, tmp_path):
    run, target = tmp_path / "run", tmp_path / "out" / "model.ckpt-1"
    succeed_here(
        *("train.py", *name_training(drawn, tmp_path), f"--train_path={run}"),
        *(EUSR, "--restore_target=generator", "--scales=2", "--max_steps=1"),
    )
    export = ("freeze.py", "--format=weights", f"--restore_path={run}")
    said = succeed_here(*export, f"--output_path={target}")
    assert "step 1" in said and "read back and is identical" in said
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "model.ckpt-1.data-00000-of-00001",
        "model.ckpt-1.index",
    ]
    assert checkpoints.list_items(target) == {"generator", "state"}
    reader, first = map(checkpoints.open_reader, (target, opening.find_shipped("eusr")))
    name = "generator/first_conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    moved = np.abs(reader.get_tensor(name) - first.get_tensor(name)).max()
    assert 0 < moved < 1e-5
    # The run itself is not written over, and weights alone are no run.
    for place, said in (
        (run / "model.ckpt-1", "is the checkpoint to read"),
        (run, "is a folder; name the checkpoint in it, for example"),
    ):
        assert said in fail_here(*export, f"--output_path={place}")
    flags = (*name_training(drawn, tmp_path), f"--train_path={target.parent}")
    line = fail_here("train.py", *flags, "--scales=2", "--max_steps=2")
    assert "holds only weights, and no state of a run" in line
