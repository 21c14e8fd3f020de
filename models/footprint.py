"""Estimates the memory of a training step from the sizes of the networks."""

from collections.abc import Sequence
from typing import Any

from console.errors import InputError
from console.machine import free_memory
from console.progress import to_size
from metrics.scores import ROLES
from models.four_pass_settings import SCALE, FourPassTraining
from models.generator import START_BLOCKS
from models.generator_settings import Architecture, factorise

# Bytes of a value between the first and the last convolution.
_SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FLOAT = 4
# Bytes that a predictor keeps per pixel of an image: MobileNetV2 of alpha 0.35.
_PREDICTOR = 100 * _FLOAT


def count_pass(
    architecture: Architecture, scale: int, precision: str = "float32"
) -> int:
    """Counts the bytes per LR pixel that a pass keeps for the generator's gradient.

    These are the inputs of all convolutions, at each size of the features: two for a
    local residual block, one more for a residual module. In half precision, the input
    of the last convolution is also kept in float32. The picture, the weights and the
    workspace of the convolutions are not counted.
    """
    values, pixels = 1 + 2 * START_BLOCKS + 2 * architecture.shared_blocks, 1
    for factor in factorise(scale):
        values += pixels * factor**2 * (2 * architecture.upscale_blocks + 1)
        pixels *= factor**2
    values += scale**2
    kept = values * _SIZES[precision]
    if precision != "float32":
        kept += scale**2 * _FLOAT
    return kept * architecture.conv_features


def count_way_back(
    architecture: Architecture, scale: int, precision: str = "float32"
) -> int:
    """Counts the bytes per LR pixel of the gradients where the backward pass starts.

    These are those of the last convolution's input, before and after
    depth-to-space is undone.
    """
    return 2 * architecture.conv_features * scale**2 * _SIZES[precision]


def count_eusr(
    architecture: Architecture, scales: Sequence[int], precision: str = "float32"
) -> int:
    """Counts the bytes of a training step of EUSR, per LR pixel of the batch.

    Measured share of a step's memory (increase of the peak memory of the process):
    0.86, 0.91 and 0.91 at x2, x4 and x8 with the default network, batch 16 and patch
    48; 0.79 at x4 with batch 8; 0.54 at x8 with batch 4; 0.50 at x8 with 32 features, 8
    blocks, batch 8 and patch 24. The rest, up to 1 GB, hardly grows with the batch.
    """
    return max(
        count_pass(architecture, scale, precision)
        + count_way_back(architecture, scale, precision)
        for scale in scales
    )


def count_four_pass(
    architecture: Architecture, training: FourPassTraining, precision: str = "float32"
) -> int:
    """Counts the bytes of a training step of 4PP-EUSR, per LR pixel of the batch.

    All estimates' passes are kept until the losses are known, and TensorFlow runs the
    discriminator and the predictors in parallel. The discriminator reads all estimates
    and the truth; it keeps the outputs of its convolutions and of their activations.
    The width of a predictor is unknown; a narrow one is assumed.

    Measured share (see `count_eusr`; 32 features, 8 blocks, patch 48): 0.56 with batch
    2 and two predictors of alpha 1; 0.70 with batch 4 and one of alpha 0.35; 0.55 with
    the default network, batch 2 and no predictor.
    """
    # The second x2 pass runs on four times the pixels.
    kept = sum(
        count_pass(architecture, last, precision) * (5 if last == 2 else 1)
        for last in training.passes
    )
    kept += max(
        count_way_back(architecture, last, precision) * (4 if last == 2 else 1)
        for last in training.passes
    )
    estimates = len(training.passes)
    used = {getattr(training, f"{r}_nima_path") for r in ROLES if training.uses(r)}
    if training.weight_lc:
        used.add(training.content_path)
    judged = estimates * _PREDICTOR * len(used)
    if training.weight_lg:
        made = training.discriminator_class
        features = training.discriminator_features or made.default_features
        each = int(made.count_values(features) * _SIZES[precision])
        judged += (estimates + 1) * each
    return kept + SCALE**2 * judged


def check_memory(
    loader: Any, step_bytes: int | None, workers: int = 1, replicas: int = 1
) -> None:
    """Refuses a batch that does not fit the memory of this machine; CPU only.

    Args:
        loader: `dataloaders.paired.PairedLoader` of the batches.
        step_bytes: Least bytes of a step per LR pixel of the batch; None if unknown,
            to count the patches only.
        workers: Number of machines that share the batch.
        replicas: Number that the batch size must be a multiple of.
    """
    settings, free = loader.settings, free_memory()
    if step_bytes is None:
        # A few batches are in memory at a time, in uint8 and float32.
        step_bytes = 30 * max(1 + scale**2 for scale in loader.scales)
    patch = step_bytes * settings.lr_patch_size**2
    needed = patch * settings.batch_size // workers
    if free is None or needed <= free:
        return
    # A step takes up to twice the counted memory.
    fits = free * workers // (2 * patch) // replicas * replicas
    advice = f"--batch_size={fits} should fit" if fits else "reduce both"
    raise InputError(
        f"--batch_size={settings.batch_size}: a training step with "
        f"--input_patch_size={settings.lr_patch_size} takes {to_size(needed)} or more, "
        f"and {to_size(free)} of memory are free; {advice}."
    )
