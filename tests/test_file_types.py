"""A file in the place of another is told by what it is, and where it belongs."""

import h5py
import pytest
from PIL import Image

from console.file_types import tell_file_type
from frozen import graphs
from frozen.upscaler_graph import make_network
from tests.four_pass import write_predictor
from tests.pictures import write_pictures
from tests.scripts import fail_here
from tests.small import make_small
from training.checkpoint_writer import CheckpointWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    model = make_small()
    CheckpointWriter(model.checkpoint_items(), folder / "run", 1).save(7)
    graphs.save(make_network(model, (2,)).graph_def, folder / "model.pb")
    write_predictor(folder / "predictor.pb")
    with h5py.File(folder / "w.h5", "w") as file:
        file["x"] = [1.0]
    write_pictures(folder / "LR", [(9, 8)])
    Image.open(folder / "LR" / "0.png").save(folder / "photo.jpg")
    (folder / "model.tflite").write_bytes(b"\x20\0\0\0TFL3 and so on")
    (folder / "model.onnx").write_bytes(b"\x08\x07 and so on")
    (folder / "model.keras").write_bytes(b"PK\x03\x04 and so on")
    (folder / "empty.pb").write_bytes(b"")
    (folder / "notes.txt").write_text("nothing known")
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run/model.ckpt-7", "a TensorFlow checkpoint"),
        ("run/model.ckpt-7.index", "the index file of a TensorFlow checkpoint"),
        (
            "run/model.ckpt-7.data-00000-of-00001",
            "a data file of a TensorFlow checkpoint",
        ),
        ("model.pb", "a frozen graph"),
        ("w.h5", "a Keras weights file (HDF5)"),
        ("LR/0.png", "a picture (PNG)"),
        ("photo.jpg", "a picture (JPEG)"),
        ("model.tflite", "a TensorFlow Lite file"),
        ("model.onnx", "an ONNX file"),
        ("model.keras", "a zip archive, such as a .keras or .npz file"),
        ("empty.pb", "an empty file"),
        ("notes.txt", ""),
        ("nowhere", ""),
    ],
)
def test_a_file_is_known_by_its_bytes(folder, name, kind):
    assert tell_file_type(folder / name)[0] == kind


@pytest.mark.parametrize(
    ("script", "flag", "name", "said"),
    [
        ("test.py", "restore_path", "w.h5", "HDF5); the scripts in score_predictors/"),
        (
            "test.py",
            "restore_path",
            "model.pb",
            "a frozen graph; test.py accepts it",
        ),
        ("freeze.py", "restore_path", "photo.jpg", "is a picture (JPEG)"),
        ("test.py", "model_name", "run/model.ckpt-7", "checkpoint; --restore_path"),
        ("test.py", "model_name", "w.h5", "a Keras weights file (HDF5)"),
        ("test.py", "model_name", "model.onnx", "it is for other programs"),
        ("test.py", "model_name", "predictor.pb", "its inputs are input_1"),
        ("score_predictors/predict.py", "restore_path", "model.pb", "a frozen graph"),
        ("score_predictors/predict.py", "model_name", "w.h5", "Keras weights file"),
    ],
)
def test_scripts_say_what_was_given_and_what_takes_it(folder, script, flag, name, said):
    pictures = [] if script == "freeze.py" else [f"--input_path={folder / 'LR'}"]
    line = fail_here(script, f"--{flag}={folder / name}", *pictures)
    assert said in line and f"--{flag}={folder / name}" in line


def test_a_damaged_file_of_the_right_kind_is_called_damaged(folder, tmp_path):
    cut = tmp_path / "cut.h5"
    cut.write_bytes((folder / "w.h5").read_bytes()[:100])
    line = fail_here(
        "score_predictors/predict.py",
        *(f"--restore_path={cut}", f"--input_path={folder / 'LR'}"),
    )
    assert "is not an HDF5 file, or is damaged" in line
