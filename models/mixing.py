"""Mixes the weights of two networks: network interpolation.

Wang et al., "ESRGAN: Enhanced super-resolution generative adversarial networks", ECCV
Workshops 2018, section 3.4. A 4PP-EUSR and the EUSR that it was trained from have
similar weights, and the networks between them make pictures between theirs.
"""

from pathlib import Path

import numpy as np

from console.errors import InputError
from console.progress import say
from models import stored
from models.base import Model
from models.trained import TrainedModel
from training.arguments import LEARNED

# Cosine of the angle between the trained weights. It is 0.98 between 4PP-EUSR and EUSR
# in pretrained/, and 0.02 between networks that were trained apart: at x4 on Set5, half
# of each then has a PSNR of 14 dB.
LEAST_COSINE = 0.5


def mix(
    model: Model,
    exact: Model,
    naturalness: float,
    path: Path | str | None,
    exact_path: Path | str | None,
) -> None:
    """Mixes the generator of a model with the generator of another, usually an EUSR.

    Each weight becomes (1 - naturalness) * that of `exact` + naturalness * its own.

    Raises:
        InputError: The networks are not alike, or were trained apart.
    """
    if not (isinstance(model, TrainedModel) and isinstance(exact, TrainedModel)):
        raise InputError(
            f"--naturalness={naturalness:g}: {path} holds {model.name} and "
            f"{exact_path} holds {exact.name}, and only generators can be mixed. Leave "
            "it out."
        )
    _check_alike(model, exact, path, exact_path)
    _take_common_scales(model, exact, path, exact_path)
    pairs = zip(model.generator.weights, exact.generator.weights, strict=True)
    for ours, theirs in pairs:
        ours.assign((1 - naturalness) * theirs + naturalness * ours)
    shares = f"{100 * naturalness:.4g}%", f"{100 * (1 - naturalness):.4g}%"
    say(
        f"Mixing {shares[0]} of {path} with {shares[1]} of {exact_path} "
        f"(--naturalness={naturalness:g})."
    )


def _check_alike(model, exact, path, exact_path):
    """Refuses networks of other settings, and networks without a relation."""
    ours, theirs = model.architecture, exact.architecture
    if type(ours) is not type(theirs):
        misfits = [f"--model={exact.name} (not {model.name})"]
    else:
        misfits = stored.list_misfits(theirs, ours)
    if misfits:
        raise InputError(
            f"--naturalness: {exact_path} holds another network than {path}: "
            f"{', '.join(misfits)}. Give the checkpoint that {path} was trained from, "
            "by --exact_path."
        )
    if _were_trained_apart(model, exact):
        raise InputError(
            f"--naturalness: {exact_path} and {path} were trained apart, and networks "
            f"between them make noise. Give the checkpoint that {path} was trained "
            "from, by --exact_path."
        )


def _were_trained_apart(model, exact):
    """Whether the trained weights of two models point in different directions."""
    ours, theirs = (
        np.concatenate([np.ravel(v) for v in each.generator.trainable_variables])
        for each in (model, exact)
    )
    return ours @ theirs < LEAST_COSINE * np.linalg.norm(ours) * np.linalg.norm(theirs)


def _take_common_scales(model, exact, path, exact_path):
    """Leaves the model the scales that both were trained at."""
    common = [scale for scale in model.usable_scales if scale in exact.usable_scales]
    if not common:
        raise InputError(
            f"--naturalness: {path} and {exact_path} were never trained at the same "
            "scale. Give another --exact_path."
        )
    if len(common) < len(model.usable_scales):
        model.take_learned({LEARNED: common})
