r"""Scores pictures and sorts them, best first.

    python score_predictors/predict.py --restore_path=train/ava.h5 --input_path=photos
    python score_predictors/predict.py --model_name=ava.pb --input_path=photo.jpg

A score is the mean of the predicted distribution: 1 to 10 with weights trained on AVA,
0 to 9 with weights trained on TID2013.
"""

import csv
import dataclasses
import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app, quiet
from console.choices import Choice
from console.cluster_messages import Share
from console.errors import InputError
from console.files import check_target, identify, written_whole
from console.progress import say, track, warn
from console.ray_engine import working
from console.settings import PathName, option
from console.spread import Chosen, SpreadSettings
from imaging import limits
from imaging.crops import centre_patch
from imaging.files import load_image
from imaging.listing import stream_pictures
from score_predictors import PREDICTORS

with quiet.imports():
    from metrics.scores import mean_score, score_deviation
    from score_predictors import opening
    from score_predictors.predicting import make_predict
    from training import devices

MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")
BATCH_SIZE = 32
# The lowest score of AVA.
FIRST_SCORE = 1
COLUMNS = ("score", "deviation", "picture")


@dataclasses.dataclass(frozen=True)
class PredictSettings(opening.FirstScore):
    """The pictures to score, and how to score them."""

    input_path: PathName = option(
        None, "A picture or a folder of pictures.", is_required=True
    )
    report_path: PathName | None = option(None, "CSV file for the scores.")
    input_patch_size: int = option(
        192,
        "Side of the central square of each picture that is scored, as in validation; "
        "pictures with a shorter side are enlarged.",
        least=32,
    )
    full_image: bool = option(
        False,
        "Score whole pictures. Large pictures take much memory, and the networks were "
        "trained on squares.",
    )
    use_gpu: bool = option(False, "Whether to run on the GPU.")


SETTINGS: tuple[Any, ...] = (
    PredictSettings,
    opening.PredictorSettings,
    *(limits.LimitSettings, SpreadSettings),
)


def main() -> int | None:
    """Scores every picture; returns the exit status."""
    settings, predictor, *_, spread = _read_flags()
    if settings.report_path is not None:
        check_target(settings.report_path, "--report_path")
    paths = _list_pictures(settings, spread)
    if not paths:
        outcomes: Iterable[tuple] = ()
    elif spread.cluster is None:
        scoring, lines = make_worker(Share()), track(paths, len(paths), "Scoring")
        outcomes = scoring.score(lines)
    else:
        outcomes = _score_on_cluster(spread, settings, paths, _tell_way(predictor))
    rows = Rows(outcomes)
    if len(paths) and not len(rows):
        raise InputError(f"none of the {len(paths)} pictures can be read.")
    say("score  deviation  picture")
    for mean, deviation, path in rows:
        say(f"{mean:5.2f}  {deviation:9.2f}  {path}")
    if settings.report_path is not None:
        write_report(rows, settings.report_path)
        say(f"Wrote {settings.report_path}")
    return 1 if len(rows) < len(paths) else None


class Rows:
    """The scores of pictures, best first.

    SQLite sorts them, and moves them to the disk when they are many.
    """

    def __init__(self, outcomes: Iterable[tuple[Path, tuple | None]]) -> None:
        """Takes the scores; None for pictures that cannot be read."""
        self.table = sqlite3.connect("", isolation_level=None)
        self.table.execute("CREATE TABLE scores (mean, deviation, picture)")
        self.table.execute("BEGIN")
        self.table.executemany(
            "INSERT INTO scores VALUES (?, ?, ?)",
            ((*score, os.fsencode(path)) for path, score in outcomes if score),
        )

    def __len__(self) -> int:
        """Counts the pictures."""
        return self.table.execute("SELECT count(*) FROM scores").fetchone()[0]

    def __iter__(self) -> Iterator[tuple[float, float, Path]]:
        """Yields mean, deviation and picture."""
        query = "SELECT * FROM scores ORDER BY mean DESC, picture"
        for mean, deviation, picture in self.table.execute(query):
            yield mean, deviation, Path(os.fsdecode(picture))


def _list_pictures(settings, spread):
    """Finds the pictures; for a cluster without a list of them."""
    path, flag, is_first = settings.input_path, "--input_path", iter([True])
    if spread.cluster is None:
        paths: Collection[Path] = sorted(stream_pictures(path, flag))
    else:
        paths = Chosen(lambda: stream_pictures(path, flag, tells=next(is_first, False)))
    return spread.take_share(paths, lambda path: path.name)


