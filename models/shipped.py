"""The weights in the repository, used when no others are named."""

from pathlib import Path

from console.errors import InputError
from models import MODELS
from training import checkpoints

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"
# What people who know no models may choose by.
_TOLD = {
    "eusr": "EUSR: exact",
    "4pp_eusr": "4PP-EUSR: crisp, less exact",
}


def list_names() -> dict[str, str]:
    """Lists the models that have weights: their names, by texts to choose from."""
    names = (name for name in MODELS if checkpoints.list_checkpoints(FOLDER / name))
    return {_TOLD.get(name, name): name for name in sorted(names, key=[*_TOLD].index)}


def find(name: str, flag: str = "--restore_path") -> str:
    """Finds the weights of a model.

    Args:
        name: Name of the model in the registry.
        flag: Flag that names other weights, for the message.

    Returns:
        Prefix of the checkpoint; relative, and so shorter in messages, if it is below
        the current folder.

    Raises:
        InputError: There are no weights for this model.
    """
    found = checkpoints.list_checkpoints(FOLDER / name)
    if not found:
        raise InputError(
            f"--model={name} needs trained weights, and none are in {FOLDER / name}. "
            f"Give {flag}=CHECKPOINT, for example train/model.ckpt-1000 or the folder "
            "train/."
        )
    prefix = found[-1]
    here = Path.cwd()
    return str(prefix.relative_to(here) if prefix.is_relative_to(here) else prefix)
