"""4PP-EUSR against files that the original TensorFlow 1.15 code wrote."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from imaging.files import load_image, save_image
from models import tf1_names
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import PASSES, FourPassTraining
from models.generator_settings import Architecture
from tests.scripts import succeed_here
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared

TF1 = SHARED / "reference" / "tf1"
CHECKPOINT = str(TF1 / "4pp_eusr" / "model.ckpt-0")
TRAINING = FourPassTraining(
    aesthetic_nima_path=str(TF1 / "predictors" / "ava.pb"),
    subjective_nima_path=str(TF1 / "predictors" / "tid2013.pb"),
    x8_reduction="legacy",
)
# Their names, and ours.
LOSSES = {
    "recon": "reconstruction",
    "adv": "adversarial",
    "aesthetic_score": "aesthetic_score",
    "aesthetic_rep": "aesthetic_representation",
    "subjective_score": "subjective_score",
    "subjective_rep": "subjective_representation",
    "final": "loss",
    "discriminator": "discriminator",
}


@pytest.fixture(scope="module")
def theirs():
    return np.load(TF1 / "4pp_eusr" / "io.npz")


def load_model(**changes):
    fields = tf1_names.read_architecture(CHECKPOINT)
    training = dataclasses.replace(TRAINING, **changes)
    model = FourPassEUSR(Architecture(**fields), training)
    model.restore(CHECKPOINT)
    return model


@pytest.mark.parametrize("last", PASSES)
def test_the_estimates_are_the_originals(theirs, last):
    ours = load_model().estimate(tf.constant(theirs["x"]), last)
    np.testing.assert_allclose(ours, theirs[f"y{last}"], rtol=5e-6, atol=4e-3)


def test_losses_and_output_are_the_originals_over_two_steps(theirs):
    model = load_model()
    lr, hr = theirs["train_x"], theirs["train_y"]
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, 4), autograph=False)
    first = step(lr, hr)
    step(lr, hr)
    output = model.forward(tf.constant(theirs["x"]), 4)
    third = step(lr, hr)
    for name, ours in LOSSES.items():
        exact = name in ("recon", "adv", "final", "discriminator")
        assert float(first[ours]) == pytest.approx(
            float(theirs[f"loss/{name}"]), rel=1e-6 if exact else 1e-3
        ), name
        assert float(third[ours]) == pytest.approx(
            float(theirs[f"loss_after2/{name}"]), rel=2e-2
        ), name
    np.testing.assert_allclose(output, theirs["y4_after2"], rtol=0, atol=0.2)


def test_an_eusr_of_the_original_has_no_discriminator_and_starts_a_run(theirs):
    checkpoint = str(TF1 / "eusr" / "model.ckpt-0")
    model = load_model()
    before = model.discriminator.last.kernel.numpy()
    with pytest.raises(InputError, match="holds no discriminator.*=generator"):
        model.restore(checkpoint)
    model.restore(checkpoint, "generator")
    np.testing.assert_array_equal(model.discriminator.last.kernel.numpy(), before)


def test_a_wrong_reduction_would_be_found(theirs):
    ours = load_model(x8_reduction="antialias").estimate(tf.constant(theirs["x"]), 8)
    assert np.abs(ours - theirs["y8"]).max() > 1


@pytest.fixture
def upscale(tmp_path):
    """Upscales a picture by the original's frozen file; and what it should become."""
    lr = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    save_image(tmp_path / "lr.png", lr)

    def run(*flags):
        said = succeed_here(
            "test.py",
            *(f"--model_name={TF1 / '4pp_eusr' / 'model.pb'}", *flags),
            *(f"--input_path={tmp_path / 'lr.png'}", f"--output_path={tmp_path}/SR"),
        )
        return said, load_image(tmp_path / "SR" / "lr.png")

    def estimate(last):
        return load_model().estimate(tf.constant(lr[None], tf.float32), last)[0]

    return run, estimate


def near(picture, estimate):
    return np.abs(picture - np.clip(estimate, 0, 255)).max() < 0.51


@pytest.mark.parametrize("last", PASSES)
def test_the_scale_of_their_frozen_file_is_the_pass(upscale, last):
    run, estimate = upscale
    said, picture = run(f"--scale={last}")
    assert near(picture, estimate(last))
    assert ("selects a pass of 4PP-EUSR" in said) == (last != 4)
    assert "Upscaled 1 of 1 pictures by 4." in said


def test_all_passes_of_their_frozen_file_are_averaged(upscale):
    run, estimate = upscale
    _, picture = run("--all_passes")
    assert near(picture, sum(estimate(last) for last in PASSES) / 3)
