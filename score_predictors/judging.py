"""Judges an enlarged picture, in a few texts for people to read."""

import functools
from pathlib import Path

import numpy as np

from console.errors import InputError
from imaging.crops import centre_patch
from imaging.files import load_image
from metrics.full_reference import psnr_y, ssim_y
from metrics.scores import mean_score
from score_predictors.opening import PredictorSettings
from score_predictors.predict import MODEL, PredictSettings
from score_predictors.predicting import make_predict

# Larger pictures are not compared with originals, for the memory that it takes.
_MOST_COMPARED = 16_000_000


@functools.cache
def _open_shipped():
    scorer = PredictorSettings().open(MODEL.default)
    return make_predict(scorer.network), scorer.first_score


def judge(
    before: np.ndarray, after: np.ndarray, truth_path: Path | None = None
) -> list[str]:
    """Scores a picture and its result as predict.py does, with the shipped predictor.

    Args:
        before: The picture, uint8 (H, W, 3), RGB.
        after: Its result, likewise.
        truth_path: An original, with which the result is compared as validate.py does;
            None for none.

    Returns:
        Texts: the scores, PSNR and SSIM, or why the pictures are not compared.
    """
    predict, first = _open_shipped()
    side = PredictSettings.input_patch_size
    patches = np.stack([centre_patch(each, side) for each in (before, after)])
    old, new = mean_score(np.asarray(predict(patches)), first)
    values = [
        f"predicted score {old:.2f}, result {new:.2f} (of {first} to {first + 9})"
    ]
    if truth_path is None:
        return values
    try:
        truth = load_image(truth_path)
        if truth.shape != after.shape:
            size = f"{truth.shape[1]} x {truth.shape[0]}"
            return [*values, f"not compared: the original is {size}"]
        if truth[..., 0].size > _MOST_COMPARED:
            return [*values, "not compared: too large"]
        psnr, ssim = psnr_y(after, truth), ssim_y(after, truth)
    except InputError:
        return [*values, "not compared: the original cannot be read or is too small"]
    return [*values, f"PSNR {psnr:.2f} dB", f"SSIM {ssim:.4f}"]
