"""Opens the model that a checkpoint holds: what validate, freeze and test share."""

from console.errors import InputError
from console.flags import load
from models import MODELS
from training import checkpoints


def open_model(name, restore_path, restore_target=None):
    """Makes a model ready to upscale.

    Args:
        name: Its name in the registry; None takes what the checkpoint says.
        restore_path: A checkpoint or a folder of some; None for a model that needs
            none.
        restore_target: Name of the only root to read; None for all.

    Returns:
        The model, and the step of its checkpoint (None where it says none).

    Raises:
        InputError: There is no such model or checkpoint, or they do not fit.
    """
    if restore_path is None:
        model_class = load(MODELS, name or "eusr", "--model")
        if model_class.needs_checkpoint:
            raise InputError(
                f"--model={model_class.name} needs trained weights: give --restore_path="
                "CHECKPOINT, for example train/model.ckpt-1000 or the folder train/."
            )
        return model_class.from_flags(), None
    prefix = checkpoints.find(restore_path)
    arguments = checkpoints.describe(prefix)
    stored = arguments["model"] if arguments else None
    if name and stored and name != stored:
        raise InputError(
            f"--model={name}, but {prefix} holds {stored}. Leave --model out or say "
            f"--model={stored}."
        )
    model = load(MODELS, name or stored or "eusr", "--model").from_checkpoint(
        prefix, arguments
    )
    model.restore(prefix, restore_target)
    return model, checkpoints.read_step(prefix)
