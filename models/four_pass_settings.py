"""Training settings of 4PP-EUSR, and the score predictors that they name."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from console.choices import load
from console.errors import InputError
from console.settings import PathName, is_given, option
from models import DISCRIMINATORS
from models.generator_settings import FLAG_PREFIX, Training

SCALE = 4
PASSES = (2, 4, 8)

# The role of the network of --eusr_content_path, beside `ROLES`.
CONTENT = "content"
# Kinds of representation and of adversarial losses.
POOLED, SPATIAL = "pooled", "spatial"
STANDARD, RELATIVISTIC = "standard", "relativistic"
REDUCTIONS = ("antialias", "legacy")

FROZEN = "a .pb file of score_predictors/freeze.py or of the TF1 code"


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
        "Steps at the start in which the discriminator alone is trained. The schedule "
        "and Adam's moments of the generator count them.",
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
        REDUCTIONS[0],
        "How the x8 estimate is halved: as by MATLAB's imresize, or as in the TF1 "
        "code, which shifts the image by half a pixel of the x8 image.",
        choices=REDUCTIONS,
    )
    judge_shift: int = option(
        0,
        "Largest random cyclic shift of the patches before discriminator and "
        "predictors, in pixels. 3, one less than the scale, hides the position of the "
        "grid of enlarged pixels.",
        least=0,
        most=31,
    )

    def check(self) -> None:
        """See `Settings.check`: refuses what no loss would use."""
        of_features = self.weight_lar or self.weight_lsr
        for name, is_set, needed, is_used in (
            (
                "discriminator_warmup_steps",
                self.held_steps,
                "weight_lg",
                self.weight_lg,
            ),
            ("content_path", self.content_path, "weight_lc", self.weight_lc),
            (
                *("representation", self.representation == SPATIAL),
                *("weight_lar or --eusr_weight_lsr", of_features),
            ),
        ):
            if is_set and not is_used:
                raise InputError(
                    f"--{FLAG_PREFIX}{name} has no effect without "
                    f"--{FLAG_PREFIX}{needed}, which is 0; leave it out."
                )

    @property
    def held_steps(self) -> int:
        """See `Training.held_steps`."""
        return self.discriminator_warmup_steps

    def uses(self, role: str) -> bool:
        """Whether a loss of the score predictor with this role has a weight."""
        return any(getattr(self, f"weight_l{role[0]}{letter}") for letter in "sr")

    @property
    def discriminator_class(self) -> Any:
        """The class of the discriminator, of `models.DISCRIMINATORS`."""
        return load(DISCRIMINATORS, self.discriminator, "--eusr_discriminator")

    def make_discriminator(self, body_dtype: str) -> Any:
        """Makes the discriminator, a Keras layer of this dtype policy."""
        made = self.discriminator_class
        return made(body_dtype, self.discriminator_features or made.default_features)

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
    """Refuses passes at scales that the weights of `path` were never trained at.

    `learned` is None or empty if these scales are unknown.
    """
    untrained = [f"x{last}" for last in passes if last not in (learned or passes)]
    if untrained:
        raise InputError(
            f"{path} was never trained at {' and '.join(untrained)}, which "
            f"--eusr_passes={','.join(map(str, passes))} uses. Train these scales "
            f"first, or give --eusr_passes={','.join(map(str, learned))}."
        )


def check_passes(passes: Sequence[int], scales: Sequence[int]) -> None:
    """Refuses passes that do not exist, or have no path in the network."""
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
