import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from console.errors import InputError
from console.file_types import TABLE_END
from models import exporting
from models.eusr import EUSR
from models.generator_settings import Architecture
from models.opening import CheckpointSettings, open_model
from tests.small import SMALL, draw_batch, make_small
from training import checkpoints, index_files, run_folder
from training.arguments import ARGUMENTS, read_arguments, write_arguments
from training.checkpoint_writer import CheckpointWriter

ARGUMENTS_NAME = "state/arguments/.ATTRIBUTES/py_state"


@pytest.fixture
def trained(tmp_path):
    """A model after a step, and its checkpoint at step 7."""
    model = make_small(learning_rate=1e-2)
    model.train_step(*draw_batch(2), 2)
    model.state.step.assign(7)
    prefix = CheckpointWriter(model.checkpoint_items(), tmp_path, 3).save(7)
    return model, prefix


def assert_equal_weights(one, two):
    for a, b in zip(one.generator.weights, two.generator.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), a.path)


def test_weights_optimizer_and_step_come_back(trained):
    model, prefix = trained
    other = make_small(learning_rate=1e-2)
    other.restore(prefix, resume=True)
    assert other.step == 7
    assert_equal_weights(model, other)
    for one, two in zip(
        model.optimizers["generator"].variables,
        other.optimizers["generator"].variables,
        strict=True,
    ):
        np.testing.assert_array_equal(one.numpy(), two.numpy(), one.path)
    # The next step is the same one, so nothing that matters is missing.
    for each in (model, other):
        each.train_step(*draw_batch(4), 4)
    assert_equal_weights(model, other)


def test_weights_may_be_stored_in_16_bits(trained, tmp_path):
    model, source = trained
    prefix = tmp_path / "half" / "model.ckpt-7"
    settings = CheckpointSettings(restore_path=source)
    exporting.Weights16.export(model, settings, prefix)
    opened = open_model(prefix)
    for one, two in zip(model.generator.weights, opened.generator.weights, strict=True):
        wanted = one.numpy()
        if wanted.ndim > 1:
            wanted = wanted.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(two.numpy(), wanted, one.path)
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(b"x" * data.stat().st_size)
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        open_model(prefix)


def test_only_a_resumed_run_takes_over_the_step(trained):
    model = make_small()
    model.restore(trained[1])
    assert model.step == 0


def test_one_root_can_be_restored_alone(trained):
    model = make_small()
    model.restore(trained[1], target="generator")
    assert_equal_weights(trained[0], model)
    assert int(model.optimizers["generator"].iterations) == 0
    with pytest.raises(InputError, match="--restore_target=head does not exist"):
        model.restore(trained[1], target="head")


def test_names_in_the_file_are_the_paths_of_the_weights(trained):
    names = tf.train.load_checkpoint(trained[1]).get_variable_to_shape_map()
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    held = {name.removesuffix(suffix) for name in names if name.endswith(suffix)}
    generator = {name for name in held if name.startswith("generator/")}
    assert generator == {weight.path for weight in trained[0].generator.weights}
    assert "generator/mean_shift/rgb_mean" in generator
    assert {name.partition("/")[0] for name in held} >= {
        "generator",
        "generator_optimizer",
        "state",
    }
    assert "state/step" in held


def test_a_checkpoint_knows_its_model_even_when_copied_alone(trained, tmp_path):
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    for file in tmp_path.glob("model.ckpt-7.*"):
        os.link(file, copied / file.name.replace("model.ckpt-7", "mine"))
    model = open_model(copied / "mine")
    step = checkpoints.read_step(str(copied / "mine"))
    assert (model.name, step, model.scales) == ("eusr", 7, SMALL.model_scales)
    assert_equal_weights(trained[0], model)


@pytest.mark.parametrize(
    "path",
    ["model.ckpt-7", "model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001", ""],
)
def test_a_checkpoint_is_found_by_any_of_its_names_or_its_folder(
    trained, tmp_path, path
):
    assert checkpoints.find(tmp_path / path) == trained[1]


def test_the_newest_is_the_one_of_the_highest_step(trained, tmp_path):
    checkpoint_writer = CheckpointWriter(trained[0].checkpoint_items(), tmp_path, 3)
    for step in (900, 1000):
        checkpoint_writer.save(step)
    assert checkpoints.find(tmp_path).endswith("model.ckpt-1000")


def test_what_is_not_there_gets_the_names_of_those_that_are(trained, tmp_path):
    with pytest.raises(InputError, match=r"not found.*Checkpoints there: model.ckpt-7"):
        checkpoints.find(tmp_path / "model.ckpt-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no checkpoint in this folder"):
        checkpoints.find(tmp_path / "empty")
    with pytest.raises(InputError, match="There is no folder"):
        checkpoints.find(tmp_path / "none" / "model.ckpt-1")


