"""Restores a model from a checkpoint of the original TensorFlow 1 code."""

from pathlib import Path
from typing import Any

from console.errors import InputError
from console.progress import say
from models import tf1_names
from training import checkpoints


def restore(model: Any, prefix: Path | str, target: str | None = None) -> None:
    """Reads weights and, if `target` is None, the moments of Adam, if stored.

    Args:
        model: Model whose variables are assigned.
        prefix: Prefix of a checkpoint of the TF1 code.
        target: Name of the only item to read; None for all.

    Raises:
        InputError: The item does not exist, or does not fit.
    """
    layers = model.tf1_layers()
    if target is not None:
        if target not in layers:
            raise InputError(
                f"--restore_target={target}: expected {' or '.join(layers)}, the only "
                f"parts of {prefix} that can be restored."
            )
        layers = {target: layers[target]}
    reader = checkpoints.open_reader(prefix)
    for item, named in layers.items():
        if not any(reader.has_tensor(f"{name}/kernel") for name in named):
            raise InputError(
                f"{prefix} holds no {item}, which --model={model.name} needs. "
                "--restore_target=generator restores only the generator."
            )
    named = {name: layer for item in layers.values() for name, layer in item.items()}
    tf1_names.restore(prefix, named)
    text = f"Restored the {' and the '.join(layers)} of the TensorFlow 1 code"
    if target is None and model.optimizers:
        steps = tf1_names.restore_moments(
            prefix, named, list(model.optimizers.values())
        )
        text += (
            ", without Adam's moments, which the checkpoint does not hold"
            if steps is None
            else f" and Adam's moments after {steps} steps"
        )
    say(f"{text}.")
