import keras
import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from frozen import graphs
from frozen.predictor import FrozenPredictor, make_graph_def
from score_predictors.mobilenetv2 import (
    FusedBatchNormalization,
    MobileNetV2,
    Settings,
)
from score_predictors.predicting import make_predict
from tests.shared_data import SHARED, needs_shared
from tests.test_weight_files import make_keras_own

FOLDER = SHARED / "reference" / "tf1" / "predictors"

# What TensorFlow 1.15 knows, of what a frozen predictor may hold.
OPERATIONS = {
    *("Const", "Placeholder", "Identity", "Conv2D", "DepthwiseConv2dNative"),
    *("Add", "AddV2", "Mul", "Sub", "Rsqrt", "Relu6", "Mean", "MatMul", "BiasAdd"),
    *(
        "FusedBatchNormV3",
        "Softmax",
        "Shape",
        "StridedSlice",
        "Reshape",
        "Pack",
        "Prod",
        "Cast",
        "Squeeze",
    ),
}


@pytest.fixture(scope="module")
def predictor():
    keras.utils.set_random_seed(1)
    made = MobileNetV2(Settings(alpha=0.35, weights="none"))
    draw = np.random.default_rng(1)
    # Weights of an untrained network hide what a wrong average would do.
    for weight in made.network.weights:
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(draw.normal(0, 0.1, weight.shape))
        elif weight.path.endswith(("moving_variance", "gamma")):
            weight.assign(draw.uniform(0.5, 1.5, weight.shape))
    return made


def test_fused_batch_normalisation_is_keras_own_but_for_the_sample_variance():
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(2, 3, (4, 5, 6, 8)).astype(np.float32))
    weigh = tf.constant(draw.normal(0, 1, x.shape).astype(np.float32))
    results = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(axis=-1, epsilon=1e-3, momentum=0.9)
        layer.build(x.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) * weigh)
        variables = [x, layer.gamma.value, layer.beta.value]
        after = layer(x, training=False)
        averages = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        results.append([loss, *tape.gradient(loss, variables), *averages, after])
    ours, theirs = results
    count = 4 * 5 * 6
    # 0.9 of the initial variance 1 and 0.1 of the batch's.
    theirs[5] = 0.9 + (theirs[5] - 0.9) * count / (count - 1)
    for one, other in zip(ours[:6], theirs[:6], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours[6], theirs[6], rtol=1e-2)


def draw_pictures(side):
    draw = np.random.default_rng(side)
    return draw.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def frozen(predictor, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "p.pb"
    network = lambda x: predictor.network(x, training=False)  # noqa: E731
    graphs.save(make_graph_def(network, 0), path)
    return FrozenPredictor(path)


@pytest.mark.parametrize("side", [192, 199, 200])
def test_every_size_is_padded_as_the_network_built_for_it(predictor, frozen, side):
    built = make_keras_own(side)
    built.set_weights(predictor.network.get_weights())
    pictures = draw_pictures(side)
    expected = built(pictures, training=False)
    scores, features = frozen(pictures)
    np.testing.assert_allclose(scores, expected[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(features, expected[1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(
        predictor.network(pictures, training=False)[0], expected[0], rtol=0, atol=1e-5
    )


def test_the_frozen_file_knows_its_lowest_score_and_takes_any_size(frozen):
    assert frozen.first_score == 0 and frozen.side is None
    scores, features = frozen(draw_pictures(40))
    assert scores.shape == (2, 10) and features.shape == (2, 1280)
    np.testing.assert_allclose(np.sum(scores, 1), 1, atol=1e-5)


def test_the_gradient_with_respect_to_the_picture_is_finite_and_not_zero(frozen):
    pictures = tf.constant(draw_pictures(64))
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        score = tf.reduce_sum(frozen(pictures)[0] * tf.range(10.0))
    gradient = tape.gradient(score, pictures).numpy()
    assert np.isfinite(gradient).all() and (gradient != 0).mean() > 0.9


def test_the_frozen_graph_holds_only_what_tensorflow_1_15_knows(frozen):
    graph_def = graphs.read(frozen.path, "--model_name")
    assert {node.op for node in graph_def.node} <= OPERATIONS
    assert not graph_def.library.function
    convolution = next(n for n in graph_def.node if n.op == "Conv2D")
    assert "explicit_paddings" not in convolution.attr


@needs_shared
@pytest.mark.parametrize("name", ["ava", "tid2013"])
def test_the_originals_predictors_give_their_numbers(name, tmp_path):
    theirs = np.load(FOLDER / f"{name}_io.npz")
    pictures = theirs["x"].astype(np.float32)
    ours, attributes = MobileNetV2.from_file(FOLDER / f"{name}.h5", "--restore_path")
    assert ours.settings.alpha == 0.35 and "first_score" not in attributes
    network = lambda x: ours.network(x, training=False)  # noqa: E731
    graphs.save(make_graph_def(network, 1), tmp_path / "p.pb")
    for path in (tmp_path / "p.pb", FOLDER / f"{name}.pb"):
        scores, features = FrozenPredictor(path)(pictures)
        np.testing.assert_allclose(scores, theirs["scores"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(features, theirs["features"], rtol=0, atol=1e-4)


@needs_shared
@pytest.mark.parametrize("name", ["ava", "tid2013"])
def test_the_originals_files_of_one_size_run_as_evaluate_and_predict_run_them(name):
    theirs = np.load(FOLDER / f"{name}_io.npz")
    network = FrozenPredictor(FOLDER / f"{name}.pb")
    assert network.side == 192
    pictures = np.round((theirs["x"] + 1) * 127.5).astype(np.uint8)
    # Traced for pictures of any size, of which it takes the right one.
    scores = make_predict(network)(pictures)
    expected = network(pictures.astype(np.float32) / 127.5 - 1)[0]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="takes 192x192 pixels only, not 40x64"):
        network(tf.zeros((1, 64, 40, 3)))


def test_a_file_whose_input_has_no_shape_takes_any_size(tmp_path):
    graph_def = graphs.to_graph_def(
        lambda x: (
            tf.identity(tf.reshape(x, (-1, 10)), name="output_scores"),
            tf.identity(x, name="output_features"),
        ),
        [tf.TensorSpec(None, tf.float32, name="input_1")],
        ["output_scores", "output_features"],
    )
    graphs.save(graph_def, tmp_path / "p.pb")
    network = FrozenPredictor(tmp_path / "p.pb")
    assert network.side is None and network.first_score is None
    assert network(tf.zeros((1, 10, 1, 3)))[0].shape == (3, 10)
