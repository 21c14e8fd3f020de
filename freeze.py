r"""Freezes a trained model to one file, or exports its checkpoint.

    python freeze.py --model=eusr --scales=4 --restore_path=train/model.ckpt-1000 \
        --output_path=model.pb
    python freeze.py --scales=4 --restore_path=train --format=onnx \
        --output_path=model.onnx
    python freeze.py --restore_path=train --format=weights \
        --output_path=pretrained/eusr/model.ckpt-1000

The script reads the file back and compares it with the model before it reports success.
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
    from training.arguments import LEARNED
    from upscaling.tiles import upscale_image

MODEL = Choice(
    "model",
    MODELS,
    None,
    "The model; if not given, the checkpoint's.",
    not_offered=BASELINES,
)

# Shares of the largest value, or of 255. Our file runs the same kernels, though a graph
# of constants may be folded differently; other programs sum in another order.
TOLERANCE, TOLERANCE_OF_OTHERS = 1e-2 / 255, 1e-1 / 255
# Odd and even sides, not square.
SIZES = ((24, 32), (33, 19))


@dataclasses.dataclass(frozen=True)
class FreezeSettings(Settings):
    """The scales to freeze."""

    scales: tuple[int, ...] | None = option(
        None,
        "Scales to keep; default: all that the model was trained at. A .pb file of one "
        "scale has no sr_input_scale; --format=weights keeps the network whole, for "
        "use at these scales.",
    )
    restore_global_step: int = option(
        0, "Has no effect; kept for old commands.", least=-1
    )


@dataclasses.dataclass(frozen=True)
class ExportSettings(formats.ExportSettings):
    """The format and the path of the written file."""

    registry = formats.FORMATS | exporting.FORMATS

    format: str = formats.ExportSettings.with_default(
        "format",
        "pb",
        help="pb for the scripts here and TensorFlow 1.15; saved_model, onnx and "
        "tflite for other programs (see requirements-export.txt). Checkpoints: weights "
        "for use without the state of the training, weights16 the same in 16 bits, tf1 "
        "for the TensorFlow 1 code.",
        choices=tuple(registry),
    )
    output_path: PathName = formats.ExportSettings.with_default(
        "output_path",
        "model.pb",
        help="File to write; folder with --format=saved_model; prefix of the files' "
        "names with weights and tf1, for example pretrained/eusr/model.ckpt-1000. The "
        "default has the ending of the format.",
    )


SETTINGS: tuple[Any, ...] = (FreezeSettings, opening.CheckpointSettings, ExportSettings)


def main() -> None:
    """Freezes or exports the model that the flags describe."""
    settings, checkpoint, export = (each.from_flags() for each in SETTINGS)
    devices.choose("-1")
    file_format, target = export.find()
    if file_format is exporting.TF1Checkpoint and settings.scales is not None:
        raise InputError(
            f"--format={export.format} keeps the whole network; leave out --scales."
        )
    checkpoint = checkpoint.find(MODEL.name)
    model, _ = checkpoint.open(MODEL.name)
    path, defaults = checkpoint.restore_path, model.trained_scales or model.scales
    is_checkpoint = issubclass(file_format, exporting.CheckpointFormat)
    if is_checkpoint:
        if settings.scales is not None:
            scales = opening.choose_scales(model, settings.scales, None, path)
            model.take_learned({LEARNED: sorted(scales)})
        what = file_format.export(model, checkpoint, target)
        say(f"Wrote {target} ({what}); it was read back and is identical.")
        return
    scales = opening.choose_scales(model, settings.scales, defaults, path)
    if len(scales) > 1 and not file_format.holds_scales:
        raise InputError(
            f"--format={export.format} holds one scale; give one of "
            f"{', '.join(f'--scales={scale}' for scale in scales)}."
        )
    _freeze(model, scales, file_format, target, path)


def _freeze(model, scales, file_format, target, path):
    """Writes a frozen network, reads it back and compares it with the model."""
    network = make_network(model, scales)
    is_ours = file_format is formats.FrozenFile
    tolerance = TOLERANCE if is_ours else TOLERANCE_OF_OTHERS
    with written_whole(target) as aside:
        file_format.write(network, aside)
        difference = 0.0
        for scale in scales:
            upscale = _open_file(file_format, network, aside, scale)
            found = _compare(model, upscale, scale, tolerance, path)
            difference = max(difference, found)
    names = ", ".join(f"x{scale}" for scale in scales)
    agreement = f"within {difference:.1g} grey levels" if difference else "exactly"
    say(f"Wrote {target} ({names}); it reproduces the model's output {agreement}.")


def _open_file(file_format, network, path, scale):
    """Opens the written file as a function that upscales one picture."""
    if file_format is formats.FrozenFile:
        # Part by part, as in `test.py`.
        return functools.partial(upscale_image, upscaler.Upscaler(path).stages(scale))
    run = file_format.load(network, path)
    return lambda lr: run(lr[None])[0][0]


def _compare(model, upscale, scale, tolerance, path):
    """Compares the written file with the model, on noise.

    Args:
        model: The model.
        upscale: The function of the file, from float32 (H, W, 3) to
            (H * scale, W * scale, 3).
        scale: Upscaling factor.
        tolerance: Largest difference, as a share of the largest value or of 255.
        path: Path of the checkpoint, for the message.

    Returns:
        The largest difference, in grey levels.
    """
    largest = 0.0
    for size in SIZES:
        lr = np.random.default_rng(0).uniform(0, 255, (*size, 3)).astype(np.float32)
        expected = upscale_image(model.stages(scale), lr)
        if not np.isfinite(expected).all():
            raise InputError(
                f"--restore_path={path}: the output of these weights is not finite; "
                "the training diverged. Use other weights."
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
