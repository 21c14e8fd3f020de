import collections
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.generator import Generator
from models.generator_settings import SCALES, Architecture
from tests import forked

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def default_generator():
    return Generator()


def make(scales, **sizes):
    """A small generator."""
    sizes = {"conv_features": 4, "shared_blocks": 1} | sizes
    return Generator(Architecture(scales, **sizes))


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_the_default_network_has_the_papers_number_of_parameters(default_generator):
    assert count(default_generator.trainable_variables) == 6_295_689


@pytest.mark.parametrize(
    ("scale", "parameters"), [(2, 3_256_835), (4, 3_699_971), (8, 4_143_107)]
)
def test_one_path_has_its_number_of_parameters(default_generator, scale, parameters):
    assert count(default_generator.path_variables(scale)) == parameters


def test_the_receptive_radii_are_those_of_the_layers(default_generator):
    radii = [
        [part.radius for part in default_generator.parts(scale)] for scale in (2, 4, 8)
    ]
    assert radii == [[74, 12.5], [74, 12, 12.5], [74, 12, 12, 12.5]]


def test_weights_of_residual_blocks_start_with_the_recipes_variance(default_generator):
    # 62 local residual blocks; fan-in of a 3x3 kernel on 64 features.
    expected = 1e-4 / 62 / (9 * 64)
    blocks = default_generator.shared.blocks
    kernels = np.stack([block.first.kernel.numpy() for block in blocks])
    assert kernels.var() == pytest.approx(expected, rel=0.02)
    # Cut at two standard deviations of the normal that is cut.
    assert np.abs(kernels).max() < 2.28 * np.sqrt(expected)


def test_other_convolutions_start_glorot_uniform(default_generator):
    kernel = default_generator.shared.last.kernel.numpy()
    limit = np.sqrt(6 / (2 * 9 * 64))
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.99 * limit
    assert np.all(default_generator.shared.last.bias.numpy() == 0)


def test_the_published_network_can_do_the_same_by_other_weights():
    generator = make((2, 4), start_kernel=3, input_scale=127.5)
    lr = np.random.default_rng(0).uniform(0, 255, (1, 9, 8, 3)).astype(np.float32)
    published = generator.make_as_published()
    assert published.is_as_published() and not generator.is_as_published()
    for scale in generator.scales:
        expected = np.asarray(generator(lr, scale=scale))
        result = np.asarray(published(lr, scale=scale))
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-3)


def test_what_the_network_sees_is_divided():
    plain, divided = make((2,)), make((2,), input_scale=100.0)
    for ours, theirs in zip(divided.weights, plain.weights, strict=True):
        ours.assign(theirs)
    lr = np.random.default_rng(0).uniform(0, 255, (1, 9, 8, 3)).astype(np.float32)
    mean = np.float32(plain.mean_shift.rgb_mean)
    # Of what is a hundredth as large it makes what it would, a hundred times as large.
    expected = 100 * (np.asarray(plain((lr - mean) / 100 + mean, scale=2)) - mean)
    result = np.asarray(divided(lr, scale=2)) - mean
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-2)


def test_each_scale_enlarges_by_itself():
    generator = make(SCALES)
    lr = np.zeros((1, 5, 6, 3), np.float32)
    for scale in SCALES:
        assert generator(lr, scale=scale).shape == (1, 5 * scale, 6 * scale, 3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parts_without_gradients_compute_what_training_does(scale):
    generator = make((scale,))
    for index, variable in enumerate(generator.trainable_variables):
        draw = np.random.default_rng(index)
        variable.assign(draw.normal(0, 0.1, variable.shape))
    lr = np.random.default_rng(0).uniform(0, 255, (1, 7, 6, 3)).astype(np.float32)
    x = lr
    for part in generator.parts(scale):
        x = part.run(x)
    expected = generator(lr, scale=scale)
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-3)


