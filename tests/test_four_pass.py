import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from imaging.imresize import imresize
from models import losses, watching
from models.discriminator import Discriminator
from models.eusr import EUSR
from models.four_pass_settings import PASSES, FourPassTraining
from models.judging import ScoreJudge
from models.predictors import ScorePredictor
from models.reduction import halve
from models.watching import DiscriminatorWatch
from tests.four_pass import (
    SMALL,
    make_four_pass,
    weigh_only,
    write_predictor,
    write_predictors,
)
from tests.small import draw_batch
from training import checkpoints
from training.options import StepOptions

LOSSES = {
    "lr": "reconstruction",
    "lg": "adversarial",
    "las": "aesthetic_score",
    "lar": "aesthetic_representation",
    "lss": "subjective_score",
    "lsr": "subjective_representation",
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_predictors(tmp_path_factory.mktemp("predictors"))


@pytest.fixture(scope="module")
def batch():
    return draw_batch(4)


def take_step(model, batch, steps=1):
    # Not as a graph, which takes longer to trace than a small step to run.
    for _ in range(steps):
        values = model.train_step(*batch, 4)
        model.state.step.assign_add(1)
    return {name: float(value) for name, value in values.items()}


def read(weights):
    return [weight.numpy() for weight in weights]


def reaches_all_passes(before, variables):
    """Whether a step moved the first convolution, which all share, and each last one.

    Between these, small networks have units that never fire.
    """
    which = {
        variable.path
        for variable, has in zip(variables, moved(before, variables), strict=True)
        if has
    }
    ends = {
        v.path for v in variables if "first_conv/" in v.path or "last_conv" in v.path
    }
    return len(ends) == 8 and ends <= which


def moved(before, weights):
    return [
        not np.array_equal(old, weight.numpy())
        for old, weight in zip(before, weights, strict=True)
    ]


# The losses, by hand.


def test_cross_entropy_of_known_logits():
    logits = tf.constant([[0.0], [math.log(3)]])  # Real by 1/2 and by 3/4.
    real = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    made = -(math.log(1 / 2) + math.log(1 / 4)) / 2
    assert float(losses.cross_entropy(logits, True)) == pytest.approx(real)
    assert float(losses.cross_entropy(logits, False)) == pytest.approx(made)
    # Far out, where a naive one is infinite.
    far = losses.cross_entropy(tf.constant([-200.0]), True)
    assert float(far) == pytest.approx(200)


def test_the_score_loss_of_known_scores():
    # (10 - 4) - 0.8 (10 - 5) = 2; (10 - 9) - 0.8 (10 - 5) < 0 counts as 0.
    loss = losses.score_loss(tf.constant([4.0, 9.0]), tf.constant([5.0, 5.0]))
    assert float(loss) == pytest.approx((2 + 0) / 2)


def test_the_squared_error_of_known_features():
    loss = losses.mean_squared_error(tf.constant([[1.0, 2.0]]), tf.constant([[4.0, 0]]))
    assert float(loss) == pytest.approx((9 + 4) / 2)


def test_the_sum_is_weighted_and_the_losses_are_means_over_the_estimates(paths, batch):
    model = make_four_pass(weight_lr=0.3, **paths)
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    estimates = [model.estimate(lr, last) for last in PASSES]
    values = take_step(model, batch)
    errors = [float(losses.mean_absolute_error(one, hr)) for one in estimates]
    assert values["reconstruction"] == pytest.approx(np.mean(errors), rel=1e-5)
    for kind in ("aesthetic", "subjective"):
        predictor = model.predictors[kind]
        truth, truth_features = predictor(hr)
        scores, features = zip(*[predictor(one) for one in estimates], strict=True)
        by_hand = [float(losses.score_loss(one, truth)) for one in scores]
        assert values[f"{kind}_score"] == pytest.approx(np.mean(by_hand), rel=1e-4)
        by_hand = [np.mean((one - truth_features) ** 2) for one in features]
        assert values[f"{kind}_representation"] == pytest.approx(
            np.mean(by_hand), rel=1e-3
        )
        mean = float(predictor.to_people(tf.reduce_mean(truth)))
        assert values[f"{kind}/hr"] == pytest.approx(mean, rel=1e-5)
    total = sum(
        getattr(model.training, f"weight_{field}") * values[name]
        for field, name in LOSSES.items()
    )
    assert values["loss"] == pytest.approx(total, rel=1e-5)


def test_the_discriminator_is_asked_about_estimates_and_truth(batch):
    model = make_four_pass(**weigh_only("lg"))
    lr, hr = (tf.cast(x, tf.float32) for x in batch)
    logits = [model.discriminator(model.estimate(lr, last)) for last in PASSES]
    real = model.discriminator(hr)
    values = take_step(model, batch)
    fake_loss = np.mean([float(losses.cross_entropy(one, False)) for one in logits])
    real_loss = float(losses.cross_entropy(real, True))
    fooled = np.mean([float(losses.cross_entropy(one, True)) for one in logits])
    assert values["discriminator"] == pytest.approx(fake_loss + real_loss, rel=1e-4)
    assert values["adversarial"] == pytest.approx(fooled, rel=1e-4)
    right = (np.mean(real > 0) + np.mean(np.stack(logits) <= 0)) / 2
    assert values["discriminator/accuracy"] == pytest.approx(right)


# Who is moved by what.


@pytest.mark.parametrize("field", LOSSES)
def test_each_loss_alone_moves_the_generator(field, paths, batch):
    model = make_four_pass(**weigh_only(field), **paths)
    before = read(model.variables)
    values = take_step(model, batch)
    expected = {"loss", "gradient_norm", LOSSES[field]}
    assert expected <= set(values)
    assert not set(values) & (set(LOSSES.values()) - {LOSSES[field]})
    if values[LOSSES[field]] > 0:
        assert reaches_all_passes(before, model.variables)
        assert values["gradient_norm"] > 0
    else:
        assert field in ("las", "lss")


@pytest.mark.parametrize("field", ["las", "lss"])
def test_a_score_that_is_too_low_moves_the_generator(field, paths, batch, monkeypatch):
    monkeypatch.setattr(losses, "SCORE_TARGET", 0.0)
    model = make_four_pass(**weigh_only(field), **paths)
    before = read(model.variables)
    assert take_step(model, batch)[LOSSES[field]] > 0
    assert reaches_all_passes(before, model.variables)


def test_the_discriminators_loss_moves_only_the_discriminator(paths, batch):
    model = make_four_pass(learning_rate=0.0, **paths)
    generator, other = (
        read(network.weights) for network in (model.generator, model.discriminator)
    )
    take_step(model, batch)
    assert not any(moved(generator, model.generator.weights))
    assert all(moved(other, model.discriminator.weights))


def test_the_generators_losses_do_not_move_the_discriminator(paths, batch):
    steps = []
    for weights in ({}, {"weight_lg": 7.0, "weight_lr": 0.0}):
        model = make_four_pass(**weights, **paths)
        take_step(model, batch)
        steps.append(read(model.discriminator.weights))
    for one, other in zip(*steps, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predictors_have_nothing_that_could_move(paths, batch):
    model = make_four_pass(**paths)
    pictures = tf.cast(batch[1], tf.float32)
    before = [model.predictors[kind](pictures)[1] for kind in model.predictors]
    take_step(model, batch, steps=2)
    for kind, features in zip(model.predictors, before, strict=True):
        assert not model.predictors[kind].network.function.variables
        np.testing.assert_array_equal(model.predictors[kind](pictures)[1], features)


def test_one_file_as_both_predictors_is_run_once(paths, batch):
    same = dict.fromkeys(paths, paths["aesthetic_nima_path"])
    model = make_four_pass(**same)
    aesthetic, subjective = model.predictors.values()
    assert aesthetic.network is subjective.network
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, 4), autograph=False)
    graph = step.get_concrete_function(*batch).graph
    name = aesthetic.network.function.name.decode()
    calls = [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    called = [op for op in calls if op.get_attr("f").name.startswith(name)]
    assert 1 <= len(called) <= 2  # Of truth and of estimates.
    values = {name: float(value) for name, value in step(*batch).items()}
    for loss in ("score", "representation"):
        assert values[f"subjective_{loss}"] == values[f"aesthetic_{loss}"]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"shape": (1, 32, 32, 3)}, "input_1"),
        ({"shape": (None, 32, 64, 3)}, "input_1"),
        ({"shape": (None, None, 32, 3)}, "input_1"),
        ({"scores": 5}, "output_scores"),
        ({"has_grid": True}, "output_features"),
    ],
)
def test_a_file_of_other_shapes_is_no_predictor(tmp_path, other, named):
    path = write_predictor(tmp_path / "p.pb", **other)
    with pytest.raises(InputError, match=f"--flag=.*p.pb: {named} has the shape"):
        ScorePredictor(path, "--flag", "aesthetic")


