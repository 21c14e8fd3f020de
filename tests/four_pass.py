"""A small 4PP-EUSR, and predictors as small."""

import contextlib
import dataclasses
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from frozen import graphs
from frozen.predictor import make_graph_def
from models.discriminator import Discriminator
from models.four_pass_eusr import FourPassEUSR
from models.four_pass_settings import FourPassTraining
from models.generator_settings import Architecture

SMALL = Architecture(model_scales=(2, 4, 8), conv_features=4, shared_blocks=1)

# The same as flags of the scripts.
SMALL_FLAGS = ("--eusr_conv_features=4", "--eusr_shared_blocks=1")

# From a weight to the name of its loss.
LOSSES = {
    "lr": "reconstruction",
    "lg": "adversarial",
    "las": "aesthetic_score",
    "lar": "aesthetic_representation",
    "lss": "subjective_score",
    "lsr": "subjective_representation",
}


def write_predictor(
    path,
    seed=0,
    side=None,
    first_score=1,
    scores=10,
    shape=None,
    has_grid=False,
    has_maps=False,
):
    """Freezes a predictor of one convolution, with 6 features; returns its path.

    One of another input `shape`, of other `scores` or with features at every place is
    no predictor.
    """
    if side is not None:
        shape = (None, side, side, 3)
    draw = np.random.default_rng(seed)
    kernel = draw.normal(0, 1, (3, 3, 3, 6)).astype(np.float32)
    matrix = draw.normal(0, 0.2, (6, scores)).astype(np.float32)

    def network(pictures):
        if shape is not None:
            pictures = tf.ensure_shape(pictures, shape)
        x = tf.nn.relu(tf.nn.conv2d(pictures, kernel, 2, "SAME"))
        features = tf.reduce_mean(x, axis=(1, 2))
        outputs = [tf.nn.softmax(features @ matrix), x if has_grid else features]
        return [*outputs, x, x[:, ::2, ::2]] if has_maps else outputs

    graph_def = make_graph_def(network, first_score)
    if shape is not None:
        for node in graph_def.node:
            if node.op == "Placeholder":
                node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    graphs.save(graph_def, path)
    return str(path)


def write_predictors(folder):
    """Two of them: the fields of `FourPassTraining` that name them."""
    return {
        "aesthetic_nima_path": write_predictor(folder / "aesthetic.pb", 0),
        "subjective_nima_path": write_predictor(folder / "subjective.pb", 1, None, 0),
    }


def narrow_discriminator():
    """Lets discriminators be narrow that are made as long as this is entered.

    A step moves all of the 5 million weights of the whole one, and a checkpoint holds
    them three times.
    """
    return mock.patch.object(Discriminator, "default_features", 1)


def make_four_pass(options=None, is_narrow=True, **training):
    """Makes a small 4PP-EUSR whose weights the seed decides."""
    keras.utils.set_random_seed(0)
    with narrow_discriminator() if is_narrow else contextlib.nullcontext():
        return FourPassEUSR(SMALL, FourPassTraining(**training), options)


def weigh_only(*fields):
    """Weights of 0 for all losses but these: `lr`, `lg`, `las`, ..."""
    names = [f.name for f in dataclasses.fields(FourPassTraining)]
    return {
        name: float(name.removeprefix("weight_") in fields)
        for name in names
        if name.startswith("weight_")
    }


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
