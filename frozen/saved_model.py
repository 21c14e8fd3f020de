"""SavedModels of networks, for TensorFlow Serving and `tf.saved_model.load`.

They have two signatures. `serving_default` takes uint8 pictures, RGB, of any size; it
returns uint8 pictures for a super-resolution model, scores and features for a
predictor. `float32` has the inputs and outputs of the `.pb` file.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from console.errors import InputError, as_os_error, name_some
from frozen.formats import Format, Network

SERVING, FLOAT = "serving_default", "float32"
PICTURES = "images"
# Shape of the pictures that check the written model.
SHAPE = (2, 17, 30, 3)
# Files and folders that TensorFlow writes.
_PARTS = {"saved_model.pb", "fingerprint.pb", "variables", "assets"}


class SavedModel(Format):
    """A folder that holds `saved_model.pb` and its variables."""

    @staticmethod
    def write(network: Network, path: Path) -> None:
        """See `Format.write`."""
        run = network.to_function(str(path))
        shape = (None, None, None, 3)

        @tf.function(
            input_signature=[tf.TensorSpec(shape, tf.uint8, name=PICTURES)],
            autograph=False,
        )
        def serve(images):
            return network.serve(run, images)

        @tf.function(
            input_signature=[tf.TensorSpec(shape, tf.float32, name=network.input)],
            autograph=False,
        )
        def as_float(array):
            return dict(zip(network.outputs, run(array), strict=True))

        module = tf.Module()
        module.signatures_kept = serve, as_float
        try:
            tf.saved_model.save(module, str(path), {SERVING: serve, FLOAT: as_float})
        except tf.errors.OpError as error:
            raise as_os_error(error, path) from None

    @staticmethod
    def load(network: Network, path: Path) -> Callable[[np.ndarray], Sequence[Any]]:
        """See `Format.load`."""
        loaded = tf.saved_model.load(str(path))

        def run(array):
            outputs = loaded.signatures[FLOAT](**{network.input: tf.constant(array)})
            return [outputs[name].numpy() for name in network.outputs]

        _check_serving(network, run, loaded.signatures[SERVING])
        return run

    @classmethod
    def check_target(cls, target: Path, flag: str) -> None:
        """See `Format.check_target`; also refuses a folder that holds other files."""
        super().check_target(target, flag)
        found = target.iterdir() if target.is_dir() else ()
        if others := sorted({path.name for path in found} - _PARTS):
            raise InputError(
                f"{flag}={target} is a folder that holds other files "
                f"({name_some(others, 3)}); give another."
            )


def _check_serving(network, run, serve):
    """Raises a RuntimeError if both signatures differ by more than rounding."""
    pictures = tf.constant(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8))
    expected = network.serve(lambda x: run(x.numpy()), pictures)
    for name, found in serve(**{PICTURES: pictures}).items():
        difference = tf.cast(found, tf.float32) - tf.cast(expected[name], tf.float32)
        most = 1.0 if found.dtype == tf.uint8 else 1e-3
        if not float(tf.reduce_max(tf.abs(difference))) <= most:
            raise RuntimeError(f"The served {name} differ from the network's.")