@pytest.mark.parametrize("sizes", [{"conv_features": 6}, {"shared_blocks": 2}])
def test_variables_of_another_size_are_refused(trained, sizes):
    sizes = {"model_scales": (2, 4), "conv_features": 4, "shared_blocks": 1} | sizes
    items = {"generator": EUSR(Architecture(**sizes)).checkpoint_items()["generator"]}
    with pytest.raises(InputError, match="does not fit this model"):
        checkpoints.restore(trained[1], items)


def test_a_foreign_checkpoint_is_refused_with_what_it_holds(tmp_path):
    path = tf.train.Checkpoint(net=tf.Variable(1.0)).write(str(tmp_path / "foreign"))
    with pytest.raises(InputError, match="a checkpoint of another program or network"):
        open_model(path, "eusr")
    with pytest.raises(InputError, match="holds no generator; it holds net"):
        checkpoints.restore(
            path, {"generator": make_small().checkpoint_items()["generator"]}
        )


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_checkpoint_is_refused(trained, part):
    path = f"{trained[1]}.{part}"
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    with pytest.raises(InputError, match="cannot be read|does not fit|damaged"):
        make_small().restore(trained[1])


def test_only_the_last_few_are_kept(trained, tmp_path):
    checkpoint_writer = CheckpointWriter(
        trained[0].checkpoint_items(), tmp_path / "kept", 2
    )
    for step in (1, 2, 3):
        checkpoint_writer.save(step)
    kept = [p.name for p in checkpoints.list_checkpoints(tmp_path / "kept")]
    assert kept == ["model.ckpt-2", "model.ckpt-3"]


def test_a_damaged_list_of_checkpoints_is_made_again(tmp_path):
    model = make_small()
    CheckpointWriter(model.checkpoint_items(), tmp_path, 2).save(1)
    (tmp_path / "checkpoint").write_bytes(bytes(range(128, 256)))
    checkpoint_writer = CheckpointWriter(model.checkpoint_items(), tmp_path, 2)
    for step in (2, 3):
        checkpoint_writer.save(step)
    kept = [path.name for path in checkpoints.list_checkpoints(tmp_path)]
    assert kept == ["model.ckpt-2", "model.ckpt-3"]


def test_arguments_are_in_the_checkpoints_too(tmp_path):
    model = make_small()
    model.state.arguments.values["run"] = {"seed": 5}
    CheckpointWriter(model.checkpoint_items(), tmp_path, 2).save(1)
    assert run_folder.read_before(tmp_path) == {"seed": 5}
    write_arguments(tmp_path / ARGUMENTS, {"seed": 6})
    assert run_folder.read_before(tmp_path) == {"seed": 6}


def test_later_checkpoints_are_set_aside_whole(tmp_path):
    checkpoint_writer = CheckpointWriter(make_small().checkpoint_items(), tmp_path, 9)
    for step in (1, 2, 3):
        checkpoint_writer.save(step)
    aside = run_folder.set_later_aside(tmp_path, 1, tmp_path / "model.ckpt-1")
    assert checkpoints.list_checkpoints(tmp_path) == [tmp_path / "model.ckpt-1"]
    assert len(checkpoints.list_checkpoints(aside)) == 2
    assert run_folder.set_later_aside(tmp_path, 2) is None


def test_a_run_behind_a_link_is_set_aside_and_the_link_stays(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    (real / "file").write_text("")
    link.symlink_to(real)
    aside = run_folder.set_aside(link)
    assert (aside / "file").exists() and aside.name == "real.old1"
    assert link.is_symlink() and list(link.iterdir()) == []


def test_damaged_arguments_are_named(tmp_path):
    path = tmp_path / ARGUMENTS
    assert read_arguments(path) == {}
    write_arguments(path, {"a": 1})
    assert read_arguments(path) == {"a": 1}
    (tmp_path / "arguments.json").write_text("{")
    with pytest.raises(InputError, match=r"arguments\.json: damaged"):
        read_arguments(path)


def test_a_path_that_is_no_checkpoint_is_told_what_is_expected(trained, tmp_path):
    (tmp_path / "model.pb").write_bytes(b"")
    expected = (
        r"Expected a folder, or a name like model\.ckpt-1000 with its \.index file"
    )
    for name, found in (("model.pb", "is an empty file"), ("none", "not found")):
        with pytest.raises(InputError, match=f"{name}: {found}. {expected}") as caught:
            checkpoints.find(tmp_path / name)
        assert str(caught.value).endswith("Checkpoints there: model.ckpt-7.")


def claim(prefix, target, **changes):
    """Copies a checkpoint under other arguments, and writes its index anew."""
    reader = tf.train.load_checkpoint(prefix)
    values = {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}
    arguments = json.loads(values[ARGUMENTS_NAME])
    arguments["architecture"] |= changes
    values[ARGUMENTS_NAME] = json.dumps(arguments)
    tf.raw_ops.SaveV2(
        prefix=str(target),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    return str(target)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"conv_features": 10**6}, "claims to hold [0-9,]+ bytes but has"),
        ({"shared_blocks": 10**9}, "claims to hold [0-9,]+ bytes but has"),
        ({"conv_features": "many"}, "invalid settings of the network"),
        ({"conv_features": -4}, "invalid settings of the network"),
        ({"rgb_mean": 5}, "invalid settings of the network"),
        ({"hidden_layers": 3}, "invalid settings of the network"),
    ],
)
def test_a_network_that_cannot_lie_in_the_files_is_not_made(
    trained, tmp_path, changes, said
):
    target = claim(trained[1], tmp_path / "claims" / "model.ckpt-7", **changes)
    with pytest.raises(InputError, match=said):
        open_model(target)


