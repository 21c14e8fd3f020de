"""Names that users' files and commands rest on: each flag, tensor, column and key.

`tests/recorded` holds them as they were when somebody last meant to change them:
`python -m tests.test_recorded` writes them anew.
"""

import contextlib
import csv
import hashlib
import json
import tempfile
from pathlib import Path
from unittest import mock

import h5py
import pytest
import tensorflow as tf

from frozen import graphs
from models import MODELS
from tests import flags_page
from tests.declared import list_declared
from tests.four_pass import SMALL_FLAGS, write_predictor
from tests.pictures import write_pictures
from tests.scored_data import write_ava
from tests.scripts import ROOT, run_here
from training import arguments, checkpoints

RECORDED = ROOT / "tests" / "recorded"

SCRIPTS = {
    "train.py": [f"--model={name}" for name in ("eusr", "4pp_eusr")],
    "validate.py": [f"--model={name}" for name in MODELS],
    "freeze.py": [""],
    "test.py": [""],
    "score_predictors/train.py": ["--dataloader=ava", "--dataloader=tid2013"],
    "score_predictors/evaluate.py": ["--dataloader=ava", "--dataloader=tid2013"],
    "score_predictors/freeze.py": [""],
    "score_predictors/predict.py": [""],
    "misc/downscale_generator.py": [""],
    "misc/draw_tradeoff.py": [""],
    "misc/import_weights.py": [""],
}


def list_flags():
    """A line for each flag of each script."""
    for script, choices in SCRIPTS.items():
        for choice in choices:
            declared = list_declared(script, *filter(None, [choice]))
            for name, each in declared.items():
                words = script, choice, f"--{name}={each.default}"
                yield " ".join(filter(None, (*words, each.flag.flag_type())))


def start(script, *arguments):
    """Runs a script that has to end well, whatever it warns of."""
    done = run_here(script, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout


class Road:
    """A folder in which each kind of file is made once, as small as can be."""

    def __init__(self, folder):
        """Makes what is trained on."""
        self.folder = folder
        write_pictures(folder / "HR", [(72, 80), (80, 72)])
        write_ava(folder / "AVA")
        self.predictors = [
            f"--eusr_{name}_nima_path={write_predictor(folder / f'{name}.pb')}"
            for name in ("aesthetic", "subjective")
        ]
        # From what is trained to how each of its arguments may change.
        self.may_change = {}

    @contextlib.contextmanager
    def _compared(self, name):
        """Remembers how arguments may change, as a script says when a run goes on."""

        def remember(run, before, now, changes, *_, **__):
            self.may_change[name] = {key: changes.get(key, "no") for key in now}

        with mock.patch.object(arguments, "check_same_run", remember):
            yield

    def train(self, name, *more):
        """Trains a model for a step, and asks for it again; returns its folder.

        The second start compares all arguments and then has nothing to do.
        """
        folder = self.folder / name
        flags = [
            *(f"--model={name}", f"--data_truth_path={self.folder / 'HR'}"),
            *(f"--train_path={folder}", f"--cache_path={self.folder / 'cache'}"),
            *(*SMALL_FLAGS, "--batch_size=1", "--input_patch_size=8"),
            *("--ema_decay=0.9", "--log_freq=1", *more),
        ]
        start("train.py", *flags, "--max_steps=1")
        with self._compared(name):
            start("train.py", *flags, "--max_steps=1")
        return folder

    def train_predictor(self):
        """Likewise a predictor; returns the file of its weights."""
        flags = [
            f"--ava_dataset_path={self.folder / 'AVA' / 'AVA.txt'}",
            f"--ava_image_path={self.folder / 'AVA' / 'images'}",
            *("--ava_train_range=0,2", "--ava_validate_range=2,5"),
            *("--mobilenetv2_alpha=0.35", "--mobilenetv2_weights=none"),
            *(f"--train_path={self.folder}", "--weight_filename=ava.h5"),
            *("--batch_size=2", "--input_patch_size=32"),
            "--mobilenetv2_train_last_only",
        ]
        start("score_predictors/train.py", *flags, "--epochs=1")
        with self._compared("ava.h5"):
            start("score_predictors/train.py", *flags, "--epochs=1")
        return self.folder / "ava.h5"


def summarise(root, shapes):
    """One line that changes with any name or shape.

    Args:
        root: What they belong to.
        shapes: From a name to a shape.
    """
    known = sorted((name, list(shape)) for name, shape in shapes.items())
    digest = hashlib.sha256(repr(known).encode()).hexdigest()[:12]
    return f"{root}: {len(known)} of digest {digest}"


def list_tensors(prefix):
    """A line for each root of a checkpoint."""
    shapes, roots = checkpoints.open_reader(str(prefix)).get_variable_to_shape_map(), {}
    for name, shape in sorted(shapes.items()):
        roots.setdefault(name.partition("/")[0], {})[name] = shape
    return [summarise(root, inner) for root, inner in roots.items()]


def list_datasets(path):
    """A line for the arrays of an HDF5 file, and one for each of its attributes."""
    shapes = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: shapes.update({name: getattr(item, "shape", ())})
        )
        attributes = [f"attribute {name}" for name in sorted(file.attrs)]
    return [summarise("arrays", shapes), *attributes]


