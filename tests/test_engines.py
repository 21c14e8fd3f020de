"""OpenVINO in place of TensorFlow: the same pictures, and one line for mistakes."""

import sys

import numpy as np
import pytest

from console.errors import InputError
from frozen import graphs
from frozen.engines import OpenVino
from frozen.upscaler import Upscaler
from frozen.upscaler_graph import make_network
from tests.scripts import fail_here
from tests.small import make_small
from upscaling.tiles import Tiling, upscale_image

LR = np.random.default_rng(0).uniform(0, 255, (33, 26, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    model = make_small()
    for index, weight in enumerate(model.generator.trainable_variables):
        # Results within [0, 255], or else the differences would be larger.
        weight.assign(np.random.default_rng(index).normal(0, 0.05, weight.shape))
    return model


def run(opened, scale):
    return upscale_image(opened.stages(scale), LR, Tiling(20))


def open_with(engine, model, path=None):
    """Opens the same weights with an engine, as a model or from a file."""
    if path is not None:
        graphs.save(make_network(model, (2, 4)).graph_def, path)
        opened = Upscaler(path)
    else:
        opened = make_small()
        weights = opened.generator.weights, model.generator.weights
        for ours, theirs in zip(*weights, strict=True):
            ours.assign(theirs)
    engine.run_parts_of(opened)
    return opened


@pytest.mark.parametrize("is_file", [False, True])
def test_openvino_makes_tensorflows_pictures(model, is_file, tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO, an optional engine, is missing")
    path = tmp_path / "model.pb" if is_file else None
    opened = open_with(OpenVino(), model, path)
    for scale in (2, 4):
        expected = run(model, scale)
        assert np.abs(expected).max() < 300
        np.testing.assert_allclose(run(opened, scale), expected, rtol=0, atol=0.01)


def test_openvino_computes_in_bfloat16(model):
    pytest.importorskip("openvino", reason="OpenVINO, an optional engine, is missing")
    half = run(open_with(OpenVino(precision="bfloat16"), model), 2)
    difference = np.abs(half - run(model, 2)).max()
    assert 0.01 < difference < 3


def test_a_missing_openvino_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    line = fail_here("test.py", "--engine=openvino")
    assert "run pip install -r requirements-openvino.txt" in line


def test_flags_of_another_engine_are_refused():
    line = fail_here("test.py", "--device=GPU")
    assert "--device=GPU is for --engine=openvino" in line
    pytest.importorskip("openvino", reason="OpenVINO, an optional engine, is missing")
    line = fail_here("test.py", "--engine=openvino", "--use_gpu")
    assert "give --device=GPU" in line
    with pytest.raises(InputError, match="--device=TPU: OpenVINO finds AUTO, CPU"):
        OpenVino("TPU")


def test_a_model_without_a_network_is_refused(tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO, an optional engine, is missing")
    (tmp_path / "a.ppm").write_bytes(b"P6 2 2 255\n" + bytes(12))
    more = (f"--input_path={tmp_path}", f"--output_path={tmp_path / 'SR'}")
    line = fail_here("test.py", "--engine=openvino", "--model=bicubic", *more)
    assert "--model=bicubic has no network" in line
