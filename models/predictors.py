"""Mean score and features of images, from a frozen score predictor."""

from pathlib import Path

import tensorflow as tf

from console.errors import InputError
from frozen.predictor import FrozenPredictor, to_input
from models.four_pass_settings import KINDS

# The scale that losses count on, whichever scores people gave (AVA's 1 to 10, TID2013's
# 0 to 9): that of the original code.
FIRST_SCORE = 1


class ScorePredictor:
    """A frozen score predictor, as a model is trained against it or measured by it."""

    def __init__(self, path, flag, kind, network=None):
        """Loads the file.

        Args:
            path: The `.pb` file.
            flag: What gave the path, for messages.
            kind: One of `KINDS`, which says the lowest score where the file does not.
            network: The `frozen.predictor.FrozenPredictor`, if it is loaded already.

        Raises:
            InputError: It is missing, damaged, or no predictor.
        """
        self.path, self.flag = path, flag
        self.network = network or FrozenPredictor(path, flag)
        self.first_score = self.network.first_score
        if self.first_score is None:
            self.first_score = KINDS[kind][1]

    def check_side(self, side, scale):
        """Refuses a file that cannot take the training's patches.

        Args:
            side: Of the LR patches.
            scale: By which they are upscaled.

        Raises:
            InputError: With the --input_patch_size that does.
        """
        takes = self.network.side
        if takes is not None and takes % scale:
            raise InputError(
                f"{self.flag}={self.path} takes {takes}x{takes} pixels only, which no "
                f"patch is when upscaled by {scale}; give another file."
            )
        if takes not in (None, side * scale):
            raise InputError(
                f"{self.flag}={self.path} takes {takes}x{takes} pixels only, and "
                f"--input_patch_size={side} makes {side * scale}x{side * scale}; give "
                f"--input_patch_size={takes // scale}."
            )

    def __call__(self, images):
        """Predicts.

        Args:
            images: float32 (N, H, W, 3), RGB in [0, 255].

        Returns:
            scores: float32 (N,), mean scores on the scale 1 to 10.
            features: float32 (N, 1280).
        """
        distributions, features = self.network(to_input(images))
        count = distributions.shape[-1]
        scale = tf.range(FIRST_SCORE, FIRST_SCORE + count, dtype=tf.float32)
        return tf.linalg.matvec(distributions, scale), features

    def to_people(self, scores):
        """Brings mean scores to the scale that people were asked for.

        Args:
            scores: As `__call__` returns them; any shape.

        Returns:
            The same shape.
        """
        return scores - FIRST_SCORE + self.first_score


def open_predictors(files):
    """Loads predictors, a file that serves as several once.

    Args:
        files: From one of `KINDS` to a path and the flag that gave it.

    Returns:
        dict: From the same to a `ScorePredictor`.

    Raises:
        InputError: A file is missing, damaged, or no predictor.
    """
    networks, predictors = {}, {}
    for kind, (path, flag) in files.items():
        key = Path(path).resolve()
        predictors[kind] = ScorePredictor(path, flag, kind, networks.get(key))
        networks[key] = predictors[kind].network
    return predictors