def list_ends(path):
    """A line for each input of a frozen graph and for whatever nothing in it uses."""
    nodes = graphs.read(path, "--output_path").node
    used = {name.strip("^").partition(":")[0] for node in nodes for name in node.input}
    ends = [node for node in nodes if node.op == "Placeholder" or node.name not in used]
    return [f"{node.name} {node.op}" for node in ends]


def make_layouts(road):
    """From a file's name to its lines."""
    eusr = road.train("eusr")
    four_pass = road.train("4pp_eusr", *road.predictors)
    layouts = {
        "eusr": list_tensors(eusr / "model.ckpt-1"),
        "4pp_eusr": list_tensors(four_pass / "model.ckpt-1"),
    }
    pb = road.folder / "eusr.pb"
    start("freeze.py", f"--restore_path={eusr}", "--scales=4", f"--output_path={pb}")
    layouts[pb.name] = list_ends(pb)
    weights = road.train_predictor()
    table = weights.with_suffix(".csv").read_text().splitlines()[0]
    layouts[weights.name] = [*list_datasets(weights), f"csv {table}"]
    pb, given = weights.with_suffix(".pb"), f"--restore_path={weights}"
    start("score_predictors/freeze.py", given, f"--output_path={pb}")
    layouts[pb.name] = list_ends(pb)
    report = road.folder / "report"
    start(
        *("validate.py", f"--restore_path={eusr}", "--scales=4"),
        *(f"--data_truth_path={road.folder / 'HR'}", f"--csv_path={report}.csv"),
        f"--report_path={report}.json",
    )
    numbers = json.loads(Path(f"{report}.json").read_text())
    with open(f"{report}.csv", newline="", encoding="utf-8-sig") as file:
        header = ",".join(next(csv.reader(file)))
    layouts["validate.py"] = [
        f"csv {header}",
        *(f"json {key}" for key in numbers),
        *(f"json scales/4/{key}" for key in numbers["scales"]["4"]),
    ]
    arguments = [
        f"{name} {key} {how}"
        for name, keys in road.may_change.items()
        for key, how in sorted(keys.items())
    ]
    files = [f"{name} {line}" for name, lines in layouts.items() for line in lines]
    return {"files": files, "arguments": arguments}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """What files hold now."""
    if tf.config.list_physical_devices("GPU"):
        pytest.skip(
            "scripts run as processes of their own, which cannot be looked into"
        )
    return make_layouts(Road(tmp_path_factory.mktemp("road")))


def read(name):
    """The lines that were recorded."""
    return (RECORDED / f"{name}.txt").read_text().splitlines()


def test_each_script_has_the_flags_and_defaults_that_it_had():
    assert sorted(list_flags()) == read("flags")


def test_the_page_of_all_flags_is_up_to_date():
    assert flags_page.PATH.read_text() == flags_page.make_page(), (
        "python -m tests.flags_page writes it anew"
    )


@pytest.mark.parametrize("name", ["files", "arguments"])
def test_files_are_laid_out_as_they_were(layouts, name):
    assert layouts[name] == read(name)


if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        everything = make_layouts(Road(Path(folder))) | {"flags": sorted(list_flags())}
    for name, lines in everything.items():
        (RECORDED / f"{name}.txt").write_text("\n".join(lines) + "\n")
