"""The score predictors that 4PP-EUSR's settings name: which are needed, which fit."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from console.errors import InputError
from metrics.scores import ROLES
from models.four_pass_settings import (
    CONTENT,
    FROZEN,
    SCALE,
    SPATIAL,
    FourPassTraining,
)
from models.generator_settings import FLAG_PREFIX


class Predictor(Protocol):
    """The file of a score predictor: `frozen.predictor.FrozenPredictor`.

    Attributes:
        side: Side of the only pictures that it takes; None for any size.
        path: Path of the file.
        flag: Flag that gave the path.
        maps: Names of its outputs with maps of features.
    """

    side: int | None
    path: Path | str
    flag: str
    maps: Sequence[str]


def list_predictors(
    training: FourPassTraining, file: str = FROZEN
) -> dict[str, tuple[str, str]]:
    """Lists the predictors that losses with a nonzero weight need.

    Args:
        training: Training settings.
        file: Description of the file format, for messages.

    Returns:
        dict: From one of `ROLES` to a path and the flag that gave it.

    Raises:
        InputError: A needed file is not given, or all weights are zero.
    """
    fields = [f for f in dataclasses.fields(training) if f.name.startswith("weight_")]
    if not any(getattr(training, field.name) for field in fields):
        names = ", ".join(f"--{FLAG_PREFIX}{field.name}" for field in fields)
        raise InputError(f"all weights are 0 ({names}); nothing would be trained.")
    files = {}
    for name, (data, _) in ROLES.items():
        letter = name[0]
        weights = [f"weight_l{letter}s", f"weight_l{letter}r"]
        if not any(getattr(training, weight) for weight in weights):
            continue
        path, flag = getattr(training, f"{name}_nima_path"), f"{name}_nima_path"
        flag = f"--{FLAG_PREFIX}{flag}"
        if path is None:
            zeros = " ".join(f"--{FLAG_PREFIX}{weight}=0" for weight in weights)
            raise InputError(
                f"{flag} must be given: the predictor trained on {data}, {file}. To "
                f"train without it: {zeros}."
            )
        files[name] = path, flag
    if training.weight_lc:
        flag = f"--{FLAG_PREFIX}content_path"
        if training.content_path is None:
            raise InputError(f"--{FLAG_PREFIX}weight_lc needs {flag}: {file}.")
        files[CONTENT] = training.content_path, flag
    return files


def check_maps(training: FourPassTraining, predictors: Mapping[str, Predictor]) -> None:
    """Refuses files without the maps of features that a loss compares."""
    for role, predictor in predictors.items():
        of_role = getattr(training, f"weight_l{role[0]}r", 0.0)
        is_spatial = training.representation == SPATIAL and of_role
        if (role == CONTENT or is_spatial) and not predictor.maps:
            why = "weight_lc" if role == CONTENT else f"representation={SPATIAL}"
            raise InputError(
                f"{predictor.flag}={predictor.path}: has no maps of features, which "
                f"--{FLAG_PREFIX}{why} compares. Write it again with "
                "score_predictors/freeze.py, from its .h5 file."
            )


def check_side(predictor: Predictor, lr_patch_size: int) -> None:
    """Refuses a predictor that does not accept the size of the training patches."""
    side, source = predictor.side, f"{predictor.flag}={predictor.path}"
    if side is not None and side % SCALE:
        raise InputError(
            f"{source} accepts only {side}x{side} pixels, which is not a multiple of "
            f"{SCALE}; give another file."
        )
    made = lr_patch_size * SCALE
    if side not in (None, made):
        raise InputError(
            f"{source} accepts only {side}x{side} pixels, and "
            f"--input_patch_size={lr_patch_size} makes {made}x{made}; give "
            f"--input_patch_size={side // SCALE}."
        )