def test_only_training_adds_the_bias_without_bias_add():
    generator = make((2,))
    lr = np.zeros((1, 6, 6, 3), np.float32)

    def count_operations(run):
        graph = tf.function(run).get_concrete_function(lr).graph
        return collections.Counter(node.op for node in graph.as_graph_def().node)

    trained = count_operations(lambda x: generator(x, scale=2))
    assert trained["Conv2D"] and not trained["BiasAdd"]
    trunk, head = [part.run for part in generator.parts(2)]
    counted = count_operations(lambda x: head(trunk(x)))
    assert counted["BiasAdd"] == counted["Conv2D"] == trained["Conv2D"]


@pytest.mark.parametrize(("scale", "start_kernel"), [(2, 3), (2, 5), (3, 3)])
def test_a_pixel_reaches_as_far_as_the_radius_and_no_further(scale, start_kernel):
    generator = make(
        (scale,), conv_features=2, rgb_mean=(0, 0, 0), start_kernel=start_kernel
    )
    for variable in generator.trainable_variables:
        # Nothing cancels and nothing is rounded away beside something larger.
        variable.assign(np.full(variable.shape, 0.1 * (len(variable.shape) == 4)))
    radius = sum(part.radius for part in generator.parts(scale))
    side = 91
    lr = np.zeros((1, side, side, 3), np.float32)
    lr[0, side // 2, side // 2] = 1
    reached = np.argwhere(np.asarray(generator(lr, scale=scale))[0, :, :, 0] > 0)
    # From centre to centre, in LR pixels: half an LR pixel more than to the LR
    # pixel's edge, and half an HR pixel less than from the HR pixel's edge.
    distances = np.abs((reached + 0.5) / scale - (side // 2 + 0.5))
    assert distances.max() == pytest.approx(radius + 0.5 - 0.5 / scale)


@pytest.mark.parametrize("scale", [1, 5, 10])
def test_scales_that_are_no_products_of_2_and_3_are_refused(scale):
    with pytest.raises(ValueError, match=f"Received scale {scale}"):
        make((scale,))


def test_the_mean_is_stored_and_not_trained():
    generator = make((2,), rgb_mean=(1, 2, 3))
    assert [w.path for w in generator.non_trainable_weights] == [
        "generator/mean_shift/rgb_mean"
    ]
    assert generator.mean_shift.rgb_mean.numpy().tolist() == [1, 2, 3]


BACKEND_PROGRAM = """
import sys
import numpy as np
from models.generator import Generator
from models.generator_settings import Architecture
generator = Generator(Architecture((2, 4), conv_features=4, shared_blocks=1))
draw = np.random.default_rng(0)
for variable in generator.trainable_variables:
    variable.assign(draw.normal(0, 0.1, variable.shape))
lr = draw.uniform(0, 255, (1, 6, 7, 3)).astype(np.float32)
outputs = {}
for s in (2, 4):
    outputs[f"x{s}"], outputs[f"parts{s}"] = np.asarray(generator(lr, scale=s)), lr
    for part in generator.parts(s):
        outputs[f"parts{s}"] = np.asarray(part.run(outputs[f"parts{s}"]))
has_tensorflow = sys.modules.get("tensorflow") is not None
assert has_tensorflow == (sys.argv[1] == "tensorflow")
np.savez(sys.argv[2], **outputs)
"""


def run_on_backend(backend, path):
    server = forked.JAX if backend == "jax" else forked.TENSORFLOW
    done = forked.run(["-c", BACKEND_PROGRAM, backend, path], server=server)
    assert done.returncode == 0, done.stderr
    return np.load(path)


def test_another_keras_backend_gives_the_same_picture_without_tensorflow(tmp_path):
    pytest.importorskip("jax", reason="JAX, the second Keras backend, is missing")
    ours = run_on_backend("tensorflow", str(tmp_path / "tensorflow.npz"))
    theirs = run_on_backend("jax", str(tmp_path / "jax.npz"))
    for name in ("x2", "x4", "parts2", "parts4"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(),
        Architecture((2,), 8, 3, 2),
        Architecture((4, 16), 5, 1, 1),
        Architecture((2, 4), 6, 2, 1, start_kernel=3),
    ],
)
def test_parameters_are_counted_without_a_network(architecture):
    generator = Generator(architecture)
    assert architecture.count_parameters() == count(generator.trainable_variables)
