"""Pictures of other programs, measured by validate.py as a model's would be."""

import csv
import json

import numpy as np
import pytest
import scipy.io

from console.errors import InputError
from dataloaders.pairs import find_pairs
from dataloaders.sources import make_sources
from dataloaders.sr_pictures import SRPictures
from imaging.files import load_image, save_image
from imaging.imresize import make_lr
from metrics.niqe import FEATURES
from tests.measured import Reader
from tests.pictures import draw_picture, write_pictures
from tests.scripts import fail_here, run_here, succeed_here


def fill(folder, *names, size=(40, 52)):
    """Writes a picture under each name."""
    for seed, name in enumerate(names):
        save_image(folder / name, draw_picture(*size, seed))
    return folder


def find(folder, truth, scales=(4,), **options):
    """What is found of the HR images, from a scale to the files' names by HR name."""
    pictures = SRPictures(folder, scales, **options)
    pictures.find(find_pairs(make_sources(truth, None), scales), scales)
    return {
        scale: {name: path.name for name, path in paths.items()}
        for scale, paths in pictures.paths.items()
    }


def test_saved_pictures_have_the_values_that_they_were_saved_with(tmp_path):
    # Sides that no scale divides.
    truth = write_pictures(tmp_path / "HR", [(107, 203), (113, 207)])
    niqe = {"mu_prisparam": np.ones(FEATURES), "cov_prisparam": np.eye(FEATURES)}
    scipy.io.savemat(tmp_path / "niqe.mat", niqe)
    command = (
        *("validate.py", f"--data_truth_path={truth}", "--scales=2,4"),
        *(f"--niqe_model_path={tmp_path / 'niqe.mat'}", "--measure_grid"),
    )
    saved = tmp_path / "Saved"
    reports = []
    for measured in ("save", "data_sr"):
        paths = {k: tmp_path / f"{measured}.{k}" for k in ("json", "csv", "html")}
        said = succeed_here(
            *(*command, f"--{measured}_path={saved}", f"--csv_path={paths['csv']}"),
            *(f"--report_path={paths['json']}", f"--report={paths['html']}"),
        )
        reports.append(json.loads(paths["json"].read_text()))
    assert reports[0]["scales"] == reports[1]["scales"]
    assert set(reports[1]["scales"]["4"]["average"]) >= {"psnr_y", "niqe", "grid"}
    assert "niqe  bicubic        grid  bicubic\n" in said
    assert "Saved x4" in said and "weights" not in said
    assert reports[1]["model"] == "Saved"
    assert reports[1]["data_sr_path"] == str(saved)
    assert reports[1]["step"] is reports[1]["precision"] is None
    with open(paths["csv"], encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    assert {row["model"] for row in rows} == {"Saved", "bicubic"}
    assert all(float(row["grid"]) > 0 for row in rows)
    page = Reader(paths["html"].read_bytes()).data
    assert all("grid" in values for values in page["scales"][0]["averages"])
    assert page["title"] == "Saved x2, x4 on HR"
    facts = dict(page["facts"])
    assert facts["pictures"] == str(saved) and "checkpoint" not in facts


@pytest.mark.parametrize(
    "ending", ["", "x4", "_x4", "-X4", "_SR", "-sr", "x4_SR", "_x4_SR", "_sr_x4"]
)
def test_pictures_are_found_by_the_endings_that_programs_write(tmp_path, ending):
    truth = fill(tmp_path / "HR", "a_b.png")
    fill(tmp_path / "SR", f"a_b{ending}.png")
    assert find(tmp_path / "SR", truth) == {4: {"a_b": f"a_b{ending}.png"}}


def test_an_ending_of_another_scale_is_no_match(tmp_path):
    truth = fill(tmp_path / "HR", "a.png")
    fill(tmp_path / "SR", "a_x2.png")
    with pytest.raises(InputError, match=r"SR has no picture of a\.png .*_x4_sr"):
        find(tmp_path / "SR", truth)


def test_a_picture_of_an_hr_images_very_name_is_of_that_one(tmp_path):
    names = ("a.png", "a_SR.png")
    truth, folder = fill(tmp_path / "HR", *names), fill(tmp_path / "SR", *names)
    assert find(folder, truth) == {4: {"a": "a.png", "a_SR": "a_SR.png"}}


@pytest.mark.parametrize(
    ("hr", "sr", "said"),
    [
        (["a.png"], ["a.png", "a_x4.png"], r"a\.png and a_x4\.png both match"),
        (["a.png"], ["a.png", "a.bmp"], r"a\.bmp and a\.png have the same name"),
        (
            ["a.png", "ax4.png"],
            ["ax4_SR.png"],
            r"ax4_SR\.png matches two HR images, (a|ax4)\.png and (a|ax4)\.png",
        ),
        (["a.png", "b.png"], ["a.png"], r"no picture of b\.png .* \(1 of 2 missing\)"),
    ],
)
def test_pictures_that_are_missing_or_might_be_of_two_are_refused(
    tmp_path, hr, sr, said
):
    truth, folder = fill(tmp_path / "HR", *hr), fill(tmp_path / "SR", *sr)
    with pytest.raises(InputError, match=said):
        find(folder, truth)


@pytest.mark.parametrize("size", [(41, 55), (40, 52), (44, 56)])
def test_a_picture_is_whole_or_as_large_as_its_lr_image_makes_it(tmp_path, size):
    truth = fill(tmp_path / "HR", "a.png", size=(41, 55))
    pictures = SRPictures(fill(tmp_path / "SR", "a.png", size=size), (4,))
    pictures.find(find_pairs(make_sources(truth, None), (4,)), (4,))
    lr = make_lr(load_image(truth / "a.png"), 4)
    # What it has beyond the reach of a model is not measured.
    sr = pictures.make_sr("a", lr, 4)
    whole = load_image(tmp_path / "SR" / "a.png")
    np.testing.assert_array_equal(sr, whole[:40, :52])


@pytest.mark.parametrize(
    ("size", "border"),
    [((32, 44), 4), ((20, 32), 10), ((40, 50), None), ((10, 13), None)],
)
def test_a_picture_of_another_size_is_refused_and_shaving_recognised(
    tmp_path, size, border
):
    truth = fill(tmp_path / "HR", "a.png", size=(41, 55))
    folder = fill(tmp_path / "SR", "a.png", size=size)
    with pytest.raises(InputError) as error:
        find(folder, truth)
    line = str(error.value)
    assert f"{folder / 'a.png'} is {size[1]}x{size[0]}, but " in line
    assert "is 55x41: at x4 expected 52x40." in line
    assert ("were already cut off" in line) == (border is not None)
    assert border is None or f"seems that {border} pixels were" in line


def test_the_scales_are_those_of_the_folders(tmp_path):
    fill(tmp_path / "SR" / "x4", "a.png")
    fill(tmp_path / "SR" / "X2", "a.png")
    pictures = SRPictures(tmp_path / "SR")
    assert (pictures.name, pictures.default_scales) == ("SR", (2, 4))
    with pytest.raises(InputError, match=r"no folder x8 \(its folders: x2, x4\)"):
        SRPictures(tmp_path / "SR", (4, 8))
    truth = fill(tmp_path / "HR", "a.png")
    assert find(tmp_path / "SR", truth, (2,)) == {2: {"a": "a.png"}}


def test_the_scale_of_a_flat_folder_is_given_or_follows(tmp_path):
    flat, named = tmp_path / "flat", tmp_path / "RCAN" / "x4"
    for folder in (flat, named, tmp_path / "LR" / "x8"):
        fill(folder, "a.png")
    assert SRPictures(flat, (3,)).scales == (3,)
    assert SRPictures(flat, input_paths=[tmp_path / "LR"]).scales == (8,)
    pictures = SRPictures(named, input_paths=[tmp_path / "LR"])
    assert (pictures.name, pictures.scales) == ("RCAN", (4,))
    fill(tmp_path / "LR" / "x2", "a.png")
    for folder, scales, found in (
        (flat, None, "2,8"),
        (flat, (2, 4), "2,4"),
        (flat, (0,), "0"),
        (named, (2,), "2"),
    ):
        with pytest.raises(InputError, match=f"one scale, but found {found};"):
            SRPictures(folder, scales, [tmp_path / "LR"])
    with pytest.raises(InputError, match="but found no scale; give that scale"):
        SRPictures(flat)
    with pytest.raises(InputError, match="nothing: does not exist; expected a folder"):
        SRPictures(tmp_path / "nothing")


def test_pictures_that_are_not_measured_are_named(tmp_path, capsys):
    truth = fill(tmp_path / "HR", "a.png")
    folder = fill(tmp_path / "SR", "old.png")
    fill(folder / "x4", "a_x4.png", "a_LR.png")
    find(folder, truth)
    beside, of_none = capsys.readouterr().err.splitlines()
    assert "1 pictures beside x4 are left out: old.png." in beside
    assert "1 pictures without an HR image at x4 are left out: a_LR.png" in of_none


def test_a_folder_called_as_the_baseline_is_told_from_it(tmp_path):
    truth = fill(tmp_path / "HR", "a.png", "b.png")
    fill(tmp_path / "bicubic" / "x4", "b.png", "a.png")  # Each is the other's.
    report = tmp_path / "report.json"
    succeed_here(
        *("validate.py", f"--data_truth_path={truth}", f"--report_path={report}"),
        f"--data_sr_path={tmp_path / 'bicubic'}",
    )
    found = json.loads(report.read_text())
    assert found["model"] == "bicubic (pictures)" and list(found["scales"]) == ["4"]
    measured = found["scales"]["4"]
    assert measured["bicubic"]["average"] != measured["average"]


def test_lr_images_of_one_scale_tell_that_of_pictures(tmp_path):
    truth = write_pictures(tmp_path / "HR", [(64, 64)])
    save_image(tmp_path / "LR" / "x4" / "0.png", make_lr(draw_picture(64, 64), 4))
    save_image(tmp_path / "SR" / "0.png", draw_picture(64, 64) // 2)
    report = tmp_path / "report.json"
    succeed_here(
        *("validate.py", f"--data_truth_path={truth}", f"--data_sr_path={tmp_path}/SR"),
        *(f"--data_input_path={tmp_path / 'LR'}", f"--report_path={report}"),
    )
    assert list(json.loads(report.read_text())["scales"]) == ["4"]


def test_flags_of_a_model_are_refused_beside_pictures(tmp_path):
    folder = fill(tmp_path / "SR", "a.png")
    command = ("validate.py", f"--data_sr_path={folder}", "--scales=4")
    given = ("--model=eusr", "--restore_path=train", "--restore_target=generator")
    line = fail_here(*command, *given, "--precision=bfloat16")
    assert line.endswith(
        "without a model; leave out --model, --restore_path, --restore_target, "
        "--precision."
    )
    for flag in ("--save_path=out", "--nouse_ema", "--restore_global_step=3"):
        assert "without a model; leave out --" in fail_here(*command, flag)


def test_a_damaged_picture_is_told_in_one_line(tmp_path):
    truth = fill(tmp_path / "HR", "a.png")
    picture = fill(tmp_path / "SR", "a.png") / "a.png"
    picture.write_bytes(picture.read_bytes()[:1000])
    done = run_here(
        *("validate.py", f"--data_truth_path={truth}", "--scales=2"),
        f"--data_sr_path={tmp_path / 'SR'}",
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {picture}")
