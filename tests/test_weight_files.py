import errno
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from console.errors import InputError
from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from score_predictors.run_files import RunFiles
from score_predictors.weight_files import WeightFile
from tests.small_predictor import narrow_mobilenetv2

FLAG = "--restore_path"


@pytest.fixture(scope="module")
def predictor():
    keras.utils.set_random_seed(1)
    return MobileNetV2(Settings(alpha=0.35, weights="none"))


@pytest.fixture
def path(tmp_path, predictor):
    weight_files.save(tmp_path / "a.h5", predictor.network, {"alpha": 0.35, "x": 3})
    return tmp_path / "a.h5"


@pytest.fixture
def narrow_path(tmp_path):
    """Likewise of a network that is made in a moment, as long as a test runs."""
    with narrow_mobilenetv2():
        made = MobileNetV2(Settings(alpha=0.35, weights="none"))
        weight_files.save(tmp_path / "a.h5", made.network, {"alpha": 0.35})
        yield tmp_path / "a.h5"


def make_keras_own(side=64):
    """Keras' MobileNetV2 for one size, with the score layer."""
    base = keras.applications.MobileNetV2(
        input_shape=(side, side, 3),
        alpha=0.35,
        include_top=False,
        weights=None,
        pooling="avg",
    )
    scores = keras.layers.Dense(10, activation="softmax", name="dense")(base.output)
    return keras.Model(base.input, [scores, base.output])


def strip_attributes(path):
    """What another program would have written: no attributes of ours."""
    with h5py.File(path, "a") as file:
        for name in ("alpha", "x"):
            del file.attrs[name]


def test_weights_come_back_as_they_were(path, predictor):
    again, attributes = MobileNetV2.from_file(path, FLAG)
    assert attributes["x"] == 3
    for ours, theirs in zip(
        predictor.network.get_weights(), again.network.get_weights(), strict=True
    ):
        assert (ours == theirs).all()


def test_keras_reads_the_file_by_its_name(path, predictor):
    theirs = make_keras_own()
    theirs.load_weights(path)
    pictures = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(
        theirs(pictures, training=False)[0],
        predictor.network(pictures, training=False)[0],
        atol=1e-6,
    )


def test_the_names_are_those_of_keras_2(path):
    with h5py.File(path) as file:
        layers = [name.decode() for name in file.attrs["layer_names"]]
        assert layers[:2] == ["Conv1", "bn_Conv1"] and layers[-1] == "dense"
        names = file["block_1_depthwise"].attrs["weight_names"]
        assert names.tolist() == [b"block_1_depthwise/depthwise_kernel:0"]
        names = file["bn_Conv1"].attrs["weight_names"].tolist()
        assert [name.decode().partition("/")[2] for name in names] == [
            *("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")
        ]


@pytest.mark.parametrize("alpha", [0.35, 0.5, 1.0])
def test_the_width_is_read_from_the_weights(tmp_path, alpha):
    network = MobileNetV2(Settings(alpha=alpha, weights="none")).network
    weight_files.save(tmp_path / "b.h5", network, {})
    assert MobileNetV2.from_file(tmp_path / "b.h5", FLAG)[0].settings.alpha == alpha


def test_another_width_is_refused_with_the_flag_that_fits(path):
    strip_attributes(path)
    other = MobileNetV2(Settings(alpha=0.5, weights="none"))
    before = other.network.get_weights()
    with (
        WeightFile(path, FLAG) as file,
        pytest.raises(InputError, match=r"--mobilenetv2_alpha=0\.35 may fit\."),
    ):
        other._load(file, other.network.weights)
    for ours, theirs in zip(before, other.network.get_weights(), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"alpha": "abc"}, "its attribute alpha is 'abc'; expected a number from 0.05"),
        ({"alpha": float("nan")}, "alpha is 'nan'"),
        ({"alpha": [1.0, 2.0]}, "alpha is .*1. 2."),
        ({"alpha": 0}, "alpha is '0'"),
        ({"alpha": -1}, "alpha is '-1'"),
        ({"alpha": 1e6}, "alpha is '1000000.0'"),
        ({"alpha": 0.35, "first_score": "low"}, "its attribute first_score is 'low'"),
    ],
)
def test_attributes_of_no_sense_are_told_in_one_line(narrow_path, attributes, found):
    with h5py.File(narrow_path, "a") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
    with pytest.raises(InputError, match=found) as caught:
        MobileNetV2.from_file(narrow_path, FLAG)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(narrow_path, value):
    with h5py.File(narrow_path, "a") as file:
        file["bn_Conv1"]["bn_Conv1/gamma:0"][3] = value
    with pytest.raises(
        InputError, match=r"bn_Conv1/gamma:0 holds values .* not finite"
    ):
        MobileNetV2.from_file(narrow_path, FLAG)


