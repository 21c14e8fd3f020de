"""Training settings of 4PP-EUSR, and the score predictors that they name."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from console.errors import InputError
from console.settings import PathName, is_given, option
from metrics.scores import ROLES
from models import DISCRIMINATORS, discriminators, reduction
from models.generator_settings import FLAG_PREFIX, Training

SCALE = 4
PASSES = (2, 4, 8)

# The role of the network of --eusr_content_path, beside `ROLES`.
CONTENT = "content"
# Kinds of representation and of adversarial losses.
POOLED, SPATIAL = "pooled", "spatial"
STANDARD, RELATIVISTIC = "standard", "relativistic"

FROZEN = "a .pb file of score_predictors/freeze.py or of the TF1 code"


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


def _weight(default, loss):
    said = f"Weight of the {loss}; a loss of weight 0 is not computed."
    return option(default, said, least=0.0)


def predictor_option(data: str, file: str = FROZEN) -> Any:
    """Makes the field for the file of a predictor."""
    return option(None, f"The predictor trained on {data}, {file}.")


def content_option(file: str = "a .pb file of score_predictors/freeze.py") -> Any:
    """Makes the field for the file of the network of `weight_lc`."""
    said = f"The network of --eusr_weight_lc, {file}: such as a predictor of which "
    said += "only the last layer was trained, so that its features are ImageNet's."
    return option(None, said, is_shown=False)


@dataclasses.dataclass(frozen=True)
class FourPassTraining(Training):
    """Training settings of 4PP-EUSR."""

    learning_rate: float = Training.with_default("learning_rate", 1e-5)
    learning_rate_decay_steps: int = Training.with_default(
        "learning_rate_decay_steps", 1_000_000
    )
    learning_rate_discriminator: float = option(
        2e-5, "Learning rate of the discriminator at the first step.", least=0.0
    )
    weight_lr: float = _weight(0.05, "mean absolute error")
    weight_lg: float = _weight(0.1, "adversarial loss")
    weight_las: float = _weight(0.01, "loss of the aesthetic score")
    weight_lar: float = _weight(0.1, "loss of the aesthetic predictor's features")
    weight_lss: float = _weight(0.01, "loss of the subjective score")
    weight_lsr: float = _weight(0.1, "loss of the subjective predictor's features")
    aesthetic_nima_path: PathName | None = predictor_option("AVA")
    subjective_nima_path: PathName | None = predictor_option("TID2013")
    weight_lc: float = option(
        0.0,
        "Weight of the distance of a third network's features (--eusr_content_path); "
        "not in the paper.",
        least=0.0,
    )
    weight_grid: float = option(
        0.0,
        "Weight of the loss of regular grids of 2 or 4 pixels in the error; not in the "
        "paper.",
        least=0.0,
    )
    content_path: PathName | None = content_option()
    representation: str = option(
        POOLED,
        "What the losses of the predictors' features compare: their averages over a "
        "patch, as in the paper, or the features of each place at four depths "
        "(spatial), divided by their norm.",
        choices=(POOLED, SPATIAL),
    )
    discriminator: str = option(
        "paper",
        "The discriminator: that of the paper, or Real-ESRGAN's U-Net, which judges "
        "each pixel (unet).",
        choices=tuple(DISCRIMINATORS),
        changes="no",
    )
    discriminator_features: int | None = option(
        None,
        "Channels of the discriminator's first convolution; by default, 32 for the "
        "paper's and 64 for the U-Net.",
        most=512,
        changes="no",
    )
    discriminator_warmup_steps: int = option(
        0,
        "Steps at the start in which the discriminator alone is trained.",
        least=0,
    )
    adversarial_loss: str = option(
        STANDARD,
        "Whether the discriminator tells real from generated as in the paper, or which "
        "of two is more real than the other's average (relativistic, as ESRGAN).",
        choices=(STANDARD, RELATIVISTIC),
    )
    passes: tuple[int, ...] = option(
        PASSES,
        "Estimates to train: 2 (twice by x2), 4 (by x4), 8 (by x8, then halved).",
    )
    disable_multipass: bool = option(False, "The same as --eusr_passes=4.")
    x8_reduction: str = option(
        reduction.ANTIALIAS,
        "How the x8 estimate is halved: as by MATLAB's imresize, or as in the TF1 "
        "code, which shifts the image by half a pixel of the x8 image.",
        choices=tuple(reduction.REDUCTIONS),
    )
    judge_shift: int = option(
        0,
        "Largest random cyclic shift of the patches before discriminator and "
        "predictors, in pixels. 3, one less than the scale, hides the position of the "
        "grid of enlarged pixels.",
        least=0,
        most=31,
    )

    @property
    def held_steps(self) -> int:
        """See `Training.held_steps`."""
        return self.discriminator_warmup_steps

    def make_discriminator(self, body_dtype: str) -> Any:
        """Makes the discriminator, a Keras layer of this dtype policy."""
        name, features = self.discriminator, self.discriminator_features
        return discriminators.make(name, body_dtype, features)

    @classmethod
    def from_flags(cls, **others: Any) -> Self:
        """See `Settings.from_flags`; applies --eusr_disable_multipass."""
        training = super().from_flags(**others)
        if not training.disable_multipass:
            return training
        if is_given("eusr_passes"):
            raise InputError(
                "--eusr_disable_multipass means --eusr_passes=4; give only one of them."
            )
        return dataclasses.replace(training, passes=(SCALE,))


def check_learned(
    passes: Sequence[int], learned: Sequence[int] | None, path: Path | str
) -> None:
    """Refuses passes at scales that the weights were never trained at.

    Args:
        passes: `FourPassTraining.passes`.
        learned: Scales that the weights were trained at; None or empty if unknown.
        path: Path of the weights, for the message.

    Raises:
        InputError: A pass is untrained; the message names the passes that can be used.
    """
    untrained = [f"x{last}" for last in passes if last not in (learned or passes)]
    if untrained:
        raise InputError(
            f"{path} was never trained at {' and '.join(untrained)}, which "
            f"--eusr_passes={','.join(map(str, passes))} uses. Train these scales "
            f"first, or give --eusr_passes={','.join(map(str, learned))}."
        )


def check_passes(passes: Sequence[int], scales: Sequence[int]) -> None:
    """Refuses passes that do not exist, or have no path in the network.

    Raises:
        InputError: There is such a pass; the message says what to give.
    """
    given = ",".join(map(str, passes))
    if not passes or set(passes) - set(PASSES) or len(set(passes)) < len(passes):
        raise InputError(
            f"--eusr_passes={given}: expected one or more of "
            f"{', '.join(map(str, PASSES))}, each once."
        )
    missing = sorted({SCALE, *passes} - set(scales))
    if missing:
        raise InputError(
            f"--eusr_model_scales={','.join(map(str, scales))} has no path for "
            f"{' and '.join(f'x{scale}' for scale in missing)}, which "
            f"--eusr_passes={given} and upscaling by {SCALE} need."
        )


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
    """Refuses files without the maps of features that a loss compares.

    Args:
        training: Training settings.
        predictors: From a key of `list_predictors` to its predictor.

    Raises:
        InputError: A file has no maps.
    """
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
    """Refuses a predictor that does not accept the size of the training patches.

    Args:
        predictor: Predictor to check.
        lr_patch_size: Side of the LR patches.

    Raises:
        InputError: It does not; the message names the --input_patch_size that fits.
    """
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
