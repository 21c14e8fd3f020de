"""Predicts the scores of patches and of a whole part of a data set."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from console.prefetch import Prefetch
from console.progress import Progress
from frozen.predictor import to_input
from training.state import NotFiniteError


def make_predict(
    network: Callable[[tf.Tensor], Sequence[tf.Tensor]],
) -> Callable[[np.ndarray], tf.Tensor]:
    """Makes a function from uint8 (N, P, P, 3), RGB, to the scores, float32 (N, 10).

    The network takes float32 (N, H, W, 3) in [-1, 1] and makes scores and features.
    """
    return tf.function(
        lambda patches: network(to_input(patches))[0],
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
    )


def predict_part(
    loader: Any,
    predict: Callable[[np.ndarray], tf.Tensor],
    hint: str,
    is_to_stop: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Predicts the scores of the whole validation part.

    Args:
        loader: A prepared `dataloaders.scored.ScoredLoader`.
        predict: A function made by `make_predict`.
        hint: Advice at the end of a message about scores that are not finite.
        is_to_stop: Called after each batch; True stops the prediction.

    Returns:
        predicted: float32 (N, 10); None if the prediction was stopped.
        target: Likewise.

    Raises:
        InputError: A picture cannot be read.
        NotFiniteError: A predicted score is not finite.
    """
    count, threads = loader.validation_batches, loader.settings.threads
    outputs, targets = [], []
    make = loader.validation_batch
    with (
        Prefetch(make, range(count), threads, 2 * threads) as batches,
        Progress(count, "Validating", "batch") as progress,
    ):
        for _, result in batches:
            batch = result()
            outputs.append(np.asarray(predict(batch.patches)))
            targets.append(batch.distributions)
            progress.advance()
            if is_to_stop():
                return None, None
    predicted, target = np.concatenate(outputs), np.concatenate(targets)
    bad: np.ndarray = ~np.isfinite(predicted).all(axis=1)
    if bad.any():
        name = loader.parts["validate"][int(np.argmax(bad))].name
        raise NotFiniteError(
            f"the predicted scores of {bad.sum()} of {len(bad)} pictures, for example "
            f"{name}, are not finite. {hint}"
        )
    return predicted, target
