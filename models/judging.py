"""What judges pictures without knowing the truth: NIQE and the score predictors."""

import dataclasses

import numpy as np
import tensorflow as tf

from console.progress import warn
from console.settings import PathName, Settings, option
from imaging.crops import centre_patch
from metrics.niqe import NIQE
from models.four_pass_settings import KINDS
from models.measuring import BEST_METRICS
from models.predictors import open_predictors


@dataclasses.dataclass(frozen=True)
class JudgeSettings(Settings):
    """What judges pictures without knowing the truth."""

    changes = "freely"

    niqe_model_path: PathName | None = option(
        None,
        "NIQE's model of natural pictures, modelparameters.mat of its authors or an "
        ".npz file of the same numbers; measures NIQE, too.",
    )

    def predictors(self):
        """From a column's name to a file of a predictor and the flag that gave it."""
        return {}

    def make(self):
        """Makes the judges.

        Returns:
            dict: From a column's name to a function of a picture, uint8 (H, W, 3), and
            of the pixels to drop at each border, which returns a float.

        Raises:
            InputError: A file is missing or something else.
        """
        judges = {}
        if self.niqe_model_path is not None:
            judges["niqe"] = NIQE.from_file(self.niqe_model_path)
        for name, predictor in open_predictors(self.predictors()).items():
            judges[name] = ScoreJudge(predictor)
        return judges


@dataclasses.dataclass(frozen=True)
class TrainingJudgeSettings(JudgeSettings):
    """What validations in a training judge by."""

    shown = ()

    best_metric: str = option(
        "psnr_y",
        "What the best checkpoint is chosen by; niqe needs --niqe_model_path.",
        choices=tuple(BEST_METRICS),
    )


@dataclasses.dataclass(frozen=True)
class PredictorJudgeSettings(JudgeSettings):
    """What finished pictures are judged by."""

    aesthetic_model: PathName | None = option(
        None, "A frozen predictor trained on AVA; reports its mean score, too."
    )
    subjective_model: PathName | None = option(
        None, "A frozen predictor trained on TID2013; reports its mean score, too."
    )

    def predictors(self):
        """See `JudgeSettings.predictors`."""
        files = {kind: getattr(self, f"{kind}_model") for kind in KINDS}
        return {
            kind: (path, f"--{kind}_model")
            for kind, path in files.items()
            if path is not None
        }


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
