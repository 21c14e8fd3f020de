"""What every model offers, of 4PP-EUSR: precisions, XLA, a resume, a start."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from models.eusr import EUSR
from models.four_pass_settings import FourPassTraining
from tests.four_pass import (
    LOSSES,
    SMALL,
    make_four_pass,
    moved,
    reaches_all_passes,
    read,
    take_step,
    weigh_only,
    write_predictors,
)
from tests.small import draw_batch
from training.checkpoint_writer import CheckpointWriter
from training.options import StepOptions


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_predictors(tmp_path_factory.mktemp("predictors"))


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


@pytest.mark.parametrize(
    "options",
    [
        StepOptions(precision="bfloat16", ema_decay=0.9, gradient_clip_norm=1.0),
        StepOptions(jit_compile=True),
    ],
)
def test_no_more_than_two_gradients_meet_in_one_sum(options, paths, batch):
    # TensorFlow adds three or more in an order that varies from run to run.
    model = make_four_pass(options, **paths)
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, 4), autograph=False)
    graph_def = step.get_concrete_function(*batch).graph.as_graph_def()
    nodes = [*graph_def.node]
    for function in graph_def.library.function:
        nodes.extend(function.node_def)
    counts = [node.attr["N"].i for node in nodes if node.op == "AddN"]
    assert counts and max(counts) == 2


def test_xla_computes_the_same(paths, batch):
    training = paths | {"judge_shift": 3}
    plain = take_step(make_four_pass(**training), batch)
    options = StepOptions(jit_compile=True)
    compiled = take_step(make_four_pass(options, **training), batch)
    assert compiled == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions_compute_nearly_the_same(precision, paths, batch):
    # The rounding of a wide network averages out.
    wide = {"is_narrow": False, **paths}
    plain = take_step(make_four_pass(**wide), batch)
    model = make_four_pass(StepOptions(precision=precision), **wide)
    before = read(model.variables)
    other = take_step(model, batch)
    for name in ("loss", *LOSSES.values(), "discriminator"):
        assert other[name] == pytest.approx(plain[name], rel=0.02, abs=1e-3), name
    while math.isinf(other["gradient_norm"]) and model.step < 9:
        other = take_step(model, batch)  # The scale of the loss falls first.
    assert reaches_all_passes(before, model.variables)


def test_a_step_that_is_not_finite_moves_neither_network(paths, batch):
    model = make_four_pass(StepOptions(skip_nonfinite=1, ema_decay=0.5), **paths)
    lr = batch[0].astype(np.float32)
    lr[0, 0, 0, 0] = np.nan
    networks = (*model.generator.weights, *model.discriminator.weights)
    before = read((*networks, *model.average.weights))
    take_step(model, (lr, batch[1].astype(np.float32)))
    assert not any(moved(before, (*networks, *model.average.weights)))
    assert int(model.state.skipped) == 1


def test_a_run_in_two_parts_ends_as_one_that_ran_through(tmp_path, paths, batch):
    options = StepOptions(ema_decay=0.9)
    training = paths | {"judge_shift": 3}
    whole = make_four_pass(options, **training)
    take_step(whole, batch, steps=3)
    first = make_four_pass(options, **training)
    take_step(first, batch, steps=2)
    prefix = CheckpointWriter(first.checkpoint_items(), tmp_path, 1).save(2)
    again = make_four_pass(options, **training)
    again.generator.first_conv.bias.assign_add(tf.ones((4,)))
    again.restore(prefix, resume=True)
    take_step(again, batch)
    for name, root in (
        ("generator", lambda m: m.generator.weights),
        ("discriminator", lambda m: m.discriminator.weights),
        ("average", lambda m: m.average.weights),
        ("optimizer", lambda m: m.optimizers["generator"].variables),
        ("discriminator's", lambda m: m.optimizers["discriminator"].variables),
    ):
        for one, other in zip(root(whole), root(again), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=name)


def test_a_run_starts_from_the_generator_of_an_eusr(tmp_path):
    eusr = EUSR(SMALL)
    eusr.state.step.assign(7)
    prefix = CheckpointWriter(eusr.checkpoint_items(), tmp_path, 1).save(7)
    model = make_four_pass(**weigh_only("lg"))
    model.restore(prefix, "generator")
    for one, other in zip(eusr.generator.weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert model.step == 0
    with pytest.raises(InputError, match="--restore_target=generator"):
        model.restore(prefix)


def test_all_weights_zero_is_an_error():
    with pytest.raises(InputError, match="all weights are 0"):
        make_four_pass(**weigh_only())


def test_a_missing_predictor_is_named_with_the_weights_that_do_without():
    training = dataclasses.asdict(FourPassTraining())
    with pytest.raises(InputError) as caught:
        make_four_pass(**training)
    assert "--eusr_aesthetic_nima_path must be given" in str(caught.value)
    assert "--eusr_weight_las=0 --eusr_weight_lar=0" in str(caught.value)
