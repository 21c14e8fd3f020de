import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from frozen import graphs
from frozen.upscaler import Upscaler
from frozen.upscaler_graph import make_network
from models.eusr import EUSR
from models.generator_settings import Architecture
from tests.small import make_small
from upscaling.tiles import Tiling, upscale_image

# All of these are in TF 1.15; Switch and Merge are its control flow.
ONE_SCALE = {
    *("Placeholder", "Const", "Identity", "Conv2D"),
    *("Relu", "AddV2", "BiasAdd", "Mul", "ConcatV2", "DepthToSpace"),
    # These rearrange the kernel of the last convolution.
    *("Pad", "Reshape", "Tile", "Transpose"),
}
SEVERAL_SCALES = ONE_SCALE | {
    *("Switch", "Merge", "NoOp", "Equal", "Any", "Assert", "Cast", "ArgMax"),
}


@pytest.fixture(scope="module")
def model():
    return make_small()


def freeze(model, scales, path):
    graphs.save(make_network(model, scales).graph_def, path)
    return path


@pytest.fixture(scope="module")
def one(model, tmp_path_factory):
    return freeze(model, (4,), tmp_path_factory.mktemp("frozen") / "one.pb")


@pytest.fixture(scope="module")
def several(model, tmp_path_factory):
    return freeze(model, (2, 4), tmp_path_factory.mktemp("frozen") / "several.pb")


def operations(path):
    return {node.op for node in graphs.read(path, "").node}


def test_one_scale_needs_only_operations_of_tf_1_15_and_no_control_flow(one):
    assert operations(one) == ONE_SCALE


def test_several_scales_need_only_operations_of_tf_1_15(several):
    assert operations(several) == SEVERAL_SCALES


def test_there_are_neither_functions_nor_attributes_at_their_defaults(several):
    graph_def = graphs.read(several, "")
    assert not graph_def.library.function
    for node in graph_def.node:
        assert not node.device
        assert not [name for name in node.attr if name.startswith("_")]
        if node.op == "Conv2D":
            assert "dilations" not in node.attr and "explicit_paddings" not in node.attr


def test_inputs_and_outputs_have_the_names_that_users_know(one, several):
    names = {node.name for node in graphs.read(one, "").node}
    assert {"sr_input", "sr_features", "sr_output"} <= names
    assert "sr_input_scale" not in names
    assert "sr_input_scale" in {node.name for node in graphs.read(several, "").node}


@pytest.mark.parametrize(
    ("file", "scale"), [("one", 4), ("several", 2), ("several", 4)]
)
def test_the_file_gives_the_models_picture_whole_and_in_tiles(
    model, file, scale, request
):
    upscaler = Upscaler(request.getfixturevalue(file))
    lr = np.random.default_rng(0).uniform(0, 255, (40, 51, 3)).astype(np.float32)
    expected = model.forward(tf.constant(lr[None]), scale).numpy()[0]
    for tile_size in (64, 10):
        output = upscale_image(upscaler.stages(scale), lr, Tiling(tile_size))
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-2)


def test_parts_of_any_factor_are_frozen_and_tiled(tmp_path):
    scales = (2, 6, 3)
    model = EUSR(Architecture(scales, conv_features=4, shared_blocks=1))
    upscaler = Upscaler(freeze(model, scales, tmp_path / "model.pb"))
    assert upscaler.find_scales() == [2, 3, 6]
    lr = np.random.default_rng(0).uniform(0, 255, (20, 27, 3)).astype(np.float32)
    for scale, factors in ((2, [1, 2]), (3, [1, 3]), (6, [1, 2, 3])):
        stages = upscaler.stages(scale)
        assert [stage.scale for stage in stages] == factors
        expected = model.forward(tf.constant(lr[None]), scale).numpy()[0]
        output = upscale_image(stages, lr, Tiling(12))
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-2)


def test_a_file_without_features_and_scales_is_tried_and_tiled(
    model, several, tmp_path
):
    # Like a file of the TF1 code: nothing but inputs and output.
    graph_def = graphs.read(several, "")
    plain = tf.compat.v1.GraphDef(versions=graph_def.versions)
    plain.node.extend(n for n in graph_def.node if n.name not in ("sr_scales",))
    graphs.save(plain, tmp_path / "plain.pb")
    upscaler = Upscaler(tmp_path / "plain.pb")
    lr = np.random.default_rng(0).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    expected = model.forward(tf.constant(lr[None]), 2).numpy()[0]
    output = upscale_image(upscaler.stages(2), lr)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-2)
    with pytest.raises(InputError, match="supports other scales, not --scale=8"):
        upscaler.stages(8)


def test_a_scale_that_the_file_does_not_do_is_refused(one):
    with pytest.raises(InputError, match="supports x4, not --scale=2"):
        Upscaler(one).stages(2)


def test_an_unknown_scale_fails_in_the_graph_itself(several):
    run = graphs.to_function(
        graphs.read(several, ""), ["sr_input", "sr_input_scale"], ["sr_output"], ""
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be one of"):
        run(tf.zeros((1, 8, 8, 3)), tf.constant(3.0))


def test_other_files_are_refused_with_what_they_are(tmp_path):
    text = tmp_path / "model.pb"
    with pytest.raises(InputError, match="is a folder. Expected a .pb file"):
        Upscaler(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        Upscaler(text)
    text.write_text("not a graph")
    with pytest.raises(InputError, match="not a frozen graph"):
        Upscaler(text)
    other = graphs.to_graph_def(
        lambda x: tf.identity(x, name="y"), [tf.TensorSpec((), tf.float32, "x")], ["y"]
    )
    graphs.save(other, text)
    with pytest.raises(
        InputError, match="has no sr_input and no sr_output; its inputs"
    ):
        Upscaler(text)


def test_a_truncated_file_is_refused(one, tmp_path):
    cut = tmp_path / "cut.pb"
    cut.write_bytes(one.read_bytes()[: one.stat().st_size // 2])
    with pytest.raises(InputError, match="damaged|has no|cannot be loaded"):
        Upscaler(cut)


def test_saving_twice_gives_the_same_bytes(model, one, tmp_path):
    again = freeze(model, (4,), tmp_path / "again.pb")
    assert again.read_bytes() == one.read_bytes()


def test_freezing_says_nothing_on_stderr(tmp_path):
    program = (
        "import sys; from console import quiet\n"
        "with quiet.imports():\n"
        "    from tests.small import make_small\n"
        "    from tests.test_frozen import freeze\n"
        "freeze(make_small(), (2, 4), sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "model.pb")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
