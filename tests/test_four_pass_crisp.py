"""What leaves the paper: the U-Net, relativistic losses, features place by place."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from metrics.feature_distance import feature_distance
from models import exporting, losses, tf1_names
from models.discriminator import Discriminator
from models.four_pass_settings import RELATIVISTIC, SPATIAL, FourPassTraining
from models.unet import SpectralConvolution, UNetDiscriminator
from tests.four_pass import (
    make_four_pass,
    moved,
    read,
    take_step,
    weigh_only,
    write_predictor,
)
from tests.small import draw_batch
from training.checkpoint_writer import CheckpointWriter
from training.schedule import Schedule


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


@pytest.fixture(scope="module")
def with_maps(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "maps.pb"
    return write_predictor(path, has_maps=True)


# The U-Net.


@pytest.mark.parametrize("size", [(16, 16), (21, 34)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_unet_judges_each_pixel(size, policy):
    logits = UNetDiscriminator(policy, 4)(tf.zeros((2, *size, 3)))
    assert logits.shape == (2, *size, 1) and logits.dtype == tf.float32


def test_a_kernel_is_divided_by_its_spectral_norm():
    layer = SpectralConvolution(8, 3, use_bias=False, kernel_initializer="he_normal")
    layer.build((None, None, None, 6))
    exact = np.linalg.norm(layer.kernel.numpy().reshape(-1, 8), 2)
    # The power method comes from below.
    assert 0.85 * exact < float(layer.spectral_norm()) <= exact * (1 + 1e-5)


def test_the_unet_learns_to_tell_sharp_from_blurred():
    keras.utils.set_random_seed(0)
    network, draw = UNetDiscriminator(features=4), np.random.default_rng(0)
    optimizer = keras.optimizers.Adam(2e-3)
    sharp = draw.uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    blurred = tf.nn.avg_pool2d(sharp, 3, 1, "SAME")

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = losses.cross_entropy(network(blurred), is_real=False)
            loss += losses.cross_entropy(network(sharp), is_real=True)
        values = [v.value for v in network.trainable_variables]
        gradients = tape.gradient(loss, values)
        optimizer.apply_gradients(
            zip(gradients, network.trainable_variables, strict=True)
        )
        return loss

    first = float(step())
    for _ in range(40):
        last = float(step())
    assert first > 1.2 and last < 0.8


@pytest.mark.parametrize("kind", ["paper", "unet"])
def test_a_checkpoint_tells_which_discriminator_it_holds(kind, tmp_path):
    model = make_four_pass(
        discriminator=kind, discriminator_features=2, **weigh_only("lg")
    )
    prefix = CheckpointWriter(model.checkpoint_items(), tmp_path, 1).save(0)
    found = exporting.read_discriminator(prefix)
    assert type(found) is type(model.discriminator)
    for ours, theirs in zip(found.weights, model.discriminator.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_values_kept_for_the_gradient_grow_with_the_features():
    for made in (Discriminator, UNetDiscriminator):
        assert made.count_values(32) == 2 * made.count_values(16) > 64
    # The first convolution of the U-Net has twice the features at full size.
    assert UNetDiscriminator.count_values() > Discriminator.count_values()


# Its losses.


@pytest.mark.parametrize("kind", ["paper", "unet"])
def test_relativistic_losses_compare_with_the_others_average(kind, batch):
    model = make_four_pass(
        adversarial_loss=RELATIVISTIC,
        discriminator=kind,
        discriminator_features=2,
        **weigh_only("lg"),
    )
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    fake = np.stack([model.discriminator(model.estimate(lr, s)) for s in (2, 4, 8)])
    real = model.discriminator(hr).numpy()
    values = take_step(model, batch)

    def entropy(logits):
        return np.mean(np.log1p(np.exp(logits)))

    more_fake, more_real = fake - real.mean(), real - fake.mean()
    fooled = entropy(-more_fake) + entropy(more_real)
    caught = entropy(more_fake) + entropy(-more_real)
    assert values["adversarial"] == pytest.approx(fooled, rel=1e-4)
    assert values["discriminator"] == pytest.approx(caught, rel=1e-4)


def test_the_generator_waits_for_the_discriminator(batch):
    model = make_four_pass(discriminator_warmup_steps=2, **weigh_only("lr", "lg"))
    for step in range(3):
        judge, generator = (
            read(x) for x in (model.discriminator.trainable_variables, model.variables)
        )
        take_step(model, batch)
        assert any(moved(judge, model.discriminator.trainable_variables))
        assert any(moved(generator, model.variables)) == (step == 2)


def test_a_held_rate_rises_after_it_was_held():
    schedule = Schedule(1.0, warmup_steps=4, held_steps=3)
    rates = [float(schedule.at(tf.constant(step))) for step in range(9)]
    np.testing.assert_allclose(rates, [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])


# Features place by place.


def grid_of(error):
    hr = tf.random.stateless_uniform((1, 48, 48, 3), (0, 0), 0, 255)
    return float(losses.grid_loss(hr + tf.cast(error, tf.float32), hr))


def test_a_grid_is_found_and_texture_is_not():
    dots, columns = np.zeros((2, 1, 48, 48, 3))
    dots[:, ::4, ::4], columns[:, :, 1::2] = 4, 4
    # Fifteen sixteenths of 4 at one of 16 positions, a sixteenth at the others.
    assert grid_of(dots) == pytest.approx(4 * 30 / 256, rel=1e-3)
    assert grid_of(columns) == pytest.approx(2, rel=1e-3)
    noise = np.random.default_rng(0).normal(0, 10, dots.shape)
    ramp = np.linspace(0, 99, 48)[:, None] + np.zeros_like(dots)
    blocks = np.kron(noise[:, ::8, ::8], np.ones((1, 8, 8, 1)))
    assert grid_of(noise) < 0.2 and grid_of(blocks) < 0.2 and grid_of(0 * ramp) == 0
    assert grid_of(noise + dots) > 3 * grid_of(noise)


def test_a_step_lowers_the_grid(batch):
    model = make_four_pass(learning_rate=1e-3, **weigh_only("grid"))
    found = [take_step(model, batch)["grid_loss"] for _ in range(4)]
    assert found[0] > 0 and min(found[1:]) < found[0]


def test_features_are_compared_where_they_are(with_maps, batch):
    model = make_four_pass(
        representation=SPATIAL,
        content_path=with_maps,
        subjective_nima_path=with_maps,
        **(weigh_only("lsr") | {"weight_lc": 0.5}),
    )
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    predictor = model.predictors["subjective"]
    assert predictor is model.predictors["content"]
    *_, truth = predictor.describe(hr)
    by_hand = [
        feature_distance(predictor.describe(model.estimate(lr, s))[2], truth)
        for s in (2, 4, 8)
    ]
    before = read(model.variables)
    values = take_step(model, batch)
    assert any(moved(before, model.variables))
    for name in ("subjective_representation", "content"):
        assert values[name] == pytest.approx(np.mean(by_hand), rel=1e-4)
    assert values["loss"] == pytest.approx(1.5 * np.mean(by_hand), rel=1e-4)


def test_a_file_without_maps_is_refused(tmp_path):
    path = write_predictor(tmp_path / "old.pb")
    for options in (
        {"content_path": path, **weigh_only("lc")},
        {
            "representation": SPATIAL,
            "subjective_nima_path": path,
            **weigh_only("lsr"),
        },
    ):
        with pytest.raises(InputError, match="has no maps of features"):
            make_four_pass(**options)
    with pytest.raises(InputError, match="--eusr_weight_lc needs --eusr_content_path"):
        make_four_pass(**weigh_only("lc"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"discriminator_warmup_steps": 5, "weight_lg": 0.0},
            "--eusr_discriminator_warmup_steps has no effect without --eusr_weight_lg",
        ),
        ({"content_path": "a.pb"}, "--eusr_content_path has no effect without"),
        (
            {"representation": SPATIAL, "weight_lar": 0.0, "weight_lsr": 0.0},
            "--eusr_representation has no effect without --eusr_weight_lar or",
        ),
    ],
)
def test_what_no_loss_would_use_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        FourPassTraining(**options).check()


def test_a_warmup_that_would_never_end_is_refused():
    model = make_four_pass(discriminator_warmup_steps=5, **weigh_only("lr", "lg"))
    with pytest.raises(InputError, match="with --max_steps=5 nothing else"):
        model.check_run(5, 8)
    model.check_run(6, 8)


def test_the_tf1_code_has_the_papers_discriminator_only():
    has = tf1_names.has_discriminator
    assert has(Discriminator()) and not has(Discriminator(features=2))
    assert not has(UNetDiscriminator(features=2)) and not has(None)


def test_the_registry_is_listed():
    with pytest.raises(InputError, match="paper, unet"):
        FourPassTraining(discriminator="none").make_discriminator("float32")
