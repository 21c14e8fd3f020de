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
        InputError: There are none of this model, or they were removed.
    """
    folder = FOLDER / name
    found = checkpoints.list_checkpoints(folder)
    if not found:
        there = sorted(path.name for path in FOLDER.glob("*/") if path.is_dir())
        some = f"of {' and '.join(there)} only" if there else "of no model"
        raise InputError(
            f"--model={name} needs trained weights: give --restore_path=CHECKPOINT, "
            "for example train/model.ckpt-1000 or the folder train/. "
            f"({FOLDER} has weights {some}.)"
        )
    prefix = found[-1]
    here = Path.cwd()
    return str(prefix.relative_to(here) if prefix.is_relative_to(here) else prefix)
