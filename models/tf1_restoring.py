"""Restores a model from a checkpoint of the original TensorFlow 1 code."""

from console.errors import InputError
from console.progress import say
from models import tf1_names
from training import checkpoints


def restore(model, prefix, target=None):
    """Reads weights, and the moments of Adam where all is read and they are there.

    Args:
        model: A `models.generator_model.GeneratorModel`.
        prefix: A checkpoint of the TF1 code.
        target: Name of the only root to read; None for all.

    Raises:
        InputError: There is no such root, or it does not fit.
    """
    layers = model.tf1_layers()
    if target is not None:
        if target not in layers:
            raise InputError(
                f"--restore_target={target}: of {prefix} only "
                f"{' and '.join(layers)} can be read."
            )
        layers = {target: layers[target]}
    reader = checkpoints.open_reader(prefix)
    for root, named in layers.items():
        if not any(reader.has_tensor(f"{name}/kernel") for name in named):
            raise InputError(
                f"{prefix} holds no {root}, which --model={model.name} has. "
                "--restore_target=generator takes the generator alone."
            )
    named = {name: layer for root in layers.values() for name, layer in root.items()}
    tf1_names.restore(prefix, named)
    text = f"Read the {' and the '.join(layers)} of the TensorFlow 1 code"
    if target is None and model.optimizers:
        steps = tf1_names.restore_moments(
            prefix, named, list(model.optimizers.values())
        )
        text += (
            ", but no moments of Adam, which it does not hold"
            if steps is None
            else f" and the moments of Adam after {steps} steps"
        )
    say(f"{text}.")
