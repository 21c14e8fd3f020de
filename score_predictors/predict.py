r"""Scores pictures and sorts them, best first.

    python score_predictors/predict.py --restore_path=train/ava.h5 --input_path=photos
    python score_predictors/predict.py --model_name=ava.pb --input_path=photo.jpg

A score is the mean of the predicted distribution: 1 to 10 with weights trained on AVA,
0 to 9 with weights trained on TID2013.
"""

import csv
import dataclasses
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say, track, warn
from console.settings import PathName, option
from console.spread import SpreadSettings
from imaging import limits
from imaging.crops import centre_patch
from imaging.files import load_image
from imaging.listing import list_pictures
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
    settings, predictor, most, spread = (each.from_flags() for each in SETTINGS)
    devices.choose("0" if settings.use_gpu else "-1", "--use_gpu")
    most.take()
    if settings.report_path is not None:
        check_target(settings.report_path, "--report_path")
    paths = list_pictures(settings.input_path, "--input_path")
    paths = spread.take_share(paths, lambda path: path.name)
    scorer = predictor.open(MODEL.name)
    side = None if settings.full_image else settings.input_patch_size
    if scorer.side is not None and scorer.side != side:
        raise InputError(
            f"{scorer.source} takes {scorer.side}x{scorer.side} pixels only; give "
            f"--input_patch_size={scorer.side} and leave out --full_image."
        )
    scored, broken = score_all(paths, make_predict(scorer.network), side)
    first_score = choose_first_score(scorer, settings.first_score)
    rows = sorted(
        (
            (
                float(mean_score([scores], first_score)[0]),
                float(score_deviation([scores])[0]),
                path,
            )
            for path, scores in scored.items()
        ),
        key=lambda row: (-row[0], row[2]),
    )
    say("score  deviation  picture")
    for mean, deviation, path in rows:
        say(f"{mean:5.2f}  {deviation:9.2f}  {path}")
    if settings.report_path is not None:
        write_report(rows, settings.report_path)
        say(f"Wrote {settings.report_path}")
    return 1 if broken else None


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


def score_all(
    paths: Sequence[Path],
    predict: Callable[[np.ndarray], Any],
    side: int | None,
) -> tuple[dict[Path, np.ndarray], list[Path]]:
    """Predicts the distribution of each picture.

    Args:
        paths: The pictures.
        predict: A function made by `score_predictors.predicting.make_predict`.
        side: Side of the square in the middle to score; None for whole pictures.

    Returns:
        scored: From a path to float32 (10,).
        broken: Pictures that could not be read; a warning named each.

    Raises:
        InputError: No picture can be read, or the scores are not finite.
    """
    scored: dict[Path, np.ndarray] = {}
    waiting: dict[Path, np.ndarray] = {}
    broken: list[Path] = []

    def score_waiting():
        if waiting:
            distributions = np.asarray(predict(np.stack(list(waiting.values()))))
            if not np.isfinite(distributions).all():
                raise InputError(
                    "the predictor's scores are not finite; the training diverged. "
                    "Use other weights."
                )
            scored.update(zip(waiting, distributions, strict=True))
            waiting.clear()

    for path in track(paths, len(paths), "Scoring"):
        try:
            image = load_image(path)
        except InputError as error:
            warn(f"left out: {error}")
            broken.append(path)
            continue
        waiting[path] = image if side is None else centre_patch(image, side)
        # Whole pictures differ in size.
        if side is None or len(waiting) == BATCH_SIZE:
            score_waiting()
    score_waiting()
    if paths and not scored:
        raise InputError(f"none of the {len(paths)} pictures can be read.")
    return scored, broken


def write_report(rows: Iterable[tuple[float, float, Path]], path: Path | str) -> None:
    """Writes the (score, deviation, picture) rows, completely or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((f"{mean:.4f}", f"{std:.4f}", name) for mean, std, name in rows)
    with written_whole(path) as aside:
        # Names of files need not be UTF-8; this keeps their bytes.
        aside.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,))
