"""Against files that the original TensorFlow 1.15 code wrote."""

import numpy as np
import pytest
import tensorflow as tf

from frozen.upscaler import Upscaler
from models import tf1_names
from models.eusr import EUSR
from models.generator_settings import Architecture, Training
from models.opening import open_model
from tests.shared_data import SHARED, needs_shared
from training import checkpoints
from upscaling.tiles import upscale_image

pytestmark = needs_shared

FOLDER = SHARED / "reference" / "tf1" / "eusr"
CHECKPOINT = str(FOLDER / "model.ckpt-0")


@pytest.fixture(scope="module")
def theirs():
    return np.load(FOLDER / "io.npz")


def load_model():
    fields = tf1_names.read_architecture(CHECKPOINT)
    model = EUSR(Architecture(**fields), Training())
    model.restore(CHECKPOINT)
    return model


def test_the_sizes_are_read_from_the_weights():
    assert tf1_names.read_architecture(CHECKPOINT) == {
        "model_scales": (2, 4, 8),
        "conv_features": 8,
        "shared_blocks": 2,
        "upscale_blocks": 1,
    }


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_outputs_are_the_originals(theirs, scale):
    model, step = open_model(CHECKPOINT), checkpoints.read_step(CHECKPOINT)
    ours = model.forward(tf.constant(theirs["x"]), scale)
    assert step == 0
    # Values reach thousands, and processors round them differently.
    np.testing.assert_allclose(ours, theirs[f"y{scale}"], rtol=5e-6, atol=4e-3)


def test_loss_and_output_are_the_originals_over_two_adam_steps(theirs):
    model = load_model()
    lr, hr = theirs["train_x"], theirs["train_y"]
    first = float(model.train_step(lr, hr, 4)["loss"])
    assert first == pytest.approx(float(theirs["loss/recon_l1"]), rel=1e-6)
    model.train_step(lr, hr, 4)
    output = model.forward(tf.constant(theirs["x"]), 4)
    np.testing.assert_allclose(output, theirs["y4_after2"], rtol=0, atol=0.2)
    third = float(model.train_step(lr, hr, 4)["loss"])
    assert third == pytest.approx(float(theirs["loss_after2/recon_l1"]), rel=2e-2)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_originals_frozen_file_runs(theirs, scale):
    stages = Upscaler(FOLDER / "model.pb").stages(scale)
    ours = upscale_image(stages, theirs["x"][0])
    np.testing.assert_allclose(ours, theirs[f"y{scale}"][0], rtol=5e-6, atol=4e-3)
