r"""Measures a score predictor on the validation part of a data set.

python score_predictors/evaluate.py --restore_path=train/tid2013.h5 \
        --dataloader=tid2013 --tid2013_image_path=distorted_images \
        --report_path=report.json --plot_path=scatter.png
"""

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target, opened_whole, written_whole
from console.progress import say, warn
from console.settings import PathName, Settings, is_given, option
from dataloaders import SCORED
from dataloaders.scored import ScoredLoader
from dataloaders.scored_rows import Row
from score_predictors import PREDICTORS

with quiet.imports():
    from metrics.scores import accuracy, emd, lcc, mean_score, score_deviation, srcc
    from score_predictors import opening
    from score_predictors.predicting import make_predict, predict_part
    from score_predictors.trained_rows import TrainedRows, find_trained_rows
    from training import devices

MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network.")
DATALOADER = Choice("dataloader", SCORED, "ava", "The loader of images and scores.")

# From a key of the report to its title in the table.
COLUMNS = {
    "count": "images",
    "srcc": "SRCC",
    "lcc": "LCC",
    "srcc_deviation": "SRCC of std",
    "lcc_deviation": "LCC of std",
    "accuracy": "accuracy",
    "emd": "EMD",
    "emd_1": "EMD, exp. 1",
}


@dataclasses.dataclass(frozen=True)
class EvaluateSettings(Settings):
    """How a predictor is measured, and the files to write."""

    input_patch_size: int = option(192, "Side of the patches, in pixels.", least=32)
    batch_size: int = option(32, "Patches in a batch.")
    cuda_device: str = option("-1", "GPU to run on; -1 for the CPU.")
    report_path: PathName | None = option(None, "JSON file for all numbers.")
    plot_path: PathName | None = option(
        None, "PNG file for predicted against true scores."
    )


SETTINGS: tuple[Any, ...] = (opening.PredictorSettings, EvaluateSettings)


def main() -> None:
    """Measures, prints a table, and writes report and plot."""
    predictor, settings = (each.from_flags() for each in SETTINGS)
    path = predictor.path
    devices.choose(settings.cuda_device, f"--cuda_device={settings.cuda_device}")
    for name in ("report_path", "plot_path"):
        if getattr(settings, name) is not None:
            check_target(getattr(settings, name), f"--{name}")
    loader = DATALOADER.load().from_flags(
        settings.input_patch_size, settings.batch_size
    )
    known = select_rows(path, loader)
    scorer = predictor.open(MODEL.name)
    if scorer.side not in (None, settings.input_patch_size):
        raise InputError(
            f"{scorer.source} takes {scorer.side}x{scorer.side} pixels only; give "
            f"--input_patch_size={scorer.side}."
        )
    if not warn_if_of_others(scorer, loader):
        tell_trained(path, known, loader)
    loader.prepare()
    predict = make_predict(scorer.network)
    predicted, target = predict_part(loader, predict, "Use other weights.")
    rows = loader.parts["validate"]
    report = {"predictor": str(scorer.source), "first_score": loader.first_score}
    report |= measure_groups(predicted, target, rows, loader.first_score)  # type: ignore[arg-type]
    print_table(report)
    if settings.report_path is not None:
        with written_whole(settings.report_path) as aside:
            # NaN, such as the correlation of constants, becomes null.
            values = json.loads(json.dumps(report), parse_constant=lambda _: None)
            aside.write_text(json.dumps(values, indent=2) + "\n")
        say(f"Wrote {settings.report_path}")
    if settings.plot_path is not None:
        draw_scatter(report["images"], settings.plot_path)
        say(f"Wrote {settings.plot_path}")


def select_rows(path: PathName, loader: ScoredLoader) -> TrainedRows:
    """Selects the rows of the flag, or by default the validation rows of the training.

    Returns:
        The rows that the predictor in `path` was trained on, as far as known.
    """
    loader.select(parts=("validate",))
    known, flag = find_trained_rows(path, loader), f"{loader.name}_validate_range"
    same = (None, loader.settings.validate_range)
    if known.validate_range not in same and not is_given(flag):
        loader.settings = dataclasses.replace(
            loader.settings, validate_range=known.validate_range
        )
        loader.select(parts=("validate",))
        say(
            f"Measuring on the validation rows of the training of {path}: "
            f"--{flag}={known.validate_range}."
        )
    return known


