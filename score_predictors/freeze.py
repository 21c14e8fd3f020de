r"""Freezes a score predictor: network and weights in one .pb file.

    python score_predictors/freeze.py --restore_path=train/ava.h5 \
        --output_path=train/ava.pb

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
from console.files import check_target, written_whole  # noqa: E402
from console.flags import define_path  # noqa: E402
from console.progress import say  # noqa: E402
from score_predictors import PREDICTORS  # noqa: E402

with quiet.imports():
    import numpy as np

    from frozen import graphs
    from frozen.predictor import FrozenPredictor, make_graph_def
    from score_predictors import opening
    from training import devices

FLAGS = flags.FLAGS
MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")

# Odd and even sizes: each is padded in its own way.
SIDES = (192, 199)
TOLERANCE = 1e-5


def define_flags():
    """Declares the flags."""
    define_path("restore_path", "score_predictor.h5", "The weights, an .h5 file.")
    define_path("output_path", "score_predictor_frozen.pb", "The file to write.")
    opening.define_first_score()


def main():
    """Freezes, reads back, compares."""
    devices.choose("-1")
    check_target(FLAGS.output_path, "--output_path")
    if Path(FLAGS.output_path).resolve() == Path(FLAGS.restore_path).resolve():
        raise InputError(
            f"--output_path={FLAGS.output_path} is the file of the weights, which it "
            "would replace; give another name, for example one that ends in .pb."
        )
    predictor, attributes = MODEL.load(FLAGS.model).from_file(
        FLAGS.restore_path, "--restore_path"
    )
    network = functools.partial(predictor.network, training=False)
    first_score = FLAGS.first_score
    if first_score is None:
        first_score = attributes.get("first_score")
    graph_def = make_graph_def(network, first_score)
    with written_whole(FLAGS.output_path) as aside:
        graphs.save(graph_def, aside)
        # NumPy's maximum keeps NaN, and NaN is within no tolerance.
        difference = np.max([compare(network, aside, side) for side in SIDES])
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
    say(f"Wrote {FLAGS.output_path}; it gives the network's scores {agreement}.")
    if first_score is None:
        say(
            "Neither the weights nor --first_score say which score is the lowest, so "
            "the file does not say it either."
        )


def compare(network, path, side):
    """Largest difference of scores between a file and the network, on noise."""
    draw = np.random.default_rng(side)
    pictures = draw.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    ours, theirs = network(pictures)[0], FrozenPredictor(path)(pictures)[0]
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,))
