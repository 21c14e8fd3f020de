r"""Freezes a score predictor: network and weights in one file.

    python score_predictors/freeze.py --restore_path=train/ava.h5 \
        --output_path=train/ava.pb
    python score_predictors/freeze.py --restore_path=train/ava.h5 --format=onnx \
        --output_path=train/ava.onnx

The file takes pictures of any size. The script reads it back and compares it with the
network before it reports success.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import written_whole
from console.progress import say
from console.settings import PathName, option
from score_predictors import PREDICTORS

with quiet.imports():
    import numpy as np

    from frozen import formats, predictor
    from score_predictors import opening, weight_files
    from training import devices

MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")

# An even and an odd size, which are padded differently.
SIDES = (192, 199)
# Tolerances of scores and of features, for our `.pb` (True) and for other formats,
# whose programs sum in another order.
TOLERANCES = {True: (1e-5, 1e-4), False: (1e-4, 1e-3)}


@dataclasses.dataclass(frozen=True)
class FreezeSettings(opening.FirstScore):
    """The predictor to freeze."""

    restore_path: PathName = option("score_predictor.h5", "The weights, an .h5 file.")


@dataclasses.dataclass(frozen=True)
class ExportSettings(formats.ExportSettings):
    """The format of the file and its path."""

    registry = formats.FORMATS | {"weights": "score_predictors.opening:Weights"}

    format: str = formats.ExportSettings.with_default(
        "format",
        "pb",
        help="pb for the scripts here and TensorFlow 1.15; saved_model, onnx and "
        "tflite for other programs (see requirements-export.txt); weights for an .h5 "
        "file of 16 bits, to hand on.",
        choices=tuple(registry),
    )
    output_path: PathName = formats.ExportSettings.with_default(
        "output_path", "score_predictor_frozen.pb"
    )


SETTINGS: tuple[Any, ...] = (FreezeSettings, ExportSettings)


def main() -> None:
    """Freezes a predictor, reads the file back and compares."""
    settings, export = (each.from_flags() for each in SETTINGS)
    devices.choose("-1")
    file_format, target = export.find()
    path, first_score = settings.restore_path, settings.first_score
    model, attributes = MODEL.load().from_file(path, "--restore_path")
    if file_format is opening.Weights:
        weight_files.save(target, model.network, attributes, "float16")
        say(f"Wrote {target}, in 16 bits.")
        return
    network = functools.partial(model.network_with_maps, training=False)
    if first_score is None:
        first_score = attributes.get("first_score")
    exported = formats.Network(
        predictor.make_graph_def(network, first_score),
        predictor.INPUT,
        (predictor.SCORES, predictor.FEATURES),
        predictor.serve,
    )
    with written_whole(target) as aside:
        file_format.write(exported, aside)
        differences = compare(network, open_file(file_format, exported, aside))
        if np.isnan(differences).any():
            raise InputError(
                f"--restore_path={path}: the scores of these weights are not finite; "
                "the training diverged. Use other weights."
            )
        if not (differences <= TOLERANCES[file_format is formats.FrozenFile]).all():
            raise RuntimeError(
                "The frozen graph's scores and features differ from the network's by "
                f"{' and '.join(f'{d:.3g}' for d in differences)}."
            )
    agreement = f"within {differences[0]:.1g}" if differences[0] else "exactly"
    say(f"Wrote {target}; it reproduces the network's scores {agreement}.")
    if first_score is None and file_format is formats.FrozenFile:
        say(
            "The file does not hold the lowest score: neither the weights nor "
            "--first_score name it."
        )


def open_file(
    file_format: type[formats.Format], exported: formats.Network, path: Path
) -> Callable[[np.ndarray], Sequence[Any]]:
    """Opens the written file as a function from pictures to scores and features."""
    if file_format is formats.FrozenFile:
        return predictor.FrozenPredictor(path)
    return file_format.load(exported, path)


def compare(
    network: Callable[[np.ndarray], Sequence[Any]],
    predict: Callable[[np.ndarray], Sequence[Any]],
) -> np.ndarray:
    """Finds the largest differences of scores and of features, on noise.

    Returns:
        float32 (2,); NaN if an output of the network or the written file is NaN.
    """
    differences = []
    for side in SIDES:
        draw = np.random.default_rng(side)
        pictures = draw.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
        scores, features, *_ = network(pictures)
        pairs = zip((scores, features), predict(pictures), strict=True)
        differences.append(
            [np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs]
        )
    # NumPy's maximum keeps NaN, which exceeds any tolerance.
    return np.max(differences, axis=0)


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,))
