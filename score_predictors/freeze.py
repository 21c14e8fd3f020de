r"""Freezes a score predictor: network and weights in one file.

    python score_predictors/freeze.py --restore_path=train/ava.h5 \
        --output_path=train/ava.pb
    python score_predictors/freeze.py --restore_path=train/ava.h5 --format=onnx \
        --output_path=train/ava.onnx

The file takes pictures of any size. It is read back and compared with the network
before it is called done.
"""

import dataclasses
import functools
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.choices import Choice  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.files import written_whole  # noqa: E402
from console.progress import say  # noqa: E402
from console.settings import PathName, option  # noqa: E402
from score_predictors import PREDICTORS  # noqa: E402

with quiet.imports():
    import numpy as np

    from frozen import formats, predictor
    from score_predictors import opening
    from training import devices

MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")

# Odd and even sizes: each is padded in its own way.
SIDES = (192, 199)
# Of scores' shares, and of features, in turn; other programs sum in another order.
TOLERANCES = {True: (1e-5, 1e-4), False: (1e-4, 1e-3)}


@dataclasses.dataclass(frozen=True)
class FreezeSettings(opening.FirstScore):
    """What is frozen."""

    restore_path: PathName = option("score_predictor.h5", "The weights, an .h5 file.")


@dataclasses.dataclass(frozen=True)
class ExportSettings(formats.ExportSettings):
    """What it is written as, and where to."""

    output_path: PathName = formats.ExportSettings.with_default(
        "output_path", "score_predictor_frozen.pb"
    )


SETTINGS = (FreezeSettings, ExportSettings)


def main():
    """Freezes, reads back, compares."""
    settings, export = (each.from_flags() for each in SETTINGS)
    devices.choose("-1")
    file_format, target = export.find()
    path, first_score = settings.restore_path, settings.first_score
    model, attributes = MODEL.load().from_file(path, "--restore_path")
    network = functools.partial(model.network, training=False)
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
                f"--restore_path={path}: with these weights the scores "
                "are not finite; the training went astray. Use others."
            )
        if not (differences <= TOLERANCES[file_format is formats.FrozenFile]).all():
            raise RuntimeError(
                "The frozen graph's scores and features differ from the network's by "
                f"{' and '.join(f'{d:.3g}' for d in differences)}."
            )
    difference = differences[0]
    agreement = f"within {difference:.1g}" if difference else "exactly"
    say(f"Wrote {target}; it gives the network's scores {agreement}.")
    if first_score is None and file_format is formats.FrozenFile:
        say(
            "Neither the weights nor --first_score say which score is the lowest, so "
            "the file does not say it either."
        )


def open_file(file_format, exported, path):
    """A function from pictures to scores and features, with what was written."""
    if file_format is formats.FrozenFile:
        return predictor.FrozenPredictor(path)
    return file_format.load(exported, path)


def compare(network, predict):
    """Largest differences of scores and of features, on noise.

    Args:
        network: Of Keras, from pictures to scores and features.
        predict: What was written, likewise.

    Returns:
        float32 (2,): NaN where one of them is.
    """
    differences = []
    for side in SIDES:
        draw = np.random.default_rng(side)
        pictures = draw.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
        pairs = zip(network(pictures), predict(pictures), strict=True)
        differences.append(
            [np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs]
        )
    # NumPy's maximum keeps NaN, and NaN is within no tolerance.
    return np.max(differences, axis=0)


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,))
