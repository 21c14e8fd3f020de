"""A distance between pictures in the features of a score predictor, as LPIPS has it.

LPIPS (Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep
features as a perceptual metric", CVPR 2018) agrees with people on which of two pictures
looks more like a third. This distance leaves out its learned weights for the channels.
Keras only: 4PP-EUSR trains with `feature_distance`, under JAX, too.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from console.errors import InputError


def feature_distance(
    sr_maps: Sequence[keras.KerasTensor], hr_maps: Sequence[keras.KerasTensor]
) -> keras.KerasTensor:
    """Computes how far features are apart at each place, not only on average.

    At each place the features are divided by their Euclidean norm; the squared
    differences are summed over channels, averaged over places and images, and summed
    over depths.

    Args:
        sr_maps: For each depth, float32 (N, H, W, C).
        hr_maps: Those of the truth.

    Returns:
        float32 scalar, from 0 to 4 times the number of depths.
    """
    total = 0.0
    for ours, theirs in zip(sr_maps, hr_maps, strict=True):
        square = ops.square(_to_unit(ours) - _to_unit(theirs))
        total += ops.mean(ops.sum(square, axis=-1))
    return total


def _to_unit(features):
    square = ops.sum(ops.square(features), axis=-1, keepdims=True)
    # Its gradient is finite at zero, unlike that of a norm.
    return features * ops.rsqrt(square + 1e-8)


class FeatureDistance:
    """The distance of a picture from its truth in the features of a predictor.

    Attributes:
        digest: Digest of the predictor: values of two predictors cannot be compared.
    """

    def __init__(self, predictor: Any) -> None:
        """Takes a `frozen.predictor.FrozenPredictor`.

        Raises:
            InputError: The file has no maps of features, or takes one size only.
        """
        if not predictor.maps or predictor.side is not None:
            why = "takes pictures of one size" if predictor.maps else "has no maps"
            raise InputError(
                f"{predictor.source}: {why}. Write it again with "
                "score_predictors/freeze.py, from its .h5 file."
            )
        self.predictor = predictor
        content = Path(predictor.path).read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()[:12]

    def __call__(self, sr: np.ndarray, hr: np.ndarray, shave: int = 0) -> float:
        """Measures uint8 (H, W, 3) without `shave` pixels at each border."""
        inner = slice(shave, -shave or None)
        # Separately: both at a time would take twice as much memory.
        ours, theirs = (
            self.predictor.describe(
                ops.convert_to_tensor(image[None, inner, inner], "float32")
            )[2]
            for image in (sr, hr)
        )
        return float(feature_distance(ours, theirs))
