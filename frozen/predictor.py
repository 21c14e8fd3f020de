"""Writes and runs the frozen file of a score predictor.

    input_1          float32 (N, H, W, 3), RGB in [-1, 1], any height and width
    output_scores    float32 (N, 10), summing to 1
    output_features  float32 (N, 1280)
    output_map_0...  float32 (N, h, w, C): features before they are averaged, at
                     several depths of the network
    first_score      int32: the lowest of the ten scores, if it is known

Files of the TF1 code have the first three nodes. They load too; some of them take
pictures of a single size only.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from console.errors import InputError
from frozen import graphs

INPUT, SCORES, FEATURES = "input_1", "output_scores", "output_features"
MAP, MOST_MAPS = "output_map_{}", 10
FIRST_SCORE = "first_score"
COUNT = 10


def make_graph_def(
    network: Callable[[tf.Tensor], Sequence[tf.Tensor]], first_score: int | None
) -> tf.compat.v1.GraphDef:
    """Freezes a predictor.

    Args:
        network: A function from float32 (N, H, W, 3) in [-1, 1] to scores, features
            and maps of features, if it has any.
        source: Flag and path of the file, for messages.
        first_score: The lowest of the ten scores; None if it is not known.
    """
    names = [SCORES, FEATURES]

    def function(pictures):
        outputs = network(pictures)
        names[2:] = [MAP.format(index) for index in range(len(outputs) - 2)]
        return [
            tf.identity(output, name=name)
            for output, name in zip(outputs, names, strict=True)
        ]

    signature = [tf.TensorSpec((None, None, None, 3), tf.float32, name=INPUT)]
    graph_def = graphs.to_graph_def(function, signature, names)
    if first_score is not None:
        graphs.add_constant(graph_def, FIRST_SCORE, first_score)
    return graph_def


def serve(
    run: Callable[[tf.Tensor], Sequence[tf.Tensor]], pictures: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Scores uint8 (N, H, W, 3) for a server; see `frozen.formats.Network`."""
    return dict(zip((SCORES, FEATURES), run(to_input(pictures)), strict=True))


class FrozenPredictor:
    """A frozen score predictor, ready to run.

    Attributes:
        source: Flag and path of the file, for messages.
        first_score: The lowest of the ten scores; None if the file does not hold it.
        side: The only height and width of pictures that it takes; None for any.
        maps: Names of the outputs with maps of features; empty in older files.
    """

    def __init__(self, path: Path | str, flag: str = "--model_name") -> None:
        """Loads a `.pb` file; `flag` gave its path.

        Raises:
            InputError: The file is missing, damaged, or not a predictor.
        """
        self.path, self.source = path, f"{flag}={path}"
        graph_def = graphs.read(path, flag, "score_predictors/freeze.py")
        self.graph_def = graph_def
        self.function = self._make_function([SCORES, FEATURES])
        maps = map(MAP.format, range(MOST_MAPS))
        self.maps = [name for name in maps if graphs.has(graph_def, name)]
        self.first_score = graphs.read_constant(graph_def, FIRST_SCORE, self.source)
        self.side = self._check_shapes()

    def _make_function(self, outputs):
        return graphs.to_function(self.graph_def, [INPUT], outputs, self.source)

    def _check_shapes(self):
        """Checks the shapes and returns the only side that it takes, or None."""
        pictures = self.function.inputs[0].shape
        for name, shape, expected in (
            (INPUT, pictures, (None, None, None, 3)),
            (SCORES, self.function.outputs[0].shape, (None, COUNT)),
            (FEATURES, self.function.outputs[1].shape, (None, None)),
        ):
            fits = shape.is_compatible_with(expected)
            if name == INPUT and fits and shape.rank:
                # Refuse a fixed batch size and pictures that are not square.
                fits = shape[0] is None and shape[1] == shape[2]
            if not fits:
                raise InputError(
                    f"{self.source}: {name} has the shape {shape}; expected "
                    "a predictor of ten scores, which takes any number of square "
                    "pictures (N, S, S, 3), or of any pictures (N, H, W, 3)."
                )
        return pictures[1] if pictures.rank else None

    def __call__(self, pictures: tf.Tensor | np.ndarray) -> list[tf.Tensor]:
        """Predicts from float32 (N, H, W, 3), RGB in [-1, 1].

        Returns:
            scores: float32 (N, 10), summing to 1.
            features: float32 (N, 1280).

        Raises:
            InputError: The file takes pictures of another size only.
        """
        # Sizes may be unknown while a graph is traced.
        height, width = pictures.shape[1:3]
        if self.side is not None and {height, width} - {self.side, None}:
            raise InputError(
                f"{self.source} takes {self.side}x{self.side} pixels only, "
                f"not {width}x{height}."
            )
        with graphs.running(self.source):
            return self.function(tf.convert_to_tensor(pictures))

    def mean_scores(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Predicts from float32 (N, H, W, 3), RGB in [0, 255].

        Returns:
            scores: float32 (N,), in [1, 10] for any data set, as losses use them.
            features: float32 (N, 1280).
        """
        distributions, features = self(to_input(images))
        return _average(distributions), features

    def describe(
        self, images: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Predicts as `mean_scores`, and maps of features, float32 (N, h, w, C)."""
        distributions, features, *maps = self.function_with_maps(to_input(images))
        return _average(distributions), features, maps

    @functools.cached_property
    def function_with_maps(self) -> tf.types.experimental.ConcreteFunction:
        """`function` with further outputs; most uses need no maps in memory."""
        return self._make_function([SCORES, FEATURES, *self.maps])

    def to_people(self, scores: Any, default_first_score: int) -> Any:
        """Converts mean scores of any shape from 1 to 10 to the scale of the data set.

        The default is the lowest score of that scale, if the file does not hold it.
        """
        known = self.first_score is not None
        return scores - 1 + (self.first_score if known else default_first_score)


def _average(distributions):
    """Returns the mean score on the scale 1 to 10, float32 (N,)."""
    scale = tf.range(1, COUNT + 1, dtype=tf.float32)
    return tf.linalg.matvec(distributions, scale)


def open_predictors(
    files: Mapping[str, tuple[Path | str, str]],
) -> dict[str, FrozenPredictor]:
    """Loads predictors of (path, flag) by name; a file given twice is loaded once.

    Raises:
        InputError: A file is missing, damaged, or not a predictor.
    """
    loaded: dict[Path, FrozenPredictor] = {}
    for path, flag in files.values():
        key = Path(path).resolve()
        loaded[key] = loaded.get(key) or FrozenPredictor(path, flag)
    return {name: loaded[Path(path).resolve()] for name, (path, _) in files.items()}


def to_input(pictures: Any) -> Any:
    """Converts uint8 or float32, RGB in [0, 255], to float32 in [-1, 1].

    A tensor of the Keras backend, or an array.
    """
    return keras.ops.cast(pictures, "float32") / 127.5 - 1.0
