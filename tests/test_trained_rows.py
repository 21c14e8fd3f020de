"""evaluate.py does not praise a predictor for rows that it was trained on."""

import json
import shutil

import pytest

from dataloaders.ava import AVA, AVASettings
from score_predictors import evaluate
from score_predictors.trained_rows import find_trained_rows
from tests.scored_data import write_ava
from tests.scripts import run_here, succeed_here

# Of twelve rows; what is not trained on is validated on.
FIRST, SECOND = ("0,-4", "-4,0"), ("4,0", "0,4")


class Runs:
    """A training of AVA in small, and what may follow it."""

    def __init__(self, folder):
        self.folder = folder
        file, images = write_ava(folder / "AVA")
        self.data = (f"--ava_dataset_path={file}", f"--ava_image_path={images}")
        self.train("first.h5", FIRST, "--mobilenetv2_weights=none")

    def train(self, name, ranges, *flags):
        train, validate = ranges
        succeed_here(
            *("score_predictors/train.py", *self.data, f"--train_path={self.folder}"),
            *(f"--weight_filename={name}", f"--ava_train_range={train}"),
            *(f"--ava_validate_range={validate}", "--mobilenetv2_alpha=0.35"),
            *("--batch_size=8", "--input_patch_size=32", "--epochs=1", *flags),
        )

    def evaluate(self, weights, *flags):
        """What evaluate.py says; (stdout, stderr, names of the images measured)."""
        report = self.folder / "report.json"
        done = run_here(
            *("score_predictors/evaluate.py", *self.data, weights, *flags),
            *("--input_patch_size=32", f"--report_path={report}"),
        )
        assert done.returncode == 0, done.stderr
        images = json.loads(report.read_text())["images"]
        return done.stdout, done.stderr, [image["name"] for image in images]

    def make_loader(self, rows="-5000,0"):
        table, images = (flag.partition("=")[2] for flag in self.data)
        settings = AVASettings("0,-5000", rows, dataset_path=table, image_path=images)
        loader = AVA(settings)
        loader.select(("validate",))
        return loader


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))


def test_the_rows_that_the_training_validated_on_are_measured(runs):
    weights = runs.folder / "first.h5"
    said, warned, names = runs.evaluate(f"--restore_path={weights}")
    assert names == ["108", "109", "110", "111"] and warned == ""
    assert f"on the validation rows of the training of {weights}: " in said
    assert f"--ava_validate_range={FIRST[1]}." in said and "may have been" not in said


def test_a_range_that_is_given_is_measured_and_what_was_trained_on_warned_of(runs):
    weights = runs.folder / "first.h5"
    range_flag = "--ava_validate_range=-6,0"
    said, warned, names = runs.evaluate(f"--restore_path={weights}", range_flag)
    assert len(names) == 6 and "validation rows" not in said
    (line,) = warned.splitlines()
    assert f"was trained on 2 of the 6 rows to measure on ({range_flag}); the" in line


@pytest.mark.parametrize("name", ["first.h5", "first.best.h5"])
@pytest.mark.parametrize(("rows", "trained"), [("0,0", 8), ("0,1", 1), ("-4,0", 0)])
def test_both_files_of_a_run_know_its_rows(runs, capsys, name, rows, trained):
    loader, path = runs.make_loader(rows), runs.folder / name
    known = find_trained_rows(path, loader)
    assert (known.validate_range, known.unknown) == ("-4,0", None)
    evaluate.tell_trained(path, known, loader)
    said = capsys.readouterr()
    assert said.out == "" and (said.err != "") == (trained > 0)
    assert (
        not trained or f"{trained} of the {len(loader.ranges['validate'])}" in said.err
    )


def test_rows_of_the_training_before_count_too_whatever_a_later_start_names(runs):
    first = runs.folder / "first.h5"
    runs.train("second.h5", SECOND, f"--restore_path={first}")
    arguments = runs.folder / "second.arguments.json"
    for start in (str(first), None):
        assert json.loads(arguments.read_text())["restore_path"] == start
        loader = runs.make_loader("0,4")
        known = find_trained_rows(runs.folder / "second.h5", loader)
        assert known.trained == set(range(12)) and known.unknown is None
        assert known.validate_range == SECOND[1]
        if start is not None:
            runs.train("second.h5", SECOND, "--epochs=2")


def test_where_it_cannot_be_known_a_line_says_so(runs, tmp_path):
    for end in ("h5", "best.h5"):
        shutil.copy(runs.folder / f"first.{end}", tmp_path / f"a.{end}")
    moved, pb = tmp_path / "a.h5", tmp_path / "a.pb"
    flags = (f"--restore_path={moved}", f"--output_path={pb}")
    succeed_here("score_predictors/freeze.py", *flags)
    for weights, why in (
        (f"--restore_path={moved}", f"there is no record of a training beside {moved}"),
        (f"--model_name={pb}", "a frozen file has no record of its training"),
    ):
        said, warned, names = runs.evaluate(weights)
        assert len(names) == 12 and warned == ""
        path = weights.partition("=")[2]
        line = f"{path} may have been trained on some of the rows to measure on"
        assert f"{line}: {why}.\n" in said


def test_another_set_of_rows_is_not_taken_for_that_of_the_training(runs, tmp_path):
    table, images = write_ava(tmp_path, ids=range(101, 113))
    loader = AVA(AVASettings(",", ",", dataset_path=table, image_path=images))
    loader.select(("validate",))
    known = find_trained_rows(runs.folder / "first.h5", loader)
    assert (known.trained, known.validate_range) == (set(), None)
    assert "was trained on a data set of other rows" in known.unknown


def write_run(runs, folder, **changed):
    """Weights that are none, beside the arguments of the first run, changed."""
    arguments = json.loads((runs.folder / "first.arguments.json").read_text())
    (folder / "a.arguments.json").write_text(json.dumps(arguments | changed))
    return folder / "a.h5"


def test_a_run_on_another_database_trained_on_none_of_these_rows(runs, tmp_path):
    found = find_trained_rows(
        write_run(runs, tmp_path, dataloader="tid2013"), runs.make_loader()
    )
    assert (found.trained, found.validate_range, found.unknown) == (set(), None, None)


def test_a_run_that_began_with_what_it_replaced_is_not_followed_for_ever(
    runs, tmp_path
):
    weights = write_run(runs, tmp_path, first_restore_path=str(tmp_path / "a.h5"))
    found = find_trained_rows(weights, runs.make_loader())
    assert found.trained == set(range(8)) and found.validate_range == "-4,0"
    assert found.unknown == f"its training replaced {weights}, from which it started"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"dataloader": "ava"}'])
def test_a_record_that_says_nothing_is_none(runs, tmp_path, text):
    (tmp_path / "a.arguments.json").write_text(text)
    found = find_trained_rows(tmp_path / "a.h5", runs.make_loader())
    assert "no record of a training" in found.unknown and not found.trained


def test_without_its_file_of_arguments_a_runs_state_tells(runs, tmp_path):
    shutil.copytree(runs.folder / "first.state", tmp_path / "a.state")
    found = find_trained_rows(tmp_path / "a.h5", runs.make_loader())
    assert found.trained == set(range(8)) and found.unknown is None
