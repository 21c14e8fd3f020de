"""The weights that lie in the repository, for whoever names no others."""

from pathlib import Path

from console.errors import InputError
from training import checkpoints

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"


def find(name):
    """Finds the weights of a model.

    Args:
        name: Of the model, in the registry.

    Returns:
        str: Their checkpoint; relative to the present folder where it is below that,
        which is shorter in what is printed.

    Raises:
        InputError: None of this model ship, or they were removed.
    """
    found = checkpoints.list_checkpoints(FOLDER / name)
    if not found:
        raise InputError(
            f"--model={name} needs trained weights, and none are in {FOLDER / name}. "
            "Give --restore_path=CHECKPOINT, for example train/model.ckpt-1000 or the "
            "folder train/."
        )
    prefix = found[-1]
    here = Path.cwd()
    return str(prefix.relative_to(here) if prefix.is_relative_to(here) else prefix)
