"""Draws how NIQE and PSNR moved together over the validations of a training.

    python misc/draw_tradeoff.py --train_path=train/4pp --start_report=eusr.json \
        --output_path=tradeoff.png

The training must have validated with --niqe_model_path; what it found is read from
TensorBoard's files. `validate.py --report_path` of the model that it started from
gives the first point.
"""

import dataclasses
import json
import sys
from pathlib import Path

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
    """What is drawn, and where to."""

    train_path: PathName = option(None, "Folder of the training.", is_required=True)
    scale: int = option(4, "Of which scale.")
    start_report: PathName | None = option(
        None,
        "JSON report of validate.py about the model that the training started from.",
    )
    output_path: PathName = option(None, "PNG file to write.", is_required=True)


def main():
    """Reads the validations, prints and draws them."""
    settings = DrawSettings.from_flags()
    check_target(settings.output_path, "--output_path")
    points = read_validations(Path(settings.train_path), settings.scale)
    baseline = None
    if settings.start_report is not None:
        start = read_report(Path(settings.start_report), settings.scale)
        points, baseline = {0: start["average"]} | points, start["bicubic"]["average"]
    say(f"{'step':>8}  {'psnr_y':>8}  {'NIQE':>8}")
    for step, values in points.items():
        say(f"{step:8}  {values['psnr_y']:8.3f}  {values['niqe']:8.3f}")
    draw(points, baseline, settings.output_path)
    say(f"Wrote {settings.output_path}")


def read_validations(folder, scale):
    """Reads what the validations of a training found.

    Args:
        folder: Of the training.
        scale: Upscaling factor.

    Returns:
        dict: From a step to a dict of `psnr_y` and `niqe`, in the order of the steps.

    Raises:
        InputError: There was no validation, or none that measured NIQE.
    """
    files = sorted((folder / f"x{scale}").glob("events.out.tfevents.*"))
    points = {}
    for path in files:
        # A run that was killed may leave half an entry at a file's end.
        whole_entries = tf.data.TFRecordDataset(str(path)).ignore_errors()
        for record in whole_entries.as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            if event.HasField("session_log"):
                # What came later belongs to a start that was gone back from.
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


def read_report(path, scale):
    """Reads one scale of a report of validate.py.

    Raises:
        InputError: There is no such file, or it holds no NIQE of that scale.
    """
    try:
        report = json.loads(path.read_text())["scales"][str(scale)]
        for average in (report["average"], report["bicubic"]["average"]):
            float(average["niqe"]), float(average["psnr_y"])
    except OSError as error:
        raise InputError(f"--start_report={path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"--start_report={path}: expected a report that validate.py wrote at "
            f"x{scale} with --niqe_model_path."
        ) from None
    return report


def draw(points, baseline, path):
    """Draws the curve, and bicubic where it is known.

    Args:
        points: As `read_validations` returns them.
        baseline: The same for bicubic; None if it is not known.
        path: Of the PNG file.
    """
    figure, axes = plt.subplots(figsize=(7, 4.5))
    steps = list(points)
    places = [[point[name] for name in COLUMNS] for point in points.values()]
    axes.plot(*zip(*places, strict=True), "-", color="0.7", zorder=1)
    shown = axes.scatter(*zip(*places, strict=True), c=steps, cmap="viridis", zorder=2)
    figure.colorbar(shown, label="step")
    # Away from the curve, which runs down and to the left, and may turn up in the end.
    labels = [(f"step {steps[0]}", places[0], (6, 6))]
    if len(steps) > 1:
        labels += [(f"step {steps[-1]}", places[-1], (-20, 8))]
    if baseline is not None:
        place = [baseline[name] for name in COLUMNS]
        axes.scatter(*place, marker="x", color="black")
        labels += [("bicubic", place, (6, -12))]
    for text, place, offset in labels:
        axes.annotate(text, place, xytext=offset, textcoords="offset points")
    axes.set_xlabel("psnr_y in dB: higher is nearer to the truth")
    axes.set_ylabel("NIQE: lower looks more natural")
    axes.margins(0.15)  # Room for the labels.
    axes.grid(alpha=0.3)
    figure.tight_layout()
    with opened_whole(path) as file:
        figure.savefig(file, format="png", dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    app.run(main, (DrawSettings,))
