"""The weights in the repository, used when no others are named."""

from pathlib import Path

from console.errors import InputError
from training import checkpoints

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"
# The folders, and what people who know no models may choose by.
TOLD = {
    "eusr": "EUSR: exact",
    "4pp_eusr": "4PP-EUSR: crisp, less exact",
    "photo": "Photo: against noise, blur and compression",
    "eusr_large": "Large EUSR: a little more exact, much slower",
}


def find(name: str, flag: str = "--restore_path") -> str:
    """Finds the prefix of the weights of a model; `flag` names other weights.

    It is relative, and so shorter in messages, if it is below the current folder.
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
