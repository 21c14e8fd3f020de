"""The weights that lie in the repository, for whoever names no others."""

from pathlib import Path

from console.errors import InputError
from training import checkpoints

# Models whose weights ship.
NAMES = ("eusr",)
FOLDER = Path(__file__).resolve().parents[1] / "pretrained"


def find(name):
    """Finds the weights of a model.

    Args:
        name: Of the model, in the registry.

    Returns:
        str: Their checkpoint; relative to the present folder where it is below that,
        which is shorter in what is printed.

    Raises:
        InputError: There are none of this model, or they were removed.
    """
    found = checkpoints.list_checkpoints(FOLDER / name)
    if not found:
        ship = "; those that ship are gone" if name in NAMES else ", and none ship"
        raise InputError(
            f"--model={name} needs trained weights{ship} ({FOLDER / name}). Give "
            "--restore_path=CHECKPOINT, for example train/model.ckpt-1000 or the "
            "folder train/."
        )
    prefix = found[-1]
    here = Path.cwd()
    return str(prefix.relative_to(here) if prefix.is_relative_to(here) else prefix)