def test_a_name_that_leads_to_a_group_is_told(narrow_path):
    with h5py.File(narrow_path, "a") as file:
        del file["dense"]["dense/kernel:0"]
        file["dense"].create_group("dense/kernel:0")
    with pytest.raises(InputError, match="its dense/kernel:0 is not an array"):
        MobileNetV2.from_file(narrow_path, FLAG)


def test_another_network_is_not_taken_for_another_width(tmp_path, predictor):
    # Its last convolution is 1 x 1, too.
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(32, 3),
            keras.layers.Conv2D(64, 1),
            keras.layers.Conv2D(8, 1),
        ]
    )
    weight_files.save(tmp_path / "o.h5", network, {})
    found = (
        r"is not a MobileNetV2: it holds 6 arrays, the first of shape \[3, 3, 3, 32\]"
    )
    with (
        WeightFile(tmp_path / "o.h5", FLAG) as file,
        pytest.raises(InputError, match=found),
    ):
        predictor._load(file, predictor.network.weights)


def test_a_full_disk_is_an_ordinary_error_and_the_old_file_stays(
    path, predictor, monkeypatch
):
    def fill(aside, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left") as caught:
        weight_files.save(path, predictor.network, {})
    assert caught.value.filename == str(path) and path.read_bytes() == before


def write_text(path):
    path.write_text("not weights")


def write_keras_3(path):
    network = make_keras_own()
    network.save_weights(path.with_name("k.weights.h5"))
    path.with_name("k.weights.h5").rename(path)


def write_other_network(path):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    weight_files.save(path, network, {})


def write_truncated(path):
    weight_files.save(path, make_keras_own(), {})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (write_text, "is not an HDF5 file"),
        (write_keras_3, "without Keras 2's list of layers"),
        (write_other_network, "is not a MobileNetV2"),
        (write_truncated, "not an HDF5 file, or is damaged|is damaged"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_foreign_files_are_told_in_one_line(tmp_path, write, found):
    write(tmp_path / "f.h5")
    with pytest.raises(InputError, match=found) as caught:
        MobileNetV2.from_file(tmp_path / "f.h5", FLAG)
    assert "\n" not in str(caught.value)


def test_a_file_that_claims_absurd_shapes_takes_no_memory(narrow_path):
    with h5py.File(narrow_path, "a") as file:
        del file["dense"]["dense/kernel:0"]
        file["dense"].create_dataset(
            "dense/kernel:0", (10**6, 10**6), "f4", chunks=(1000, 1000)
        )
    with pytest.raises(InputError, match=r"dense/kernel:0 of shape \[1000000, 1000000"):
        MobileNetV2.from_file(narrow_path, FLAG)


@pytest.mark.parametrize("dtype", ["S30000", "c16"])
def test_what_is_no_number_is_not_read(narrow_path, dtype):
    with h5py.File(narrow_path, "a") as file:
        shape = file["dense"]["dense/kernel:0"].shape
        del file["dense"]["dense/kernel:0"]
        file["dense"].create_dataset("dense/kernel:0", shape, dtype, chunks=shape)
    with pytest.raises(InputError, match="dense/kernel:0 is not an array of"):
        MobileNetV2.from_file(narrow_path, FLAG)


@pytest.mark.parametrize("kind", ["link", "virtual", "external"])
def test_arrays_of_other_files_are_not_read(narrow_path, tmp_path, kind):
    secret = tmp_path / "secret.h5"
    with h5py.File(narrow_path, "a") as file, h5py.File(secret, "w") as other:
        other["kernel"] = file["dense"]["dense/kernel:0"][()]
        del file["dense"]["dense/kernel:0"]
        group, shape = file["dense"], other["kernel"].shape
        if kind == "link":
            group["dense/kernel:0"] = h5py.ExternalLink(str(secret), "kernel")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, "f4")
            layout[:] = h5py.VirtualSource(str(secret), "kernel", shape)
            group.create_virtual_dataset("dense/kernel:0", layout)
        else:
            raw = [(str(secret), 0, h5py.h5f.UNLIMITED)]
            group.create_dataset("dense/kernel:0", shape, "f4", external=raw)
    with pytest.raises(InputError, match="dense/kernel:0 would be read from another"):
        MobileNetV2.from_file(narrow_path, FLAG)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras", "a"])
def test_names_that_keras_reads_otherwise_are_refused(name):
    with pytest.raises(InputError, match=r"--weight_filename=a.* ends in \.h5"):
        RunFiles("train", name)
