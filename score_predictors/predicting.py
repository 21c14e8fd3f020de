"""Predicts the scores of patches and of a whole part of a data set."""

import numpy as np
import tensorflow as tf

from console.progress import Progress
from frozen.predictor import to_input
from training.prefetch import Prefetch
from training.state import NotFiniteError


def make_predict(network):
    """Makes a function from uint8 patches to the network's scores.

    Args:
        network: As of `score_predictors.base.Predictor`, or a frozen one.

    Returns:
        A function from uint8 (N, P, P, 3), RGB, to float32 (N, 10).
    """
    return tf.function(
        lambda patches: network(to_input(patches))[0],
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
    )


def predict_part(loader, predict, hint, is_to_stop=lambda: False):
    """Predicts the scores of the whole validation part.

    Args:
        loader: A `dataloaders.scored.ScoredLoader`, prepared.
        predict: As of `make_predict`.
        hint: What a message about scores that are not finite advises.
        is_to_stop: Asked after each batch; says whether to leave off.

    Returns:
        predicted: float32 (N, 10); None if it left off.
        target: float32 (N, 10); likewise.

    Raises:
        InputError: A picture cannot be read.
        NotFiniteError: A predicted score is not finite.
    """
    count, threads = loader.validation_batches, loader.settings.threads
    predicted, target = [], []
    with (
        Prefetch(loader.validation_batch, 0, count, threads, 2 * threads) as batches,
        Progress(count, "Validating", "batch") as progress,
    ):
        for _ in range(count):
            batch = batches.get()
            predicted.append(np.asarray(predict(batch.patches)))
            target.append(batch.distributions)
            progress.advance()
            if is_to_stop():
                return None, None
    predicted, target = np.concatenate(predicted), np.concatenate(target)
    bad = ~np.isfinite(predicted).all(axis=1)
    if bad.any():
        name = loader.parts["validate"][int(np.argmax(bad))].name
        raise NotFiniteError(
            f"the predicted scores of {bad.sum()} of {len(bad)} pictures, for example "
            f"{name}, are not finite. {hint}"
        )
    return predicted, target
