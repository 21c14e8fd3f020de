"""What freeze.py writes for other programs, run by those programs."""

import dataclasses
import errno
import importlib.util
import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.files import written_whole
from frozen.saved_model import SavedModel
from frozen.upscaler_graph import make_network
from imaging.files import to_uint8
from models.eusr import EUSR
from models.generator_settings import Architecture
from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from tests.scripts import fail_here, succeed_here
from training.checkpoint_writer import CheckpointWriter

OTHERS = ("saved_model", "onnx", "tflite")
ENDINGS = {"saved_model": "", "onnx": ".onnx", "tflite": ".tflite"}
SIZES = ((1, 17, 30), (1, 40, 24), (2, 9, 9))


def draw(*shape):
    return np.random.default_rng(0).uniform(0, 255, (*shape, 3)).astype(np.float32)


def run_onnx(path, array):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    (given,) = session.get_inputs()
    return session.run(None, {given.name: array})


def run_tflite(path, array):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (given,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(given["index"], array.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], array)
    interpreter.invoke()
    outputs = interpreter.get_output_details()
    return [interpreter.get_tensor(output["index"]) for output in outputs]


def run_saved_model(path, array):
    signature = tf.saved_model.load(str(path)).signatures["float32"]
    (name,) = signature.structured_input_signature[1]
    return [v.numpy() for v in signature(**{name: tf.constant(array)}).values()]


RUN = {"saved_model": run_saved_model, "onnx": run_onnx, "tflite": run_tflite}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    made = EUSR(Architecture(conv_features=4, shared_blocks=1))
    for variable in made.generator.trainable_variables:
        # So that a bias, a padding or a scale that went astray would show.
        variable.assign_add(tf.random.stateless_normal(variable.shape, (0, 1), 0, 0.05))
    return made


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return CheckpointWriter(model.checkpoint_items(), folder, 1).save(0)


def freeze(checkpoint, kind, target, scale):
    return succeed_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", f"--format={kind}", f"--scales={scale}"),
        f"--output_path={target}",
    )


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("kind", OTHERS)
def test_another_program_gives_the_models_picture_at_any_size(
    model, checkpoint, kind, scale, tmp_path
):
    target = tmp_path / f"model{ENDINGS[kind]}"
    said = freeze(checkpoint, kind, target, scale)
    assert f"Wrote {target} (x{scale}); it reproduces the model's output" in said
    assert os.listdir(tmp_path) == [target.name]
    for size in SIZES:
        lr = draw(*size)
        (sr,) = RUN[kind](target, lr)
        expected = model.forward(tf.constant(lr), scale).numpy()
        np.testing.assert_allclose(sr, expected, rtol=0, atol=5e-2)


def test_a_saved_model_serves_pictures_of_8_bits(model, checkpoint, tmp_path):
    freeze(checkpoint, "saved_model", tmp_path / "model", 4)
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    lr = to_uint8(draw(2, 13, 21))
    (sr,) = served(images=tf.constant(lr)).values()
    assert sr.dtype == tf.uint8
    expected = model.forward(tf.constant(lr, tf.float32), 4).numpy()
    difference = np.abs(sr.numpy().astype(int) - to_uint8(expected))
    # A value at the middle between two levels may go either way.
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_onnx_names_its_tensors_and_free_sizes(checkpoint, tmp_path):
    import onnx

    freeze(checkpoint, "onnx", tmp_path / "model.onnx", 2)
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    assert [value.name for value in graph.input] == ["sr_input"]
    assert [value.name for value in graph.output] == ["sr_output"]
    sizes = graph.input[0].type.tensor_type.shape.dim
    names = [size.dim_param or size.dim_value for size in sizes]
    assert names == ["batch", "height", "width", 3]


@pytest.mark.parametrize("kind", OTHERS)
def test_a_predictor_gives_its_scores_in_another_program(kind, tmp_path):
    predictor = MobileNetV2(Settings(alpha=0.35, weights="none"))
    weights = tmp_path / "made.h5"
    weight_files.save(weights, predictor.network, predictor.attributes())
    target = tmp_path / f"made{ENDINGS[kind]}"
    if not ENDINGS[kind]:
        target = tmp_path / "folder"
    succeed_here(
        "score_predictors/freeze.py",
        *(f"--restore_path={weights}", f"--format={kind}", f"--output_path={target}"),
    )
    pictures = draw(2, 70, 97) / 127.5 - 1
    expected = predictor.network(pictures, training=False)
    outputs = {o.shape[1]: o for o in RUN[kind](target, pictures)}
    np.testing.assert_allclose(outputs[10], expected[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(outputs[1280], expected[1], rtol=0, atol=1e-4)


def test_one_file_for_others_holds_one_scale(checkpoint, tmp_path):
    line = fail_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", "--format=tflite"),
        f"--output_path={tmp_path / 'model.tflite'}",
    )
    assert "holds one scale; give one of --scales=2, --scales=4, --scales=8" in line
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("package", ["tf2onnx", "onnxruntime", "ai_edge_litert"])
def test_a_package_that_is_missing_is_named(package, checkpoint, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == package else find(name, *more),
    )
    kind = "tflite" if package == "ai_edge_litert" else "onnx"
    line = fail_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", f"--format={kind}", "--scales=2"),
        f"--output_path={tmp_path / 'model'}",
    )
    assert f"--format={kind} needs {package}: run pip install" in line
    assert "pip install -r requirements-export.txt" in line
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("part", [".index", ".data-00000-of-00001"])
def test_the_checkpoint_itself_is_not_replaced(checkpoint, part):
    target = f"{checkpoint}{part}"
    before = Path(target).read_bytes()
    line = fail_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", "--scales=2", f"--output_path={target}"),
    )
    assert "of a TensorFlow checkpoint, which would be replaced" in line
    assert Path(target).read_bytes() == before
    line = fail_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", "--format=saved_model", "--output_path=."),
    )
    assert "--output_path=.: expected a name" in line


