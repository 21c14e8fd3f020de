r"""Freezes a score predictor: network and weights in one file.

    python score_predictors/freeze.py --restore_path=train/ava.h5 \
        --output_path=train/ava.pb
    python score_predictors/freeze.py --restore_path=train/ava.h5 --format=onnx \
        --output_path=train/ava.onnx

The file takes pictures of any size. It is read back and compared with the network
before it is called done.
"""

import functools
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from absl import flags  # noqa: E402

from console import app, quiet  # noqa: E402
from console.choices import Choice  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.files import written_whole  # noqa: E402
from console.flags import define_path  # noqa: E402
from console.progress import say  # noqa: E402
from score_predictors import PREDICTORS  # noqa: E402

with quiet.imports():
    import numpy as np

    from frozen import formats, predictor
    from score_predictors import opening
    from training import devices

FLAGS = flags.FLAGS
MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")

# Odd and even sizes: each is padded in its own way.
SIDES = (192, 199)
# Of a score's share, as other programs sum in another order.
TOLERANCE = 1e-4


def define_flags():
    """Declares the flags."""
    define_path("restore_path", "score_predictor.h5", "The weights, an .h5 file.")
    formats.define_flags("score_predictor_frozen.pb")
    opening.define_first_score()


def main():
    """Freezes, reads back, compares."""
    devices.choose("-1")
    file_format, target = formats.from_flags()
    if target.resolve() == Path(FLAGS.restore_path).resolve():
        raise InputError(
            f"--output_path={target} is the file of the weights, which it would "
            "replace; give another name, for example one that ends in .pb."
        )
    model, attributes = MODEL.load(FLAGS.model).from_file(
        FLAGS.restore_path, "--restore_path"
    )
    network = functools.partial(model.network, training=False)
    first_score = FLAGS.first_score
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
        difference = compare(network, open_file(file_format, exported, aside))
        if np.isnan(difference):
            raise InputError(
                f"--restore_path={FLAGS.restore_path}: with these weights the scores "
                "are not finite; the training went astray. Use others."
            )
        if not difference <= TOLERANCE:
            raise RuntimeError(
                "The frozen graph's scores differ from the network's by "
                f"{difference:.3g}."
            )
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
    """Largest difference of scores between a file and the network, on noise.

    Args:
        network: Of Keras, from pictures to scores and features.
        predict: What was written, likewise.

    Returns:
        float: NaN where one of the scores is.
    """
    differences = []
    for side in SIDES:
        draw = np.random.default_rng(side)
        pictures = draw.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
        ours, theirs = network(pictures)[0], predict(pictures)[0]
        differences.append(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
    # NumPy's maximum keeps NaN, and NaN is within no tolerance.
    return float(np.max(differences))


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,))
