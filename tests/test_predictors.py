"""Which frozen files are score predictors, and what they make of pictures."""

import numpy as np
import pytest

from console.errors import InputError
from frozen.predictor import FrozenPredictor
from metrics.optional import MeanScore
from tests.four_pass import write_predictor


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
        FrozenPredictor(path, "--flag")


def test_a_picture_that_is_too_small_is_scored_with_a_warning(tmp_path, capsys):
    path = write_predictor(tmp_path / "p.pb", side=32)
    measure = MeanScore(FrozenPredictor(path, "--aesthetic_model"), "aesthetic")
    for size, warnings in ((40, 0), (33, 0), (20, 1), (20, 0)):
        assert 1 <= measure(np.zeros((size, size, 3), np.uint8)) <= 10
        assert capsys.readouterr().err.count("smaller pictures are") == warnings
