"""Checkpoints of the TF1 code: what is written for it is what is read from it."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from models import tf1_names
from models.eusr import EUSR
from models.generator_settings import Training
from tests.four_pass import SMALL, make_four_pass, weigh_only
from tests.scripts import fail_here, succeed_here
from tests.small import SMALL as SMALL_EUSR
from tests.small import draw_batch, make_small
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions


def save(model, folder, step=2):
    return CheckpointWriter(model.checkpoint_items(), folder, 1).save(step)


def train(model, steps=2, scale=2):
    for _ in range(steps):
        model.train_step(*draw_batch(scale), scale)
        model.state.step.assign_add(1)
    return model


def same(one, two):
    return all(
        a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in zip(one, two, strict=True)
    )


def export(prefix, target, *more):
    return succeed_here(
        *("freeze.py", "--format=tf1"),
        *(f"--restore_path={prefix}", f"--output_path={target}", *more),
    )


def test_weights_and_moments_come_back_to_the_bit(tmp_path, capsys):
    model = train(make_small(), steps=3)
    target = tmp_path / "tf1" / "model.ckpt-3"
    said = export(save(model, tmp_path / "run"), target)
    assert "weights and Adam's moments" in said and "is identical" in said
    assert sorted(os.listdir(target.parent)) == [
        "model.ckpt-3.data-00000-of-00001",
        "model.ckpt-3.index",
    ]
    again = make_small()
    again.generator.first_conv.bias.assign_add(tf.ones((4,)))
    again.restore(str(target))
    assert "Adam's moments after 3 steps" in capsys.readouterr().out
    assert same(again.generator.weights, model.generator.weights)
    assert same(
        again.optimizers["generator"].variables[2:],
        model.optimizers["generator"].variables[2:],
    )
    assert int(again.optimizers["generator"].iterations) == 3
    # The next step is that of the run that went on.
    for one in (model, again):
        one.train_step(*draw_batch(2), 2)
    assert same(again.generator.weights, model.generator.weights)


def test_a_network_of_another_form_goes_as_one_of_the_original_form(tmp_path):
    architecture = dataclasses.replace(SMALL_EUSR, input_scale=127.5, start_kernel=3)
    model = train(EUSR(architecture, Training()))
    prefix = save(model, tmp_path / "run")
    assert "(weights of " in export(prefix, tmp_path / "tf1" / "model.ckpt-2")
    again = make_small()
    again.restore(str(tmp_path / "tf1" / "model.ckpt-2"))
    lr = tf.cast(draw_batch(2)[0], tf.float32)
    expected = model.forward(lr, 2)
    np.testing.assert_allclose(again.forward(lr, 2), expected, rtol=0, atol=1e-3)


def test_the_names_are_those_of_the_original(tmp_path):
    prefix = tmp_path / "model.ckpt-0"
    export(save(make_small(), tmp_path / "run"), prefix)
    names = set(tf.train.load_checkpoint(str(prefix)).get_variable_to_shape_map())
    assert {
        "beta1_power",
        "beta2_power",
        "generator/first_conv/conv2d/kernel",
        "generator/first_conv/conv2d/kernel/Adam",
        "generator/first_conv/conv2d/bias/Adam_1",
        "generator/shared/conv2d_2/kernel",
        "generator/upscaling/x2/m0/px0/conv2d/bias",
    } <= names


def test_a_saver_of_tensorflow_1_reads_it(tmp_path):
    model = train(make_small(), steps=1)
    target = tmp_path / "model.ckpt-1"
    export(save(model, tmp_path / "run"), target)
    name = "generator/first_conv/conv2d/kernel"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with tf.compat.v1.variable_scope("generator/first_conv/conv2d"):
            shape = tuple(model.generator.first_conv.kernel.shape)
            kernel = tf.compat.v1.get_variable("kernel", shape, use_resource=False)
            moment = tf.compat.v1.get_variable("kernel/Adam", shape, use_resource=False)
        tf.compat.v1.train.Saver().restore(session, str(target))
        read = session.run([kernel, moment])
    assert kernel.op.name == name
    np.testing.assert_array_equal(read[0], model.generator.first_conv.kernel.numpy())
    assert np.abs(read[1]).max() > 0


def test_both_networks_of_a_4pp_eusr_come_back(tmp_path):
    model = make_four_pass(is_narrow=False, **weigh_only("lg"))
    target = tmp_path / "model.ckpt-5"
    said = export(save(model, tmp_path / "run", 5), target)
    assert "(weights of" in said
    again = make_four_pass(is_narrow=False, **weigh_only("lg"))
    # The mean of R, G and B is not in files of the TF1 code.
    for network in (again.generator, again.discriminator):
        for variable in network.trainable_variables:
            variable.assign_add(tf.ones(variable.shape))
    again.restore(str(target))
    for name in ("generator", "discriminator"):
        assert same(getattr(again, name).weights, getattr(model, name).weights)


def test_the_averaged_weights_go_without_moments(tmp_path):
    model = train(make_small(options=StepOptions(ema_decay=0.5)))
    run = save(model, tmp_path / "run")
    for more, weights in (
        ((), model.average.weights),
        (("--nouse_ema",), model.generator.weights),
    ):
        said = export(run, tmp_path / "model.ckpt-2", *more)
        assert ("Adam's moments" in said) == bool(more)
        again = make_small()
        again.restore(str(tmp_path / "model.ckpt-2"))
        assert same(again.generator.weights, weights)


@pytest.mark.parametrize("steps", [0, 1, 7, 600, 5000, 50_000])
def test_the_steps_are_known_from_the_powers_of_the_betas(steps):
    optimizer = make_small().optimizers["generator"]
    powers = [np.float32(beta ** (steps + 1)) for beta in (0.9, 0.999)]
    found = tf1_names._to_steps([float(power) for power in powers], optimizer)
    assert found == steps


def test_beyond_float32_there_were_many_steps():
    found = tf1_names._to_steps([0.0, 0.0], make_small().optimizers["generator"])
    assert found >= 100_000


def test_weights_without_moments_begin_anew_and_say_so(tmp_path, capsys):
    model = make_small()
    layers = tf1_names.of_generator(model.generator)
    tf1_names.write(tmp_path / "model.ckpt-9", layers)
    again = make_small()
    again.restore(str(tmp_path / "model.ckpt-9"))
    said = capsys.readouterr().out
    assert "without Adam's moments" in said
    assert same(again.generator.weights, model.generator.weights)
    assert int(again.optimizers["generator"].iterations) == 0
    # A model that only upscales has nothing to say about moments.
    EUSR(again.architecture).restore(str(tmp_path / "model.ckpt-9"))
    assert "Adam" not in capsys.readouterr().out


def test_mistakes_get_one_line(tmp_path):
    prefix = save(make_small(), tmp_path / "run")
    script = ("freeze.py", "--format=tf1")
    assert "must be given" in fail_here(*script, f"--restore_path={prefix}")
    to = f"--output_path={tmp_path / 'x'}"
    line = fail_here(*script, f"--restore_path={prefix}", to, "--scales=2")
    assert "--format=tf1 keeps the whole network; leave out --scales." in line
    for name in ("tf1", "weights"):
        line = fail_here("freeze.py", f"--format={name}", to, "--model=bicubic")
        assert "--model=bicubic has no checkpoint to write." in line
    (tmp_path / "model.ckpt-1.index").mkdir()
    target = f"--output_path={tmp_path / 'model.ckpt-1'}"
    line = fail_here(*script, f"--restore_path={prefix}", target)
    assert "model.ckpt-1.index is a folder" in line
    missing = f"--restore_path={tmp_path / 'none'}"
    assert "not found" in fail_here(*script, missing, f"--output_path={tmp_path / 'x'}")
    tf1_names.write(
        tmp_path / "tf1.ckpt-1", tf1_names.of_generator(make_small().generator)
    )
    theirs = f"--restore_path={tmp_path / 'tf1.ckpt-1'}"
    line = fail_here(*script, theirs, f"--output_path={tmp_path / 'x'}")
    assert "is already a checkpoint of the TensorFlow 1 code" in line
    assert not list(tmp_path.glob("x*")) and not list(tmp_path.glob("model*.data*"))
    assert not list(tmp_path.glob(".export*"))


def test_an_architecture_is_read_from_what_was_exported(tmp_path):
    model = EUSR(SMALL)
    target = tmp_path / "model.ckpt-0"
    tf1_names.write(target, tf1_names.of_generator(model.generator))
    fields = tf1_names.read_architecture(str(target))
    assert fields == {
        "model_scales": (2, 4, 8),
        "conv_features": 4,
        "shared_blocks": 1,
        "upscale_blocks": 1,
    }
