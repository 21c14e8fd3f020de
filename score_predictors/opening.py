"""Opens a predictor of either kind of file: what evaluate and predict share."""

import functools

from absl import flags

from console.choices import load
from console.errors import InputError
from console.flags import define_count, define_path
from frozen.predictor import FrozenPredictor
from score_predictors import PREDICTORS


def define_flags():
    """Declares which predictor to open."""
    define_path("restore_path", None, "Its weights, an .h5 file.")
    define_path("model_name", None, "In their place: its frozen .pb file.")


def define_first_score():
    """Declares what files of other programs do not say."""
    define_count(
        "first_score",
        None,
        "The lowest of the ten scores: 1 for AVA, 0 for TID2013. Files that were "
        "written here know it.",
        least=0,
    )


class Scorer:
    """A predictor that is ready to score pictures.

    Attributes:
        network: From float32 (N, H, W, 3) in [-1, 1] to scores and features.
        source: The file, for reports.
        first_score: The lowest of the ten scores; the others follow in steps of one.
            None where the file does not say it.
        dataloader: Name of the loader that it was trained with; None likewise.
        side: The only height and width that it takes; None for any.
    """

    def __init__(self, network, source, first_score=None, dataloader=None, side=None):
        """Takes what it is made of."""
        self.network, self.source, self.side = network, source, side
        self.first_score, self.dataloader = first_score, dataloader


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
    path, values = check_flags(), flags.FLAGS
    if values.model_name:
        network = FrozenPredictor(path)
        return Scorer(network, path, network.first_score, side=network.side)
    predictor_class = load(PREDICTORS, name, "--model")
    predictor, attributes = predictor_class.from_file(path, "--restore_path")
    dataloader = attributes.get("dataloader")
    return Scorer(
        functools.partial(predictor.network, training=False),
        path,
        attributes.get("first_score"),
        dataloader if isinstance(dataloader, str) else None,
    )