def _read_flags(is_driver: bool = True) -> list[Any]:
    """Reads the settings, and applies those that concern the whole process."""
    settings = [each.from_flags() for each in SETTINGS]
    needs_gpu = settings[0].use_gpu and not (is_driver and settings[-1].cluster)
    devices.choose("0" if needs_gpu else "-1", "--use_gpu")
    settings[2].take()
    return settings


def _score_on_cluster(spread, settings, paths, way):
    """Yields each picture and its score; None for one that cannot be read."""
    seen, uses_gpu = [settings.input_path], settings.use_gpu
    with working(spread, make_worker, seen, "Scoring", way, uses_gpu) as crew:
        yield from crew.take(
            paths, len(paths), lambda path: 1, (BATCH_SIZE, BATCH_SIZE), str
        )


def _tell_way(predictor):
    """Tells the weights, which are the same on all machines."""
    path = Path(predictor.path)
    return identify(path.name, [path]) if path.is_file() else ""


def make_worker(share: Share) -> "Scoring":
    """Opens the predictor, also in a process of --cluster."""
    settings, predictor, *_ = _read_flags(is_driver=share.writer is None)
    scorer = predictor.open(MODEL.name)
    side = None if settings.full_image else settings.input_patch_size
    if scorer.side is not None and scorer.side != side:
        raise InputError(
            f"{scorer.source} takes {scorer.side}x{scorer.side} pixels only; give "
            f"--input_patch_size={scorer.side} and leave out --full_image."
        )
    first_score = choose_first_score(scorer, settings.first_score)
    predict, way = make_predict(scorer.network), _tell_way(predictor)
    return Scoring(predict, side, first_score, way)


def choose_first_score(scorer: opening.Scorer, given: int | None) -> int:
    """The lowest of the ten scores, from the flag, the file, or AVA with a message."""
    if given is not None:
        return given
    if scorer.first_score is not None:
        return scorer.first_score
    say(
        f"{scorer.source} does not hold the lowest score; {FIRST_SCORE} is used, as "
        "for AVA. Give --first_score=0 for TID2013."
    )
    return FIRST_SCORE


@dataclasses.dataclass
class Scoring:
    """Scores pictures; see `console.cluster_messages.Worker`.

    Attributes:
        predict: A function made by `score_predictors.predicting.make_predict`.
        side: Side of the square in the middle to score; None for whole pictures.
        first_score: The lowest of the ten scores.
    """

    predict: Callable[[np.ndarray], Any]
    side: int | None
    first_score: int
    way: str = ""
    note: str = ""

    def take(self, batch: Sequence[Path], done: Callable[[], None]) -> list[Any]:
        """Scores pictures; returns mean and deviation of each, or None."""
        done()
        scored = dict(self.score(batch))
        return [scored[path] for path in batch]

    def score(
        self, paths: Iterable[Path]
    ) -> Iterator[tuple[Path, tuple[float, float] | None]]:
        """Scores pictures, and warns of those that cannot be read.

        Yields:
            A picture, and the mean and the deviation of its score; None for a picture
            that cannot be read.

        Raises:
            InputError: The scores are not finite.
        """
        waiting: dict[Path, np.ndarray] = {}
        for path in paths:
            try:
                image = load_image(path)
            except InputError as error:
                warn(f"left out: {error}")
                yield path, None
                continue
            whole = self.side is None
            waiting[path] = image if whole else centre_patch(image, self.side)
            # Whole pictures differ in size.
            if whole or len(waiting) == BATCH_SIZE:
                yield from self._score_waiting(waiting)
        if waiting:
            yield from self._score_waiting(waiting)

    def _score_waiting(self, waiting):
        distributions = np.asarray(self.predict(np.stack(list(waiting.values()))))
        if not np.isfinite(distributions).all():
            raise InputError(
                "the predictor's scores are not finite; the training diverged. Use "
                "other weights."
            )
        means = mean_score(distributions, self.first_score).tolist()
        scores = zip(means, score_deviation(distributions).tolist(), strict=True)
        yield from zip(list(waiting), scores, strict=True)
        waiting.clear()


def write_report(rows: Iterable[tuple[float, float, Path]], path: Path | str) -> None:
    """Writes the (score, deviation, picture) rows, completely or not at all."""
    # Names of files need not be UTF-8; this keeps their bytes.
    with (
        written_whole(path) as aside,
        open(aside, "w", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            (f"{mean:.4f}", f"{std:.4f}", name) for mean, std, name in rows
        )


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,))
