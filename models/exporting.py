"""Exports checkpoints: weights only, or for the original TensorFlow 1 code.

`--format=weights` leaves out the state of the training: Adam's moments, the
discriminator, the weights if there is a running average of them, and the arguments of
the run, which name folders of this machine. `weights16` stores 16 bits for each weight
of a kernel. `tf1` writes the names of the TensorFlow 1 code: an EUSR with Adam's
moments, so that the code can resume its training, a 4PP-EUSR with the discriminator.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from console.choices import load
from console.errors import InputError
from console.files import check_target
from console.progress import to_size
from console.settings import is_given
from frozen.formats import Format
from models import DISCRIMINATORS, tf1_names
from models.base import Model
from models.discriminator import Discriminator
from models.opening import CheckpointSettings
from training import checkpoints
from training.checkpoint_writer import writing
from training.schedule import Schedule

FORMATS = {
    "weights": "models.exporting:Weights",
    "weights16": "models.exporting:Weights16",
    "tf1": "models.exporting:TF1Checkpoint",
}
# Endings of a checkpoint's files, in the order in which they are moved: a checkpoint
# exists only once its index does.
PARTS = (".data-00000-of-00001", ".index")


class CheckpointFormat(Format):
    """A checkpoint, which holds a model instead of a frozen network."""

    @classmethod
    def check_target(cls, target: Path, flag: str) -> None:
        """See `Format.check_target`; the target is the prefix of the checkpoint."""
        if not is_given("output_path"):
            raise InputError(
                f"{flag} must be given: the prefix of the files' names, for example "
                f"train/out/{checkpoints.PREFIX}-1000."
            )
        if target.is_dir() or target.name in ("", ".."):
            raise InputError(
                f"{flag}={target} is a folder; name the checkpoint in it, for example "
                f"{target / checkpoints.PREFIX}-1000."
            )
        for part in PARTS:
            check_target(f"{target}{part}", flag)

    @classmethod
    def export(cls, model: Model, checkpoint: CheckpointSettings, target: Path) -> str:
        """Writes a checkpoint, reads it back and compares it with the model.

        Returns a short description of it.

        Raises:
            InputError: The target is a checkpoint to read, or the format does not
                support the model.
        """
        if checkpoint.restore_path is None:
            raise InputError(f"--model={model.name} has no checkpoint to write.")
        sources = filter(None, (checkpoint.restore_path, checkpoint.exact_path))
        if target.resolve() in [Path(source).resolve() for source in sources]:
            raise InputError(
                f"--output_path={target} is the checkpoint to read, which would be "
                "overwritten; give another path."
            )
        return cls.write_checkpoint(model, checkpoint, target)

    @classmethod
    def write_checkpoint(
        cls, model: Any, checkpoint: CheckpointSettings, target: Path
    ) -> str:
        """Writes the checkpoint; see `export`, which has checked the target."""
        raise NotImplementedError


class Weights(CheckpointFormat):
    """A checkpoint without the state of the training."""

    is_half = False

    @classmethod
    def write_checkpoint(
        cls, model: Any, checkpoint: CheckpointSettings, target: Path
    ) -> str:
        """See `CheckpointFormat.write_checkpoint`."""
        step = checkpoints.read_step(checkpoint.restore_path) or 0
        model.state.step.assign(step)
        items = model.checkpoint_items()
        if cls.is_half:
            weights = model.generator.weights
            items["generator"] = checkpoints.to_tree(weights, is_half=True)
        write_items(items, target)
        size = sum(Path(f"{target}{part}").stat().st_size for part in PARTS)
        return f"{to_size(size)}, step {step}"


class Weights16(Weights):
    """`Weights` with kernels in float16."""

    is_half = True


class TF1Checkpoint(CheckpointFormat):
    """A checkpoint of the TensorFlow 1 code."""

    @classmethod
    def write_checkpoint(
        cls, model: Any, checkpoint: CheckpointSettings, target: Path
    ) -> str:
        """See `CheckpointFormat.write_checkpoint`."""
        prefix = checkpoint.restore_path
        _check_has_names(model, prefix)
        layers, optimizers = _collect(model, checkpoint)
        if not model.generator.is_as_published():
            # Adam's moments belong to the weights before the conversion.
            published = model.generator.make_as_published()
            layers, optimizers = layers | tf1_names.of_generator(published), []
        with written_checkpoint(target) as aside:
            tf1_names.write(aside, layers, optimizers)
        what = "weights" if not optimizers else "weights and Adam's moments"
        return f"{what} of {len(layers)} layers"


def _check_has_names(model, prefix):
    """Refuses a model that the TF1 code does not support."""
    if tf1_names.is_tf1(prefix):
        raise InputError(f"{prefix}: is already a checkpoint of the TensorFlow 1 code.")
    if not hasattr(model, "tf1_layers"):
        raise InputError(
            f"{prefix}: holds {model.name}, which the TensorFlow 1 code does not have."
        )
    thirds = [f"x{scale}" for scale in model.scales if scale % 3 == 0]
    if thirds:
        raise InputError(
            f"{prefix}: has {' and '.join(thirds)}; the TensorFlow 1 code supports "
            "only networks of x2, x4, x8 and x16."
        )


def _collect(model, checkpoint):
    """Collects the layers and optimizers that the TF1 code also has."""
    prefix = checkpoint.restore_path
    layers = dict(tf1_names.of_generator(model.generator))
    stored = checkpoints.list_items(prefix)
    if "discriminator" in stored:
        discriminator = read_discriminator(prefix)
        if not tf1_names.has_discriminator(discriminator):
            raise InputError(
                f"{prefix}: the TensorFlow 1 code has the paper's discriminator only. "
                "Write the weights without it first: freeze.py --format=weights."
            )
        return layers | tf1_names.of_discriminator(discriminator), []
    is_averaged = "ema" in stored and checkpoint.use_ema
    is_mixed = checkpoint.naturalness is not None
    # Adam's moments belong to the weights in training.
    if "generator_optimizer" not in stored or is_averaged or is_mixed:
        return layers, []
    optimizer = model.make_adam(Schedule(0.0), model.generator.trainable_variables)
    tree = checkpoints.to_tree(optimizer.variables)
    checkpoints.restore(prefix, {"generator_optimizer": tree})
    return layers, [optimizer]


def read_discriminator(prefix: Path | str) -> keras.Layer:
    """Reads the discriminator of a checkpoint."""
    shapes = checkpoints.open_reader(prefix).get_variable_to_shape_map()
    discriminator = make_discriminator(
        {
            name.partition("/.")[0].removeprefix("discriminator/"): shape
            for name, shape in shapes.items()
            if name.startswith("discriminator/")
        }
    )
    tree = checkpoints.to_tree(discriminator.weights)
    checkpoints.restore(prefix, {"discriminator": tree})
    return discriminator


def make_discriminator(shapes: Mapping[str, Sequence[int]]) -> keras.Layer:
    """Makes the discriminator with weights of these shapes; the paper's by default."""
    for name in DISCRIMINATORS:
        made = load(DISCRIMINATORS, name, "--eusr_discriminator")
        if shape := shapes.get(f"{made.first_name}/kernel"):
            return made("float32", shape[-1])
    return Discriminator(features=Discriminator.default_features)


def write_items(items: dict[str, Any], target: Path) -> None:
    """Writes a checkpoint from items to their trees, and compares it with them."""
    with written_checkpoint(target) as aside:
        tf.train.Checkpoint(**items).write(aside)
        checkpoints.check_same(aside, checkpoints.list_values(items))


@contextlib.contextmanager
def written_checkpoint(target: Path) -> Iterator[Path]:
    """Yields a temporary prefix; moves its files to `target` after the block.

    The folder is made if missing. Existing files stay where the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export") as folder:
        aside = Path(folder) / target.name
        with writing(target):
            yield aside
        Path(f"{target}{PARTS[-1]}").unlink(missing_ok=True)
        for part in PARTS:
            os.replace(f"{aside}{part}", f"{target}{part}")
