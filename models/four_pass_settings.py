"""How 4PP-EUSR is trained: its settings, and the predictors that they name."""

import dataclasses

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float, define_numbers, define_path
from models import reduction
from models.generator_settings import FLAG_PREFIX, Training

# Its flags count as those of the model that declares them.
flags.disclaim_key_flags()

SCALE = 4
PASSES = (2, 4, 8)

FROZEN = "a .pb file of score_predictors/freeze.py or of the TF1 code"

# What pictures are judged for: the data set that a predictor of it is trained on, and
# the lowest score that people could give there, which the TF1 code's files do not say.
KINDS = {"aesthetic": ("AVA", 1), "subjective": ("TID2013", 0)}


@dataclasses.dataclass(frozen=True)
class FourPassTraining(Training):
    """How it is trained.

    Attributes:
        learning_rate: Adam's of the generator, at step 0.
        learning_rate_decay_steps: See `Training`.
        learning_rate_discriminator: Adam's of the discriminator, at step 0.
        weight_lr: Weight of the mean absolute error to the truth.
        weight_lg: Of what the discriminator says.
        weight_las: Of the aesthetic score.
        weight_lar: Of the aesthetic predictor's features.
        weight_lss: Of the subjective score.
        weight_lsr: Of the subjective predictor's features.
        aesthetic_nima_path: The frozen predictor trained on AVA.
        subjective_nima_path: The frozen predictor trained on TID2013.
        passes: The estimates that are trained, by the scale of their last pass.
        x8_reduction: How the x8 estimate is halved; see `models.reduction.halve`.
        judge_shift: By how many pixels at most a patch is moved before discriminator
            and predictors see it; see `models.four_pass_losses.Shift`.
    """

    learning_rate: float = 1e-5
    learning_rate_decay_steps: int = 1_000_000
    learning_rate_discriminator: float = 2e-5
    weight_lr: float = 0.05
    weight_lg: float = 0.1
    weight_las: float = 0.01
    weight_lar: float = 0.1
    weight_lss: float = 0.01
    weight_lsr: float = 0.1
    aesthetic_nima_path: str | None = None
    subjective_nima_path: str | None = None
    passes: tuple = PASSES
    x8_reduction: str = reduction.ANTIALIAS
    judge_shift: int = 0


def define_four_pass_flags(file=FROZEN):
    """Declares the flags of what 4PP-EUSR adds to EUSR.

    Args:
        file: What a predictor's file is.
    """
    defaults = FourPassTraining
    define_float(
        "eusr_learning_rate_discriminator",
        defaults.learning_rate_discriminator,
        "Learning rate of the discriminator at the first step.",
        lower_bound=0.0,
    )
    for name, text in (
        ("weight_lr", "the mean absolute error to the truth"),
        ("weight_lg", "what the discriminator says"),
        ("weight_las", "the aesthetic score"),
        ("weight_lar", "the aesthetic predictor's features"),
        ("weight_lss", "the subjective score"),
        ("weight_lsr", "the subjective predictor's features"),
    ):
        define_float(
            f"eusr_{name}",
            getattr(defaults, name),
            f"Weight of the loss of {text}; at 0 it is not computed.",
            lower_bound=0.0,
        )
    for name, (data, _) in KINDS.items():
        define_path(
            f"eusr_{name}_nima_path",
            None,
            f"The predictor trained on {data}, {file}.",
        )
    define_numbers(
        "eusr_passes",
        PASSES,
        "The estimates to train: twice by 2, by 4, by 8 and halved.",
    )
    flags.DEFINE_bool("eusr_disable_multipass", False, "The same as --eusr_passes=4.")
    flags.DEFINE_enum(
        "eusr_x8_reduction",
        defaults.x8_reduction,
        list(reduction.REDUCTIONS),
        "How the x8 estimate is halved: as MATLAB does, or as the TF1 code did, "
        "which moves the image by half of its pixel.",
    )
    define_count(
        "eusr_judge_shift",
        defaults.judge_shift,
        "Pixels by which patches are moved at most, round their edges and at random, "
        "before discriminator and predictors see them. 3, one less than the scale, "
        "hides from them where the grid of enlarged pixels lies.",
        least=0,
        most=31,
    )


def apply_disable_multipass(training):
    """Does what --eusr_disable_multipass says.

    Args:
        training: A `FourPassTraining`, of the other flags.

    Returns:
        FourPassTraining.

    Raises:
        InputError: --eusr_passes says something, too.
    """
    if not flags.FLAGS.eusr_disable_multipass:
        return training
    if flags.FLAGS["eusr_passes"].present:
        raise InputError(
            "--eusr_disable_multipass is --eusr_passes=4; give one of them."
        )
    return dataclasses.replace(training, passes=(SCALE,))


def check_learned(passes, learned, path):
    """Refuses passes through scales that weights were never trained at.

    Args:
        passes: `FourPassTraining.passes`.
        learned: The scales that they were; None or empty where that is not known.
        path: Of the weights, for the message.

    Raises:
        InputError: With the passes that would do.
    """
    untrained = [f"x{last}" for last in passes if last not in (learned or passes)]
    if untrained:
        raise InputError(
            f"{path} was never trained at {' and '.join(untrained)}, which "
            f"--eusr_passes={','.join(map(str, passes))} goes through. Train it there "
            f"first, or give --eusr_passes={','.join(map(str, learned))}."
        )


def check_passes(passes, scales):
    """Refuses passes that there are no such things as, or no paths for.

    Raises:
        InputError: With what to give.
    """
    given = ",".join(map(str, passes))
    if not passes or set(passes) - set(PASSES) or len(set(passes)) < len(passes):
        raise InputError(
            f"--eusr_passes={given}: expected some of {', '.join(map(str, PASSES))}, "
            "each once."
        )
    missing = sorted({SCALE, *passes} - set(scales))
    if missing:
        raise InputError(
            f"--eusr_model_scales={','.join(map(str, scales))} has no path for "
            f"{' and '.join(f'x{scale}' for scale in missing)}, which "
            f"--eusr_passes={given} and upscaling by {SCALE} need."
        )


def list_predictors(training, file=FROZEN):
    """Lists the predictors that losses of a weight ask for.

    Args:
        training: A `FourPassTraining`.
        file: What such a file is, for messages.

    Returns:
        dict: From one of `KINDS` to a path and the flag that gave it.

    Raises:
        InputError: One is not given, or no loss has a weight.
    """
    fields = [f for f in dataclasses.fields(training) if f.name.startswith("weight_")]
    if not any(getattr(training, field.name) for field in fields):
        names = ", ".join(f"--{FLAG_PREFIX}{field.name}" for field in fields)
        raise InputError(f"all weights are 0 ({names}); nothing would be trained.")
    files = {}
    for name, (data, _) in KINDS.items():
        letter = name[0]
        weights = [f"weight_l{letter}s", f"weight_l{letter}r"]
        if not any(getattr(training, weight) for weight in weights):
            continue
        path, flag = getattr(training, f"{name}_nima_path"), f"{name}_nima_path"
        flag = f"--{FLAG_PREFIX}{flag}"
        if path is None:
            zeros = " ".join(f"--{FLAG_PREFIX}{weight}=0" for weight in weights)
            raise InputError(
                f"{flag} must be given: the predictor trained on {data}, {file}. "
                f"Without it: {zeros}."
            )
        files[name] = path, flag
    return files
