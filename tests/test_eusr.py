import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from models.eusr import EUSR
from models.generator_settings import Training
from models.opening import open_model
from tests.small import SMALL, draw_batch, make_small
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions


def test_a_step_lowers_the_loss_of_its_batch():
    keras.utils.set_random_seed(0)
    model = make_small(learning_rate=1e-2)
    lr, hr = draw_batch(2)
    losses = [float(model.train_step(lr, hr, 2)["loss"]) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]


def test_the_loss_is_the_mean_absolute_error():
    model = make_small()
    lr, hr = draw_batch(4)
    sr = model.forward(tf.cast(lr, tf.float32), 4).numpy()
    expected = np.abs(sr - hr.astype(np.float32)).mean()
    loss = float(model.train_step(lr, hr, 4)["loss"])
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_step_moves_only_what_its_scale_uses():
    model = make_small(learning_rate=1e-2)
    model.train_step(*draw_batch(4), 4)
    before = {v.path: v.numpy() for v in model.generator.weights}
    model.train_step(*draw_batch(2), 2)
    used = {v.path for v in model.generator.path_variables(2)}
    moved = {
        v.path
        for v in model.generator.weights
        if not np.array_equal(before[v.path], v.numpy())
    }
    assert moved == used


def test_the_first_step_of_adam_is_the_learning_rate_in_each_weight():
    model = make_small(learning_rate=0.25)
    before = model.generator.first_conv.bias.numpy()
    model.train_step(*draw_batch(2), 2)
    moved = np.abs(model.generator.first_conv.bias.numpy() - before)
    np.testing.assert_allclose(moved, 0.25, rtol=1e-3)


def test_the_learning_rate_follows_the_runs_own_step():
    model = make_small(learning_rate_decay_steps=10)
    model.state.step.assign(10)
    assert model.learning_rates()["learning_rate"] == pytest.approx(5e-5)
    assert float(model.optimizers["generator"].learning_rate) == pytest.approx(5e-5)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(
    "options",
    [
        StepOptions(),
        StepOptions(precision="bfloat16", ema_decay=0.9, gradient_clip_norm=1.0),
        StepOptions(jit_compile=True),
    ],
)
def test_no_more_than_two_gradients_meet_in_one_sum(scale, options):
    # TensorFlow adds three or more in an order that varies from run to run.
    model = make_small(options)
    lr, hr = draw_batch(scale)
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, scale))
    graph_def = step.get_concrete_function(lr, hr).graph.as_graph_def()
    # What XLA compiles is a function of its own.
    nodes = [*graph_def.node]
    for function in graph_def.library.function:
        nodes.extend(function.node_def)
    counts = [node.attr["N"].i for node in nodes if node.op == "AddN"]
    assert counts and max(counts) == 2


OTHERS = [
    {"shared_blocks": 2},
    {"upscale_blocks": 2},
    {"conv_features": 8},
    {"rgb_mean": (0.0, 0.0, 0.0)},
]


@pytest.mark.parametrize("changed", OTHERS)
def test_weights_of_another_network_are_refused_with_the_flags_that_fit(
    tmp_path, changed
):
    # A deeper network has all the weights that a shallower one asks for.
    other = EUSR(dataclasses.replace(SMALL, **changed))
    prefix = CheckpointWriter(other.checkpoint_items(), tmp_path, 1).save(1)
    model = make_small()
    before = [weight.numpy() for weight in model.generator.weights]
    for target in (None, "generator"):
        with pytest.raises(InputError, match=f"--eusr_{next(iter(changed))}="):
            model.restore(prefix, target)
    for old, weight in zip(before, model.generator.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


def test_weights_of_a_network_with_more_scales_are_taken(tmp_path):
    other = EUSR(dataclasses.replace(SMALL, model_scales=(2, 4, 8)))
    prefix = CheckpointWriter(other.checkpoint_items(), tmp_path, 1).save(1)
    model = make_small()
    model.restore(prefix, "generator")
    np.testing.assert_array_equal(
        model.generator.first_conv.kernel.numpy(),
        other.generator.first_conv.kernel.numpy(),
    )


def test_equal_seeds_give_equal_weights():
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        weights.append(make_small().generator.first_conv.kernel.numpy())
    np.testing.assert_array_equal(*weights)


def test_a_checkpoint_carries_input_scale_and_start_kernel(tmp_path):
    architecture = dataclasses.replace(SMALL, input_scale=127.5, start_kernel=3)
    model = EUSR(architecture, Training())
    prefix = CheckpointWriter(model.checkpoint_items(), tmp_path, 1).save(0)
    opened = open_model(str(tmp_path))
    lr = tf.cast(draw_batch(2)[0], tf.float32)
    np.testing.assert_array_equal(opened.forward(lr, 2), model.forward(lr, 2))
    with pytest.raises(InputError) as raised:
        make_small().restore(prefix)
    assert "--eusr_input_scale=127.5 (not 1.0)" in str(raised.value)
    assert "--eusr_start_kernel=3 (not 5)" in str(raised.value)