def test_a_picture_that_is_too_small_is_scored_with_a_warning(tmp_path, capsys):
    path = write_predictor(tmp_path / "p.pb", side=32)
    judge = ScoreJudge(ScorePredictor(path, "--aesthetic_model", "aesthetic"))
    for size, warnings in ((40, 0), (33, 0), (20, 1), (20, 0)):
        assert 1 <= judge(np.zeros((size, size, 3), np.uint8)) <= 10
        assert capsys.readouterr().err.count("smaller pictures are") == warnings


def test_what_has_no_weight_is_neither_loaded_nor_computed(batch):
    model = make_four_pass(**weigh_only("lr"), aesthetic_nima_path="missing.pb")
    assert model.predictors == {}
    before = read(model.discriminator.weights)
    assert set(take_step(model, batch)) == {"loss", "reconstruction", "gradient_norm"}
    assert not any(moved(before, model.discriminator.weights))


@pytest.mark.parametrize("passes", [(2,), (4,), (8,), (2, 8)])
def test_only_what_the_passes_use_moves(passes, batch):
    model = make_four_pass(passes=passes, **weigh_only("lr"))
    weights = model.generator.trainable_variables
    before = read(weights)
    take_step(model, batch)
    used = {v.path for last in passes for v in model.generator.path_variables(last)}
    which = [
        v.path for v, has in zip(weights, moved(before, weights), strict=True) if has
    ]
    assert set(which) == used