def tell_trained(path: PathName, known: TrainedRows, loader: ScoredLoader) -> None:
    """Warns of rows to measure that the weights were trained on; see `select_rows`."""
    rows = loader.ranges["validate"]
    trained = known.trained.intersection(rows)
    if trained:
        warn(
            f"{path} was trained on {len(trained):,} of the {len(rows):,} rows to "
            f"measure on (--{loader.name}_validate_range="
            f"{loader.settings.validate_range}); the results are too optimistic."
        )
    if known.unknown is not None:
        some = "more" if trained else "some"
        say(
            f"{path} may have been trained on {some} of the rows to measure on: "
            f"{known.unknown}."
        )


def warn_if_of_others(scorer: opening.Scorer, loader: ScoredLoader) -> bool:
    """Warns if the weights are known to be of another data set; returns whether."""
    if scorer.dataloader is not None:
        differs = scorer.dataloader != loader.name
        of = f"--dataloader={scorer.dataloader}"
    else:
        differs = scorer.first_score not in (None, loader.first_score)
        of = f"scores that begin at {scorer.first_score}"
    if differs:
        warn(
            f"{scorer.source} was trained on {of} and is measured on "
            f"--dataloader={loader.name}, whose scores begin at {loader.first_score}: "
            "correlations may be meaningful, distances are not."
        )
    return differs


def measure_groups(
    predicted: np.ndarray, target: np.ndarray, rows: Sequence[Row], first_score: int
) -> dict[str, Any]:
    """Measures all images, and the images of each group.

    Means and deviations of people's scores come from the database. The distribution,
    which may be computed from them, is used for the EMD only.

    Args:
        predicted: float32 (N, 10), distributions.
        target: float32 (N, 10), distributions.
        rows: The N rows of the images.
        first_score: The lowest of the ten scores.

    Returns:
        `all`, a dict with the keys of `COLUMNS`; `groups`, a dict from a group's name
        to such a dict; and `images`, a list with the `name` and the `predicted` and
        `target` mean score of each image.
    """

    def measure_some(indices):
        some = [rows[index] for index in indices]
        return measure(predicted[indices], target[indices], some, first_score)

    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row.group is not None:
            groups.setdefault(row.group, []).append(index)
    means = mean_score(predicted, first_score)
    return {
        "all": measure(predicted, target, rows, first_score),
        "groups": {name: measure_some(groups[name]) for name in sorted(groups)},
        # A list, because names may repeat.
        "images": [
            {"name": row.name, "predicted": float(mean), "target": row.mean}
            for row, mean in zip(rows, means, strict=True)
        ],
    }


def measure(
    predicted: np.ndarray, target: np.ndarray, rows: Sequence[Row], first_score: int
) -> dict[str, float]:
    """Measures some images; see `measure_groups`."""
    ours = mean_score(predicted, first_score)
    theirs = np.array([row.mean for row in rows])
    deviations = score_deviation(predicted), [row.deviation for row in rows]
    return {
        "count": len(target),
        "srcc": srcc(ours, theirs),
        "lcc": lcc(ours, theirs),
        "srcc_deviation": srcc(*deviations),
        "lcc_deviation": lcc(*deviations),
        "accuracy": accuracy(ours, theirs),
        "emd": float(np.mean(emd(predicted, target))),
        "emd_1": float(np.mean(emd(predicted, target, exponent=1))),
    }


def print_table(report: Mapping[str, Any]) -> None:
    """Prints the values of each group, then of all images."""
    width = max(len("all"), *map(len, report["groups"]), 0)
    say(" " * width + "".join(f"  {title:>11}" for title in COLUMNS.values()))
    for name, values in {**report["groups"], "all": report["all"]}.items():
        cells = (_to_cell(values[column]) for column in COLUMNS)
        say(f"{name:{width}}" + "".join(f"  {cell:>11}" for cell in cells))


def _to_cell(value):
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if math.isnan(value) else f"{value:.4f}"


def draw_scatter(images: Sequence[Mapping[str, Any]], path: Path | str) -> None:
    """Draws `images` of `measure_groups`, a dot for each, to a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    target, predicted = (
        [image[key] for image in images] for key in ("target", "predicted")
    )
    ends = [min(*target, *predicted), max(*target, *predicted)]
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.plot(ends, ends, color="0.8", linewidth=1)
    axes.scatter(target, predicted, s=8, alpha=0.5)
    axes.set(xlabel="mean score of people", ylabel="predicted mean score")
    axes.set_aspect("equal")
    figure.tight_layout()
    with opened_whole(path) as file:
        figure.savefig(file, dpi=120, format="png")
    plt.close(figure)


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
