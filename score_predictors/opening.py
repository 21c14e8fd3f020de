"""Opens a predictor of either kind of file: what evaluate and predict share."""

import functools

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_path, load
from frozen.predictor import FrozenPredictor
from score_predictors import PREDICTORS

FIRST_SCORE = 1


def define_flags():
    """Declares which predictor to open."""
    define_path("restore_path", None, "Its weights, an .h5 file.")
    define_path("model_name", None, "In their place: its frozen .pb file.")
    define_count(
        "first_score",
        None,
        "The lowest of the ten scores: 1 for AVA, 0 for TID2013. Files that were "
        "written here know it; for others it is 1 if not given.",
        least=0,
    )


class Scorer:
    """A predictor that is ready to score pictures.

    Attributes:
        network: From float32 (N, H, W, 3) in [-1, 1] to scores and features.
        first_score: The lowest of the ten scores; the others follow in steps of one.
        source: The file, for reports.
        side: The only height and width that it takes; None for any.
    """

    def __init__(self, network, first_score, source, side=None):
        """Takes what it is made of."""
        self.network, self.first_score = network, first_score
        self.source, self.side = source, side


def check_flags():
    """Makes sure that one file is given, before anything long is begun.

    Returns:
        str: The file.

    Raises:
        InputError: Neither or both are.
    """
    values = flags.FLAGS
    given = [path for path in (values.restore_path, values.model_name) if path]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise InputError(
            f"found {found} of --restore_path (weights, .h5) and --model_name (a "
            "frozen file, .pb); expected one of them."
        )
    return given[0]


def open_from_flags(name):
    """Opens what the flags say.

    Args:
        name: Name of the predictor in the registry.

    Returns:
        Scorer.

    Raises:
        InputError: Neither or both files are given, or the one does not fit.
    """
    values, given, side = flags.FLAGS, check_flags(), None
    if values.model_name:
        network = FrozenPredictor(values.model_name)
        known, side = network.first_score, network.side
    else:
        predictor_class = load(PREDICTORS, name, "--model")
        predictor, attributes = predictor_class.from_file(
            values.restore_path, "--restore_path"
        )
        network = functools.partial(predictor.network, training=False)
        known = attributes.get("first_score")
    if values.first_score is not None:
        known = values.first_score
    return Scorer(network, FIRST_SCORE if known is None else int(known), given, side)
