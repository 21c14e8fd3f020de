"""The score predictors that 4PP-EUSR's settings name: which are needed, which fit."""

import dataclasses
from collections.abc import Mapping
from typing import Any

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


def list_predictors(
    training: FourPassTraining, file: str = FROZEN
) -> dict[str, tuple[str, str]]:
    """Lists paths and flags of the predictors that losses with a weight need, by role.

    `file` describes the file format, for messages.

    Raises:
        InputError: A needed file is not given, or all weights are zero.
    """
    fields = [f for f in dataclasses.fields(training) if f.name.startswith("weight_")]
    if not any(getattr(training, field.name) for field in fields):
        names = ", ".join(f"--{FLAG_PREFIX}{field.name}" for field in fields)
        raise InputError(f"all weights are 0 ({names}); nothing would be trained.")
    files = {}
    for name, (data, _) in ROLES.items():
        if not training.uses(name):
            continue
        path = getattr(training, f"{name}_nima_path")
        flag = f"--{FLAG_PREFIX}{name}_nima_path"
        if path is None:
            zeros = " ".join(f"--{FLAG_PREFIX}weight_l{name[0]}{end}=0" for end in "sr")
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


def check_maps(training: FourPassTraining, predictors: Mapping[str, Any]) -> None:
    """Refuses files of `frozen.predictor` without the maps that a loss compares."""
    for role, predictor in predictors.items():
        of_role = getattr(training, f"weight_l{role[0]}r", 0.0)
        is_spatial = training.representation == SPATIAL and of_role
        if (role == CONTENT or is_spatial) and not predictor.maps:
            why = "weight_lc" if role == CONTENT else f"representation={SPATIAL}"
            raise InputError(
                f"{predictor.source}: has no maps of features, which "
                f"--{FLAG_PREFIX}{why} compares. Write it again with "
                "score_predictors/freeze.py, from its .h5 file."
            )


def check_side(predictor: Any, lr_patch_size: int) -> None:
    """Refuses a predictor that does not accept the size of the training patches."""
    side, source = predictor.side, predictor.source
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
