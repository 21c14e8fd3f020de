"""Checkpoints that are written for others: whole, or not at all.

`--format=weights` leaves out what only a training needs: what Adam remembers, the
discriminator, the weights beside their running average, and what the run was started
with, which names folders of this machine. The rest is what `validate.py`, `freeze.py`,
`test.py` and `train.py --restore_target=generator` take.

`--format=tf1` is for the original TensorFlow 1 code, under its names. What Adam
remembers goes along, so that it can go on with the training of an EUSR; of a 4PP-EUSR
both networks go, as in its own checkpoints.
"""

import contextlib
import os
import tempfile
from pathlib import Path

import tensorflow as tf

from console.errors import InputError
from console.files import check_target
from console.progress import to_size
from console.settings import is_given
from frozen.formats import Format
from models import tf1_names
from models.discriminator import Discriminator
from models.generator_settings import Training
from training import checkpoints
from training.checkpoint_writer import writing

FORMATS = {
    "weights": "models.exporting:Weights",
    "tf1": "models.exporting:TF1Checkpoint",
}
# A checkpoint's files, in the order in which they take their places: without an index
# there is no checkpoint.
PARTS = (".data-00000-of-00001", ".index")


class CheckpointFormat(Format):
    """A checkpoint, which holds a model rather than its frozen network."""

    @classmethod
    def check_target(cls, target, flag):
        """See `Format.check_target`; the target is what the files' names begin with."""
        if not is_given("output_path"):
            raise InputError(
                f"{flag} must be given: what the files' names begin with, for example "
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
    def export(cls, model, checkpoint, target):
        """Writes a model, reads it back and compares.

        Args:
            model: The model.
            checkpoint: The `models.opening.CheckpointSettings` that it was opened by.
            target: What the names of the files begin with.

        Returns:
            str: What was written, in a few words.

        Raises:
            InputError: The target is what is read, or the format cannot hold the model.
        """
        if checkpoint.restore_path is None:
            raise InputError(f"--model={model.name} has no checkpoint to write.")
        if target.resolve() == Path(checkpoint.restore_path).resolve():
            raise InputError(
                f"--output_path={target} is the checkpoint that is read, and would "
                "lose what is not written; give another."
            )
        return cls.write_checkpoint(model, checkpoint, target)

    @staticmethod
    def write_checkpoint(model, checkpoint, target):
        """See `export`, which has looked at the target."""
        raise NotImplementedError


class Weights(CheckpointFormat):
    """The weights alone, to hand on."""

    @staticmethod
    def write_checkpoint(model, checkpoint, target):
        """See `CheckpointFormat.export`."""
        step = checkpoints.read_step(checkpoint.restore_path) or 0
        model.state.step.assign(step)
        write_items(model.checkpoint_items(), target)
        size = sum(Path(f"{target}{part}").stat().st_size for part in PARTS)
        return f"{to_size(size)}, step {step}"


class TF1Checkpoint(CheckpointFormat):
    """Weights and Adam's moments for the TensorFlow 1 code."""

    @staticmethod
    def write_checkpoint(model, checkpoint, target):
        """See `CheckpointFormat.export`."""
        prefix = checkpoint.restore_path
        _check_has_names(model, prefix)
        layers, optimizers = _collect(model, prefix, checkpoint.use_ema)
        if not model.generator.is_as_published():
            # Adam remembers the weights as they were.
            published = model.generator.make_as_published()
            layers, optimizers = layers | tf1_names.of_generator(published), []
        with written_checkpoint(target) as aside:
            tf1_names.write(aside, layers, optimizers)
            tf1_names.check_same(aside, layers, optimizers)
        what = "weights" if not optimizers else "weights and Adam's moments"
        return f"{what} of {len(layers)} layers"


def _check_has_names(model, prefix):
    """Refuses what the TF1 code has no names of.

    Raises:
        InputError: With what is wrong with it.
    """
    if tf1_names.is_tf1(prefix):
        raise InputError(f"{prefix}: has the names of the TensorFlow 1 code already.")
    if not hasattr(model, "tf1_layers"):
        raise InputError(f"{prefix}: holds {model.name}, of which TF1 has no names.")
    thirds = [f"x{scale}" for scale in model.scales if scale % 3 == 0]
    if thirds:
        raise InputError(
            f"{prefix}: has {' and '.join(thirds)}, and the TensorFlow 1 code only "
            "doubles. A network of x2, x4, x8 or x16 can be exported."
        )


def _collect(model, prefix, use_ema):
    """What a checkpoint holds that the TF1 code has, too.

    Args:
        model: The model that was opened from it.
        prefix: The checkpoint.
        use_ema: Whether averaged weights are taken.

    Returns:
        As `models.tf1_names.write` takes them: layers and optimizers.
    """
    layers = dict(tf1_names.of_generator(model.generator))
    stored = checkpoints.list_items(prefix)
    if "discriminator" in stored:
        return layers | tf1_names.of_discriminator(read_discriminator(prefix)), []
    is_averaged = "ema" in stored and use_ema
    if "generator_optimizer" not in stored or is_averaged:
        return layers, []
    optimizer = model.make_optimizer(
        Training(), 0.0, model.generator.trainable_variables
    )
    tree = checkpoints.to_tree(optimizer.variables)
    checkpoints.restore(prefix, {"generator_optimizer": tree})
    return layers, [optimizer]


def read_discriminator(prefix):
    """The discriminator that a checkpoint holds."""
    discriminator = Discriminator()
    tree = checkpoints.to_tree(discriminator.weights)
    checkpoints.restore(prefix, {"discriminator": tree})
    return discriminator


def write_items(items, target):
    """Writes a checkpoint, reads it back and compares.

    Args:
        items: From an item's name to its tree.
        target: What the names of the files begin with.
    """
    with written_checkpoint(target) as aside:
        tf.train.Checkpoint(**items).write(aside)
        checkpoints.check_same(aside, items)


@contextlib.contextmanager
def written_checkpoint(target):
    """Yields a prefix to write a checkpoint to, and moves it once all is written.

    Args:
        target: The prefix to be; its folder is made when missing.

    Yields:
        Path: Of the same name, in a folder that is removed in the end.

    Raises:
        OSError: The disk is full or read-only; what was there stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export") as folder:
        aside = Path(folder) / target.name
        with writing(target):
            yield aside
        Path(f"{target}{PARTS[-1]}").unlink(missing_ok=True)
        for part in PARTS:
            os.replace(f"{aside}{part}", f"{target}{part}")
