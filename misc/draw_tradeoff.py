"""Plots NIQE against PSNR over the validations of a training.

    python misc/draw_tradeoff.py --train_path=train/4pp --start_report=eusr.json \
        --output_path=tradeoff.png

The training must have been validated with --niqe_model_path; the results are read from
TensorBoard's files. The first point is from a report that `validate.py --report_path`
wrote for the initial model.
"""

import dataclasses
import json
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
    import tensorflow as tf

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
    """Reads the results of a training's validations.

    Args:
        folder: Folder of the training.
        scale: Upscaling factor.

    Returns:
        From a step to a dict of `psnr_y` and `niqe`, in the order of the steps.

    Raises:
        InputError: There is no validation with NIQE.
    """
    files = sorted((folder / f"x{scale}").glob("events.out.tfevents.*"))
    points: dict[int, dict[str, float]] = {}
    for path in files:
        # The last entry of a run that was killed may be incomplete.
        whole_entries = tf.data.TFRecordDataset(str(path)).ignore_errors()
        for record in whole_entries.as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            if event.HasField("session_log"):
                # A later start has returned to this step; drop the steps after it.
                points = {s: point for s, point in points.items() if s < event.step}
            for value in event.summary.value:
                name = value.tag.removeprefix("validation/")
                if name in COLUMNS and name != value.tag:
                    number = float(tf.make_ndarray(value.tensor))
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
    """Draws the curve, and bicubic's point.

    Args:
        points: The result of `read_validations`.
        baseline: `psnr_y` and `niqe` of bicubic; None if they are not known.
        path: The PNG file to write.
    """
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
