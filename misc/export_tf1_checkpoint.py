r"""Writes a checkpoint for the original TensorFlow 1 code, under its names.

    python misc/export_tf1_checkpoint.py --restore_path=train/eusr \
        --output_path=tf1/model.ckpt-1000

What Adam remembers goes along, so that the original code can go on with the training
of an EUSR; of a 4PP-EUSR both networks go, as in its own checkpoints. The files are
read back and compared before they are called done.
"""

import dataclasses
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.progress import say  # noqa: E402
from console.settings import PathName  # noqa: E402

with quiet.imports():
    from misc import exporting
    from models import tf1_names
    from models.discriminator import Discriminator
    from models.generator_settings import Training
    from training import checkpoints


@dataclasses.dataclass(frozen=True)
class ExportSettings(exporting.ExportSettings):
    """Which checkpoint to read and where to write."""

    output_path: PathName = exporting.ExportSettings.with_default(
        "output_path",
        None,
        help="What its files' names begin with: tf1/model.ckpt-1000.",
    )


def main():
    """Opens, writes, reads back."""
    settings = ExportSettings.from_flags().begin()
    prefix = settings.restore_path
    if tf1_names.is_tf1(prefix):
        raise InputError(f"{prefix}: has the names of the TensorFlow 1 code already.")
    model, _ = settings.open(None)
    if not hasattr(model, "tf1_layers"):
        raise InputError(f"{prefix}: holds {model.name}, of which TF1 has no names.")
    thirds = [f"x{scale}" for scale in model.scales if scale % 3 == 0]
    if thirds:
        raise InputError(
            f"{prefix}: has {' and '.join(thirds)}, and the TensorFlow 1 code only "
            "doubles. A network of x2, x4, x8 or x16 can be exported."
        )
    layers, optimizers = collect(model, prefix, settings.use_ema)
    if not model.generator.is_as_published():
        # Adam remembers the weights as they were.
        published = model.generator.make_as_published()
        layers, optimizers = layers | tf1_names.of_generator(published), []
    with exporting.written_checkpoint(settings.output_path) as aside:
        tf1_names.write(aside, layers, optimizers)
        tf1_names.check_same(aside, layers, optimizers)
    what = "weights" if not optimizers else "weights and Adam's moments"
    say(
        f"Wrote {settings.output_path} ({what} of {len(layers)} layers); read back, it "
        "is the same."
    )


def collect(model, prefix, use_ema):
    """What a checkpoint holds that the TF1 code has, too.

    Args:
        model: The model that was opened from it.
        prefix: The checkpoint.
        use_ema: Whether averaged weights are taken.

    Returns:
        As `models.tf1_names.write` takes them: layers and optimizers.
    """
    layers = dict(tf1_names.of_generator(model.generator))
    stored = checkpoints.list_roots(prefix)
    if "discriminator" in stored:
        discriminator = Discriminator()
        tree = checkpoints.to_tree(discriminator.weights)
        checkpoints.restore(prefix, {"discriminator": tree})
        return layers | tf1_names.of_discriminator(discriminator), []
    is_averaged = "ema" in stored and use_ema
    if "generator_optimizer" not in stored or is_averaged:
        return layers, []
    optimizer = model.make_optimizer(
        Training(), 0.0, model.generator.trainable_variables
    )
    tree = checkpoints.to_tree(optimizer.variables)
    checkpoints.restore(prefix, {"generator_optimizer": tree})
    return layers, [optimizer]


if __name__ == "__main__":
    app.run(main, (ExportSettings,))
