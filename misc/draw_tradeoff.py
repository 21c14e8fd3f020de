"""Plots NIQE against PSNR over the validations of a training.

    python misc/draw_tradeoff.py --train_path=train/4pp --start_report=eusr.json \
        --output_path=tradeoff.png

The training must have been validated with --niqe_model_path; the results are read from
TensorBoard's files. The first point is from a report that `validate.py --report_path`
wrote for the initial model.
"""

import dataclasses
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from console.errors import InputError
from console.files import check_target, opened_whole
from console.progress import say
from console.settings import PathName, Settings, option

with quiet.imports():
    import matplotlib

    matplotlib.use("Agg")

    import matplotlib.pyplot as plt
    from tensorboard.backend.event_processing.plugin_event_accumulator import (
        EventAccumulator,
    )
    from tensorboard.util.tensor_util import make_ndarray

COLUMNS = ("psnr_y", "niqe")


@dataclasses.dataclass(frozen=True)
class DrawSettings(Settings):
    """The training to plot and the file to write."""

    train_path: PathName = option(None, "Folder of the training.", is_required=True)
    scale: int = option(4, "Scale to plot.")
    start_report: PathName | None = option(
        None,
        "JSON report of validate.py for the initial model of the training.",
    )
    output_path: PathName = option(None, "PNG file to write.", is_required=True)


def main() -> None:
    """Reads the validations, and prints and plots their values."""
    settings = DrawSettings.from_flags()
    check_target(settings.output_path, "--output_path")
    points = read_validations(Path(settings.train_path), settings.scale)
    baseline: dict[str, float] | None = None
    if settings.start_report is not None:
        start = read_report(Path(settings.start_report), settings.scale)
        points, baseline = {0: start["average"]} | points, start["bicubic"]["average"]
    say(f"{'step':>8}  {'psnr_y':>8}  {'NIQE':>8}")
    for step, values in points.items():
        say(f"{step:8}  {values['psnr_y']:8.3f}  {values['niqe']:8.3f}")
    draw(points, baseline, settings.output_path)
    say(f"Wrote {settings.output_path}")


def read_validations(folder: Path, scale: int) -> dict[int, dict[str, float]]:
    """Reads `psnr_y` and `niqe` of each validated step of a training, in order.

    Raises:
        InputError: There is no validation with NIQE.
    """
    points: dict[int, dict[str, float]] = {}
    path = folder / f"x{scale}"
    # Leaves out an incomplete entry, and the steps to which a later start returned.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    curves = EventAccumulator(str(path), {"tensors": 0})
    tags = curves.Reload().Tags()["tensors"] if path.is_dir() else ()
    for name in COLUMNS:
        if f"validation/{name}" in tags:
            for event in curves.Tensors(f"validation/{name}"):
                number = float(make_ndarray(event.tensor_proto))
                points.setdefault(event.step, {})[name] = number
    whole = {step: point for step, point in points.items() if len(point) == 2}
    if not whole:
        raise InputError(
            f"--train_path={folder}: found no validation with NIQE at x{scale}; train "
            "with --validate_truth_path and --niqe_model_path."
        )
    return dict(sorted(whole.items()))


def read_report(path: Path, scale: int) -> dict[str, Any]:
    """Reads one scale of a report of validate.py.

    Raises:
        InputError: There is no such file, or it holds no NIQE of this scale.
    """
    try:
        report = json.loads(path.read_text())["scales"][str(scale)]
        for average in (report["average"], report["bicubic"]["average"]):
            float(average["niqe"]), float(average["psnr_y"])
    except OSError as error:
        raise InputError(f"--start_report={path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"--start_report={path}: expected a report of validate.py with x{scale} "
            "and --niqe_model_path."
        ) from None
    return report


def draw(
    points: Mapping[int, Mapping[str, float]],
    baseline: Mapping[str, float] | None,
    path: Path | str,
) -> None:
    """Draws the curve to a PNG file, and bicubic's point if it is known."""
    figure, axes = plt.subplots(figsize=(7, 4.5))
    steps = list(points)
    places = [(point["psnr_y"], point["niqe"]) for point in points.values()]
    x, y = zip(*places, strict=True)
    axes.plot(x, y, "-", color="0.7", zorder=1)
    shown = axes.scatter(x, y, c=steps, cmap="viridis", zorder=2)
    figure.colorbar(shown, label="step")
    # Labels avoid the curve, which runs down and left, and may turn up at the end.
    labels = [(f"step {steps[0]}", places[0], (6, 6))]
    if len(steps) > 1:
        labels += [(f"step {steps[-1]}", places[-1], (-20, 8))]
    if baseline is not None:
        place = baseline["psnr_y"], baseline["niqe"]
        axes.scatter(*place, marker="x", color="black")
        labels += [("bicubic", place, (6, -12))]
    for text, place, offset in labels:
        axes.annotate(text, place, xytext=offset, textcoords="offset points")
    axes.set_xlabel("psnr_y in dB: higher is closer to the truth")
    axes.set_ylabel("NIQE: lower looks more natural")
    axes.margins(0.15)  # Room for the labels.
    axes.grid(alpha=0.3)
    figure.tight_layout()
    with opened_whole(path) as file:
        figure.savefig(file, format="png", dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    app.run(main, (DrawSettings,))
