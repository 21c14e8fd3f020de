"""The distance of pictures in a predictor's features, as a metric."""

import numpy as np
import pytest
import tensorflow as tf

from console.errors import InputError
from frozen.predictor import FrozenPredictor
from metrics.feature_distance import FeatureDistance, feature_distance
from metrics.optional import ValidationMetrics
from tests.four_pass import write_predictor


def test_the_distance_of_known_features():
    ours = [tf.constant([[[[3.0, 4.0]]]]), tf.constant([[[[0.0, 2.0]], [[1.0, 0.0]]]])]
    theirs = [tf.constant([[[[6.0, 8.0]]]]), tf.constant([[[[2.0, 0.0]], [[9.0, 0]]]])]
    # The same direction: 0. At a right angle: 2, at one of two places.
    assert float(feature_distance(ours, theirs)) == pytest.approx(1, abs=1e-4)


def test_a_picture_is_compared_with_its_truth(tmp_path):
    path = write_predictor(tmp_path / "p.pb", has_maps=True)
    measure = ValidationMetrics(distance_model=path).make()["distance"]
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 256, (40, 48, 3), np.uint8)
    near, far = (
        np.clip(truth + draw.normal(0, deviation, truth.shape), 0, 255).astype(np.uint8)
        for deviation in (5, 50)
    )
    assert measure(truth, truth, shave=4) == pytest.approx(0, abs=1e-6)
    assert 0 < measure(near, truth, shave=4) < measure(far, truth, shave=4)
    near[:4] = 0
    near[-4:] = 255
    whole = measure(near, truth, shave=0)
    assert measure(near, truth, shave=4) < whole
    assert measure(near[4:-4, 4:-4], truth[4:-4, 4:-4]) == measure(near, truth, shave=4)


@pytest.mark.parametrize(
    ("options", "why"),
    [({}, "no maps"), ({"side": 32, "has_maps": True}, "pictures of one size")],
)
def test_files_that_cannot_serve_are_refused(tmp_path, options, why):
    path = write_predictor(tmp_path / "old.pb", **options)
    with pytest.raises(InputError, match=f"--distance_model=.*old.pb: .*{why}"):
        FeatureDistance(FrozenPredictor(path, "--distance_model"))