def test_weights_that_went_astray_are_told(tmp_path):
    made = EUSR(Architecture((2,), 4, 1))
    made.generator.first_conv.bias.assign([float("nan")] * 4)
    prefix = CheckpointWriter(made.checkpoint_items(), tmp_path / "run", 1).save(0)
    line = fail_here(
        "freeze.py", f"--restore_path={prefix}", f"--output_path={tmp_path / 'x.pb'}"
    )
    assert "the output of these weights is not finite" in line
    assert os.listdir(tmp_path) == ["run"]


def test_what_is_served_is_held_against_the_network(checkpoint, tmp_path):
    freeze(checkpoint, "saved_model", tmp_path / "model", 2)
    network = make_network(EUSR(Architecture((2,), 4, 1)), (2,))
    brighter = dataclasses.replace(
        network, serve=lambda run, x: {"images": network.serve(run, x)["images"] // 2}
    )
    SavedModel.load(network, tmp_path / "model")
    with pytest.raises(RuntimeError, match="served images differ from the network's"):
        SavedModel.load(brighter, tmp_path / "model")


def test_the_name_follows_the_format(checkpoint, tmp_path):
    arguments = (f"--restore_path={checkpoint}", "--scales=2")
    for kind, name in (("onnx", "model.onnx"), ("saved_model", "model")):
        succeed_here("freeze.py", f"--format={kind}", *arguments, cwd=tmp_path)
        assert (tmp_path / name).exists()
    line = fail_here(
        "freeze.py", *arguments, f"--output_path={tmp_path / 'other.onnx'}"
    )
    assert "has the ending of --format=onnx; the format is --format=pb" in line


def test_a_saved_model_is_replaced_and_another_folder_is_not(checkpoint, tmp_path):
    for scale in (2, 4):
        freeze(checkpoint, "saved_model", tmp_path / "model", scale)
    (sr,) = run_saved_model(tmp_path / "model", draw(1, 8, 8))
    assert sr.shape == (1, 32, 32, 3)
    assert os.listdir(tmp_path) == ["model"]
    # A model beside which its owner has put something is not all ours, either.
    other = tmp_path / "model"
    (other / "thesis.txt").write_text("years of work")
    line = fail_here(
        "freeze.py",
        *(f"--restore_path={checkpoint}", "--format=saved_model", "--scales=2"),
        f"--output_path={other}",
    )
    assert "is a folder that holds other files (thesis.txt)" in line
    assert (other / "thesis.txt").read_text() == "years of work"


def test_a_link_to_a_folder_is_replaced_and_what_it_led_to_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with written_whole(tmp_path / "link") as aside:
        aside.mkdir()
    assert (tmp_path / "real" / "mine.txt").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]
    assert not (tmp_path / "link").is_symlink()


def test_a_full_disk_is_told_as_such_where_tensorflow_writes(tmp_path, monkeypatch):
    def save(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    network = make_network(EUSR(Architecture((2,), 4, 1)), (2,))
    with pytest.raises(OSError, match="No space left") as caught:
        SavedModel.write(network, tmp_path / "model")
    assert caught.value.errno == errno.ENOSPC


def test_a_folder_that_is_written_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "folder"
    for content in ("first", "second"):
        with written_whole(target) as aside:
            aside.mkdir()
            (aside / "file.json").write_text(json.dumps(content))
    with pytest.raises(RuntimeError), written_whole(target) as aside:
        aside.mkdir()
        raise RuntimeError("stopped")
    assert json.loads((target / "file.json").read_text()) == "second"
    assert os.listdir(tmp_path) == ["folder"]
    with pytest.raises(OSError), written_whole(target) as aside:
        aside.write_text("a file does not take the place of a folder")
    assert os.listdir(tmp_path) == ["folder"]
