"""What is measured, and against what."""

import numpy as np
import pytest

from dataloaders.scored_rows import Row
from score_predictors import evaluate
from tests.scored_data import one_hot


def make_rows():
    """Three rows whose means and deviations are not those of their distributions."""
    return [
        Row(name, None, one_hot(score), mean, deviation)
        for name, score, mean, deviation in [
            ("a", 2, 3.0, 0.1),
            ("b", 3, 2.0, 0.2),
            ("a", 4, 7.0, 0.4),
        ]
    ]


def measure_made(predicted):
    rows = make_rows()
    target = np.stack([row.distribution for row in rows])
    return evaluate.measure_groups(predicted, target, rows, first_score=0)


def test_means_and_deviations_are_the_databases_and_distances_the_distributions():
    spread = [one_hot(2), (one_hot(1) + one_hot(3)) / 2, (one_hot(1) + one_hot(9)) / 2]
    report = measure_made(np.stack(spread))
    # By the distributions the order would be 2, 3, 4 and the correlation other.
    assert report["all"]["lcc"] == pytest.approx(
        np.corrcoef([2, 2, 5], [3, 2, 7])[0, 1]
    )
    assert report["all"]["srcc_deviation"] == pytest.approx(1)
    assert report["all"]["accuracy"] == pytest.approx(2 / 3)
    same = measure_made(np.stack([one_hot(score) for score in (2, 3, 4)]))
    assert same["all"]["emd"] == same["all"]["emd_1"] == 0


def test_a_name_that_comes_twice_is_reported_twice():
    report = measure_made(np.stack([one_hot(score) for score in (2, 3, 4)]))
    assert [(image["name"], image["target"]) for image in report["images"]] == [
        ("a", 3.0),
        ("b", 2.0),
        ("a", 7.0),
    ]
    assert [image["predicted"] for image in report["images"]] == [2.0, 3.0, 4.0]
