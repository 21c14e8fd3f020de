r"""Freezes a trained model to one file, or writes its checkpoint for others.

    python freeze.py --model=eusr --scales=4 --restore_path=train/model.ckpt-1000 \
        --output_path=model.pb
    python freeze.py --scales=4 --restore_path=train --format=onnx \
        --output_path=model.onnx
    python freeze.py --restore_path=train --format=weights \
        --output_path=pretrained/eusr/model.ckpt-1000

What is written is read back and compared with the model before it is called done.
"""

import dataclasses
import functools
from typing import Any

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import written_whole
from console.progress import say
from console.settings import PathName, Settings, option
from models import BASELINES, MODELS

with quiet.imports():
    import numpy as np

    from frozen import formats, upscaler
    from frozen.upscaler_graph import make_network
    from models import exporting, opening
    from training import devices
    from upscaling.tiles import upscale_image

MODEL = Choice(
    "model",
    MODELS,
    None,
    "The model; the checkpoint knows it.",
    not_offered=BASELINES,
)

# Of the largest value, or of 255. Our file runs the same kernels, though a graph of
# constants may be folded differently; others sum in another order.
TOLERANCE, TOLERANCE_OF_OTHERS = 1e-2 / 255, 1e-1 / 255
# Odd and even, and not square.
SIZES = ((24, 32), (33, 19))


@dataclasses.dataclass(frozen=True)
class FreezeSettings(Settings):
    """What of a model is frozen."""

    scales: tuple[int, ...] | None = option(
        None,
        "Scales to keep; if not given all that the model is trained at. One makes a "
        "file without sr_input_scale.",
    )
    restore_global_step: int = option(
        0, "Does nothing; kept for old commands.", least=-(2**63)
    )


@dataclasses.dataclass(frozen=True)
class ExportSettings(formats.ExportSettings):
    """What a model is written as, and where to."""

    registry = formats.FORMATS | exporting.FORMATS

    format: str = formats.ExportSettings.with_default(
        "format",
        "pb",
        help="pb for the scripts here and TensorFlow 1.15; saved_model, onnx and "
        "tflite for other programs (see requirements-export.txt); a checkpoint: "
        "weights without what only a training needs, tf1 for the TensorFlow 1 code.",
        choices=tuple(registry),
    )
    output_path: PathName = formats.ExportSettings.with_default(
        "output_path",
        "model.pb",
        help="The file to write, with --format=saved_model the folder, or with weights "
        "and tf1 what the files' names begin with, for example "
        "pretrained/eusr/model.ckpt-1000; another ending in other formats.",
    )


SETTINGS: tuple[Any, ...] = (FreezeSettings, opening.CheckpointSettings, ExportSettings)


def main():
    """Writes, reads back, compares."""
    settings, checkpoint, export = (each.from_flags() for each in SETTINGS)
    devices.choose("-1")
    file_format, target = export.find()
    is_checkpoint = issubclass(file_format, exporting.CheckpointFormat)
    if is_checkpoint and settings.scales is not None:
        raise InputError(
            f"--format={export.format} holds the whole network; leave out --scales."
        )
    checkpoint = checkpoint.find(MODEL.name)
    model, _ = checkpoint.open(MODEL.name)
    if is_checkpoint:
        what = file_format.export(model, checkpoint, target)
        return say(f"Wrote {target} ({what}); read back, it is the same.")
    scales = choose_scales(model, settings, checkpoint, export.format, file_format)
    return freeze(model, scales, file_format, target, checkpoint.restore_path)


def choose_scales(model, settings, checkpoint, name, file_format):
    """The scales to keep; see `opening.choose_scales`.

    Raises:
        InputError: A file of the format cannot hold all of them.
    """
    defaults = model.trained_scales or model.scales
    path = checkpoint.restore_path
    scales = opening.choose_scales(model, settings.scales, defaults, path)
    if len(scales) > 1 and not file_format.holds_scales:
        raise InputError(
            f"--format={name} holds one scale; give one of "
            f"{', '.join(f'--scales={scale}' for scale in scales)}."
        )
    return scales


def freeze(model, scales, file_format, target, path):
    """Writes a frozen network, reads it back and compares.

    Args:
        model: The model.
        scales: To keep.
        file_format: A `frozen.formats.Format`.
        target: The file or folder to be.
        path: Of the checkpoint, for messages.
    """
    network = make_network(model, scales)
    with written_whole(target) as aside:
        file_format.write(network, aside)
        ours = file_format is formats.FrozenFile
        difference = max(
            compare(
                model,
                open_file(file_format, network, aside, scale),
                scale,
                TOLERANCE if ours else TOLERANCE_OF_OTHERS,
                path,
            )
            for scale in scales
        )
    names = ", ".join(f"x{scale}" for scale in scales)
    agreement = f"within {difference:.1g} grey levels" if difference else "exactly"
    say(f"Wrote {target} ({names}); it gives the model's output {agreement}.")


def open_file(file_format, network, path, scale):
    """A function that upscales one picture with what was written."""
    if file_format is formats.FrozenFile:
        # In two parts, as `test.py` does.
        stages = upscaler.Upscaler(path).stages(scale)
        return functools.partial(upscale_image, stages)
    run = file_format.load(network, path)
    return lambda lr: run(lr[None])[0][0]


def compare(model, upscale, scale, tolerance, path):
    """Compares a file with the model on made-up pictures.

    Args:
        model: The model.
        upscale: From float32 (H, W, 3) to (H * scale, W * scale, 3).
        scale: Upscaling factor.
        tolerance: Of the largest value, or of 255 where none is larger.
        path: Of the checkpoint, for the message.

    Returns:
        float: The largest difference, in grey levels.

    Raises:
        InputError: What the model makes is not finite.
        RuntimeError: They differ by more than the tolerance.
    """
    largest = 0.0
    for size in SIZES:
        lr = np.random.default_rng(0).uniform(0, 255, (*size, 3)).astype(np.float32)
        expected = upscale_image(model.stages(scale), lr)
        if not np.isfinite(expected).all():
            raise InputError(
                f"--restore_path={path}: with these weights the pictures "
                "are not finite; the training went astray. Use others."
            )
        difference = float(np.abs(upscale(lr) - expected).max())
        if not difference <= tolerance * max(255.0, np.abs(expected).max()):
            raise RuntimeError(
                f"The frozen graph differs from the model by {difference:.3g} levels."
            )
        largest = max(largest, difference)
    return largest


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,))
