"""Frozen graphs and pictures that are programs: refused before any of it runs."""

import os

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from frozen import graphs
from frozen.safety import PURE
from frozen.upscaler import Upscaler
from frozen.upscaler_graph import make_network
from imaging.decoding import read_size
from imaging.files import load_image
from imaging.pictures import load_picture
from models.eusr import EUSR
from models.generator_settings import Architecture
from tests.pictures import write_pictures
from tests.scripts import fail_here
from tests.shared_data import SHARED, needs_shared

# Whatever their name has to do with the world outside a tensor.
SUSPICIOUS = (
    *("File", "Py", "Send", "Recv", "Server", "Host", "Rpc", "Library", "Dataset"),
    *("Save", "Restore", "Reader", "Var", "Print", "Write", "Read", "Iterator"),
    *("Checkpoint", "Debug", "Remote", "Table", "Queue", "Custom", "Infeed", "Xla"),
)


def write(path, *operations, in_library=()):
    """A file whose graph has these operations beside what a model's has."""
    graph_def = tf.compat.v1.GraphDef()
    for name in ("sr_input", "sr_output"):
        node = graph_def.node.add(op="Placeholder", name=name)
        node.attr["dtype"].type = tf.float32.as_datatype_enum
    for number, op in enumerate(operations):
        graph_def.node.add(op=op, name=f"more_{number}")
    if in_library:
        function = graph_def.library.function.add()
        function.signature.name = "innocent"
        for number, op in enumerate(in_library):
            function.node_def.add(op=op, name=f"inner_{number}")
        graph_def.node.add(op="innocent", name="call")
    path.write_bytes(graph_def.SerializeToString())
    return path


@pytest.mark.parametrize(
    "op",
    [
        *("ReadFile", "WriteFile", "PyFunc", "EagerPyFunc", "MatchingFiles"),
        *("Save", "RestoreV2", "PrintV2", "Recv", "TextLineDataset"),
        "NobodyKnowsThis",
    ],
)
@pytest.mark.parametrize("is_hidden", [False, True])
def test_an_operation_that_is_not_pure_is_refused(tmp_path, op, is_hidden):
    path = tmp_path / "model.pb"
    write(path, *([] if is_hidden else [op]), in_library=[op] if is_hidden else [])
    with pytest.raises(InputError, match=f"model.pb: refused because .*: {op}"):
        Upscaler(path)


def test_a_graph_that_writes_a_file_has_written_none(tmp_path):
    victim = tmp_path / "victim"

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="x")])
    def function(x):
        tf.io.write_file(str(victim), "harm")
        return x

    graph = function.get_concrete_function().graph
    graph_def = graph.as_graph_def()
    (tmp_path / "model.pb").write_bytes(graph_def.SerializeToString())
    write_pictures(tmp_path / "LR", [(8, 8)])
    line = fail_here(
        "test.py",
        *(f"--model_name={tmp_path / 'model.pb'}", f"--input_path={tmp_path / 'LR'}"),
        f"--output_path={tmp_path / 'SR'}",
    )
    assert "run other code: WriteFile." in line
    assert not victim.exists() and not (tmp_path / "SR").exists()


def write_claim(path, is_hidden, sizes=(40_000, 40_000)):
    """A graph whose one constant is stored as one number."""
    graph_def = tf.compat.v1.GraphDef()
    nodes = graph_def.node
    if is_hidden:
        function = graph_def.library.function.add()
        function.signature.name = "innocent"
        nodes = function.node_def
    constant = nodes.add(op="Const", name="large").attr["value"].tensor
    constant.dtype = 1
    constant.float_val.append(1.0)
    for size in sizes:
        constant.tensor_shape.dim.add(size=size)
    graph_def.node.add(op="NoOp", name="other")
    path.write_bytes(graph_def.SerializeToString())


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_constant_that_claims_much_memory_is_refused(tmp_path, is_hidden):
    write_claim(tmp_path / "model.pb", is_hidden)
    with pytest.raises(InputError, match="constants claim up to .* most of them large"):
        graphs.read(tmp_path / "model.pb", "--model_name")
    write_claim(tmp_path / "model.pb", is_hidden, (1000, 1000))
    assert graphs.read(tmp_path / "model.pb", "--model_name").node


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("sr_part_radii", v) for v in (3, [1], [-1, 2], [1, 2, 3])),
        *(("sr_scales", v) for v in (2, [0], [2], [])),
        *(("sr_part_factors", v) for v in (3, [3], [1, 2], [1, 3, 1], [0, 0], [1, 0])),
    ],
)
def test_constants_of_our_own_that_cannot_be_are_refused(tmp_path, name, values):
    # Of x3, so that the factors are in the file, too.
    model = EUSR(Architecture((3,), conv_features=4, shared_blocks=1))
    graph_def = make_network(model, (3,)).graph_def
    assert name in {node.name for node in graph_def.node}
    for node in graph_def.node:
        if node.name == name:
            array = np.array(values, np.int32)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    graphs.save(graph_def, tmp_path / "model.pb")
    with pytest.raises(InputError, match="it is damaged"):
        Upscaler(tmp_path / "model.pb")


def test_what_is_let_in_exists_and_has_no_name_that_says_more():
    assert PURE - set(tf.raw_ops.__dict__) == set()
    # Of these only the name sounds so.
    sounds_so = {"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"}
    for op in PURE - sounds_so:
        assert not [word for word in SUSPICIOUS if word in op], op


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "eusr/model.pb",
        "4pp_eusr/model.pb",
        "predictors/ava.pb",
        "predictors/tid2013.pb",
    ],
)
def test_files_of_the_tf1_code_are_let_in(name):
    path = SHARED / "reference" / "tf1" / name
    assert graphs.read(path, "--model_name").node


@pytest.mark.parametrize("name", ["a.jpg", "a.eps", "a.png"])
def test_a_program_that_is_called_a_picture_is_not_run(tmp_path, monkeypatch, name):
    mark, ghostscript = tmp_path / "mark", tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {mark}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(ghostscript.parent), prepend=os.pathsep)
    picture = tmp_path / name
    picture.write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n"
    )
    for read in (load_image, load_picture, read_size):
        with pytest.raises(InputError) as error:
            read(picture)
        assert not mark.exists()
        assert "is a PostScript document; export it as PNG" in str(error.value)
