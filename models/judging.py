"""What judges pictures without knowing the truth: NIQE and the score predictors."""

import numpy as np
import tensorflow as tf
from absl import flags

from console.flags import define_path
from console.progress import warn
from imaging.crops import centre_patch
from metrics.niqe import NIQE
from models.four_pass_settings import KINDS
from models.measuring import BEST_METRICS
from models.predictors import open_predictors

NIQE_FLAG = "niqe_model_path"


def define_niqe_flag():
    """Declares where NIQE's model of natural pictures is."""
    define_path(
        NIQE_FLAG,
        None,
        "NIQE's model of natural pictures, modelparameters.mat of its authors or an "
        ".npz file of the same numbers; measures NIQE, too.",
    )


def define_training_flags():
    """Declares what validations in a training judge by, too."""
    define_niqe_flag()
    flags.DEFINE_enum(
        "best_metric",
        "psnr_y",
        list(BEST_METRICS),
        "What the best checkpoint is chosen by; niqe needs --niqe_model_path.",
    )


def define_flags():
    """Declares what pictures are judged by."""
    define_niqe_flag()
    for name, (data, _) in KINDS.items():
        define_path(
            f"{name}_model",
            None,
            f"A frozen predictor trained on {data}; reports its mean score, too.",
        )


def judges_from_flags():
    """Makes what the flags ask for.

    Returns:
        dict: From a column's name to a function of a picture, uint8 (H, W, 3), and of
        the pixels to drop at each border, which returns a float.

    Raises:
        InputError: A file is missing or something else.
    """
    values, judges = flags.FLAGS, {}
    if values[NIQE_FLAG].value is not None:
        judges["niqe"] = NIQE.from_file(values[NIQE_FLAG].value)
    files = {
        name: (values[f"{name}_model"].value, f"--{name}_model")
        for name in KINDS
        if f"{name}_model" in values and values[f"{name}_model"].value is not None
    }
    for name, predictor in open_predictors(files).items():
        judges[name] = ScoreJudge(predictor)
    return judges


class ScoreJudge:
    """The mean score that a predictor gives a whole picture."""

    def __init__(self, predictor):
        """Takes a `models.predictors.ScorePredictor`."""
        self.predictor, self.has_warned = predictor, False

    def __call__(self, image, shave=0):
        """Scores one picture.

        Args:
            image: uint8 (H, W, 3), RGB; a predictor that takes pictures of one size
                only sees the middle, enlarged where it is smaller.
            shave: Pixels dropped at each border.

        Returns:
            float: On the scale that people were asked for; higher is better.
        """
        inner = slice(shave, -shave or None)
        image, side = image[inner, inner], self.predictor.network.side
        if side is not None:
            if min(image.shape[:2]) < side and not self.has_warned:
                self.has_warned = True
                warn(
                    f"{self.predictor.flag}={self.predictor.path} takes {side}x{side} "
                    "pixels only: smaller pictures are enlarged for it, which changes "
                    "their scores."
                )
            image = centre_patch(image, side)
        scores, _ = self.predictor(tf.constant(image[None].astype(np.float32)))
        return float(self.predictor.to_people(scores)[0])