@pytest.mark.parametrize(
    "changes",
    [
        {"model_scales": [5]},
        {"model_scales": [2, 2]},
        {"model_scales": []},
        {"conv_features": 4.0},
        {"conv_features": 0},
        {"input_scale": 0},
        {"start_kernel": 4},
        {"width": 4},
        {"shared_blocks": True},
        {"rgb_mean": ["a", "b", "c"]},
        {"rgb_mean": [1.0, 2.0, float("nan")]},
    ],
)
def test_there_is_no_network_of_such_fields(changes):
    fields = dataclasses.asdict(SMALL)
    assert Architecture.from_stored(fields) == SMALL
    with pytest.raises(ValueError, match=next(iter(changes))):
        Architecture.from_stored(fields | changes)


def write_index(prefix, sizes, dtype=1):
    """An index of one array, and no values."""
    entry = tensor_bundle_pb2.BundleEntryProto(dtype=dtype)
    for size in sizes:
        entry.shape.dim.add(size=size)

    def block(name, value):
        held = bytes([0, len(name), len(value)]) + name + value
        return held + bytes(4) + (1).to_bytes(4, "little")

    first = block(b"x", entry.SerializeToString())
    second = block(b"x", bytes([0, len(first)]))
    handle = bytes([len(first) + 5, len(second)])
    data = first + bytes(5) + second + bytes(5) + bytes(2) + handle
    Path(f"{prefix}.index").write_bytes(data + bytes(36) + TABLE_END)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(b"some")


@pytest.mark.parametrize(
    ("sizes", "dtype", "said"),
    [
        ([-1], 1, r"x has the shape \[-1\]"),
        ([2**40, 2**40], 1, "claims to hold [0-9,]+ bytes but has 4;"),
        ([1], 99, "x has the dtype 99"),
    ],
)
def test_what_would_end_tensorflow_is_refused_before_it_looks(
    tmp_path, sizes, dtype, said
):
    write_index(tmp_path / "model.ckpt-1", sizes, dtype)
    with pytest.raises(InputError, match=said):
        checkpoints.open_reader(str(tmp_path / "model.ckpt-1"))


def test_an_index_is_read_as_tensorflow_reads_it(trained):
    shapes = tf.train.load_checkpoint(trained[1]).get_variable_to_shape_map()
    entries = index_files.read_entries(f"{trained[1]}.index")
    found = {n: [d.size for d in e.shape.dim] for n, e in entries.items()}
    assert found == shapes and len(found) > 20


def test_what_differs_in_a_checkpoint_is_named(trained):
    other = EUSR(Architecture((2, 4), 5, 1))
    with pytest.raises(InputError, match=r"\(shape \[.*4\], not \[.*5\]\)"):
        checkpoints.restore(
            trained[1], {"generator": other.checkpoint_items()["generator"]}
        )


def test_an_index_that_claims_more_than_the_files_hold_is_refused(trained, tmp_path):
    data = next(tmp_path.glob("model.ckpt-7.data-*"))
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(InputError, match="claims to hold .* bytes but has 1,000"):
        checkpoints.open_reader(trained[1])


def test_checkpoints_that_a_list_names_elsewhere_are_not_removed(tmp_path):
    mine = make_small()
    elsewhere = CheckpointWriter(
        mine.checkpoint_items(), tmp_path / "elsewhere", 1
    ).save(1)
    run = tmp_path / "run"
    run.mkdir()
    state = tf.compat.v1.train.generate_checkpoint_state_proto(
        str(run), elsewhere, [elsewhere]
    )
    (run / "checkpoint").write_text(str(state))
    checkpoint_writer = CheckpointWriter(mine.checkpoint_items(), run, 1)
    for step in (2, 3):
        checkpoint_writer.save(step)
    assert [path.name for path in checkpoints.list_checkpoints(run)] == ["model.ckpt-3"]
    assert Path(f"{elsewhere}.index").is_file()
    assert "elsewhere" in (run / "checkpoint.old").read_text()
