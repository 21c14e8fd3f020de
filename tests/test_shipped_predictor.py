"""The score predictor in the repository: whole, sensible, used where none is named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from imaging.files import save_image
from metrics.scores import mean_score
from misc.distortions import DISTORTIONS
from score_predictors.opening import PredictorSettings
from score_predictors.predicting import make_predict
from tests.scripts import succeed_here


@pytest.fixture(scope="module")
def scorer():
    return PredictorSettings().open("mobilenetv2")


def score(scorer, image):
    scores = make_predict(scorer.network)(image[None])
    return float(mean_score(np.asarray(scores), scorer.first_score)[0])


def test_it_knows_its_scores_and_its_data(scorer):
    assert scorer.first_score == 0 and scorer.dataloader == "tid2013"
    assert Path(scorer.source).stat().st_size < 5e6


@pytest.mark.parametrize("number", [1, 8, 10])
def test_stronger_noise_blur_and_jpeg_score_lower(scorer, number):
    image = data.chelsea()[64:256, 100:292]
    scores = [
        score(scorer, DISTORTIONS[number].apply(image, level, (0,))[0])
        for level in (1, 3, 5)
    ]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[2] + 1


def test_pictures_are_scored_where_no_predictor_is_named(tmp_path):
    image = data.chelsea()[64:256, 100:292]
    save_image(tmp_path / "sharp.png", image)
    save_image(tmp_path / "soft.png", cv2.GaussianBlur(image, (0, 0), 4))
    said = succeed_here("score_predictors/predict.py", f"--input_path={tmp_path}")
    names = [line.split("/")[-1] for line in said.splitlines() if ".png" in line]
    assert names == ["sharp.png", "soft.png"]