# How the estimates are made.


def test_the_x2_estimate_is_two_passes_and_the_x4_estimate_one(batch):
    model = make_four_pass(**weigh_only("lr"))
    lr = tf.cast(batch[0], tf.float32)
    twice = model.upscale(model.upscale(lr, 2), 2)
    np.testing.assert_allclose(model.estimate(lr, 2), twice, atol=1e-3)
    np.testing.assert_allclose(model.estimate(lr, 4), model.upscale(lr, 4), atol=1e-3)


def test_the_x8_estimate_is_halved_as_imresize_does(batch):
    model = make_four_pass(**weigh_only("lr"))
    lr = tf.cast(batch[0], tf.float32)
    large = model.upscale(lr, 8).numpy()
    ours = model.estimate(lr, 8)
    for one, picture in zip(ours, large, strict=True):
        np.testing.assert_allclose(one, imresize(picture, 0.5), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(2, 2), (6, 4), (30, 44)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_halving_is_imresize_to_the_borders(size, jit_compile):
    draw = np.random.default_rng(0)
    pictures = draw.uniform(0, 255, (2, *size, 3)).astype(np.float32)
    if min(size) < 4:
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            halve(tf.constant(pictures))
        return
    ours = tf.function(halve, jit_compile=jit_compile)(tf.constant(pictures))
    for one, picture in zip(ours, pictures, strict=True):
        np.testing.assert_allclose(one, imresize(picture, 0.5), rtol=0, atol=1e-3)


@pytest.mark.parametrize("reduction", ["antialias", "legacy"])
def test_halving_has_a_gradient_that_hands_on_all_there_is(reduction):
    x = tf.random.uniform((1, 12, 16, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(halve(x, reduction))
    gradient = tape.gradient(total, x)
    # Weights sum to one for each output, wherever they come from.
    assert float(tf.reduce_sum(gradient)) == pytest.approx(6 * 8 * 3, rel=1e-5)
    is_moved = gradient[0, 1::2, 1::2]
    assert bool(tf.reduce_all(is_moved == 0)) == (reduction == "legacy")


def test_the_legacy_reduction_keeps_each_second_pixel():
    x = tf.random.uniform((1, 8, 6, 3))
    np.testing.assert_array_equal(halve(x, "legacy"), x[:, ::2, ::2])


# The discriminator.


@pytest.mark.parametrize(("size", "grid"), [((192, 192), (6, 6)), ((40, 70), (2, 3))])
def test_the_discriminator_judges_each_place(size, grid):
    logits = Discriminator()(tf.zeros((2, *size, 3)))
    assert logits.shape == (2, *grid, 1) and logits.dtype == tf.float32


def test_the_discriminator_has_the_papers_size():
    # Ten 3x3 convolutions and two dense layers, with biases.
    features = [3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    pairs = zip(features[:-1], features[1:], strict=True)
    expected = sum(9 * a * b + b for a, b in pairs)
    expected += 512 * 1024 + 1024 + 1024 + 1
    assert sum(np.prod(w.shape) for w in Discriminator().weights) == expected


def test_a_discriminator_in_bfloat16_starts_and_ends_in_float32():
    network = Discriminator("mixed_bfloat16")
    assert network.convs[0].compute_dtype == "float32"
    assert network.convs[1].compute_dtype == "bfloat16"
    assert network(tf.zeros((1, 32, 32, 3))).dtype == tf.float32


def watch(accuracies):
    watched = DiscriminatorWatch()
    for accuracy in accuracies:
        watched.record(tf.constant(accuracy))
    return watched


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        # Nearly always is enough, wherever the exceptions are.
        ([1.0] * 4 + [0.75] + [1.0] * 95, "was right"),
        ([0.5] * 99 + [0.8], "said the same"),
        ([0.9] * 100, None),
        ([0.5, 0.75] * 50, None),
        ([1.0] * 96, None),  # With the three below still too few.
    ],
)
def test_a_discriminator_that_teaches_nothing_is_pointed_out_once(
    accuracies, said, monkeypatch
):
    monkeypatch.setattr(watching, "PATIENCE", 100)
    # Whoever looks does so later, between two verdicts.
    watched = watch([*accuracies, 0.6, 0.6, 0.6])
    remarks = watched.remarks()
    assert len(remarks) == (said is not None)
    if said:
        assert said in remarks[0] and "for 100 steps" in remarks[0]
    assert watched.remarks() == []


def test_the_watch_goes_on_after_a_start(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE", 10)
    model = make_four_pass(**weigh_only("lg"))
    model.watch = watch([1.0] * 8)
    prefix = checkpoints.Keeper(model.roots(), tmp_path, 1).save(8)
    again = make_four_pass(**weigh_only("lg"))
    again.restore(prefix, resume=True)
    again.watch.record(tf.constant(1.0))
    assert again.remarks() == []
    again.watch.record(tf.constant(1.0))
    assert len(again.remarks()) == 1


def test_a_step_is_watched(batch):
    model = make_four_pass(**weigh_only("lg"))
    accuracy = take_step(model, batch)["discriminator/accuracy"]
    assert int(model.watch.steps) == 1
    assert float(model.watch.right) == accuracy


# What every model offers.


@pytest.mark.parametrize(
    "options",
    [
        StepOptions(precision="bfloat16", ema_decay=0.9, gradient_clip_norm=1.0),
        StepOptions(jit_compile=True),
    ],
)
def test_no_more_than_two_gradients_meet_in_one_sum(options, batch):
    # TensorFlow adds three or more in an order that varies from run to run. Predictors
    # are left out: sums within an imported function count zeros for what only it uses.
    model = make_four_pass(options, **weigh_only("lr", "lg"))
    step = tf.function(lambda lr, hr: model.train_step(lr, hr, 4), autograph=False)
    graph_def = step.get_concrete_function(*batch).graph.as_graph_def()
    nodes = [*graph_def.node]
    for function in graph_def.library.function:
        nodes.extend(function.node_def)
    counts = [node.attr["N"].i for node in nodes if node.op == "AddN"]
    assert counts and max(counts) == 2


def test_xla_computes_the_same(paths, batch):
    plain = take_step(make_four_pass(**paths), batch)
    compiled = take_step(make_four_pass(StepOptions(jit_compile=True), **paths), batch)
    assert compiled == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions_compute_nearly_the_same(precision, paths, batch):
    plain = take_step(make_four_pass(**paths), batch)
    model = make_four_pass(StepOptions(precision=precision), **paths)
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
    whole = make_four_pass(options, **paths)
    take_step(whole, batch, steps=3)
    first = make_four_pass(options, **paths)
    take_step(first, batch, steps=2)
    prefix = checkpoints.Keeper(first.roots(), tmp_path, 1).save(2)
    again = make_four_pass(options, **paths)
    again.generator.first_conv.bias.assign_add(tf.ones((4,)))
    again.restore(prefix, resume=True)
    take_step(again, batch)
    for name, root in (
        ("generator", lambda m: m.generator.weights),
        ("discriminator", lambda m: m.discriminator.weights),
        ("average", lambda m: m.average.weights),
        ("optimizer", lambda m: m.optimizer.variables),
        ("discriminator's", lambda m: m.discriminator_optimizer.variables),
    ):
        for one, other in zip(root(whole), root(again), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=name)


def test_a_run_starts_from_the_generator_of_an_eusr(tmp_path):
    eusr = EUSR(SMALL)
    eusr.state.step.assign(7)
    prefix = checkpoints.Keeper(eusr.roots(), tmp_path, 1).save(7)
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
