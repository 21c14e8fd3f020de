"""How much memory a training step takes, told from the networks before it is taken."""

from console.errors import InputError
from console.machine import free_memory
from console.progress import to_size
from metrics.scores import ROLES
from models.discriminator import CONVOLUTIONS
from models.four_pass_settings import SCALE
from models.generator import START_BLOCKS
from models.generator_settings import factorise

# Bytes of a value between the first and the last convolution.
_SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FLOAT = 4
# Bytes that a predictor keeps for each pixel of an image: MobileNetV2 of alpha 0.35.
_PREDICTOR = 100 * _FLOAT


def count_pass(architecture, scale, precision="float32"):
    """Bytes that one pass through the generator keeps for its gradient.

    Counted are, at each size that the features have on the way, the inputs of all
    convolutions: two of a local residual block, one more of a residual module. In
    half precision the input of the last convolution is kept in float32, too. The
    picture, the weights and what the convolutions work with in between are left out.

    Args:
        architecture: `models.generator_settings.Architecture`.
        scale: Of the pass.
        precision: Of the network between its first and its last convolution.

    Returns:
        int: For each LR pixel.
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


def count_way_back(architecture, scale, precision="float32"):
    """Bytes of the gradients that are there beside all of that, where it begins.

    Two are: of the last convolution's input, before and after the pixels are put back
    where they came from.

    Returns:
        int: For each LR pixel.
    """
    return 2 * architecture.conv_features * scale**2 * _SIZES[precision]


def count_eusr(architecture, scales, precision="float32"):
    """Bytes of a training step of EUSR, for each LR pixel of the batch, an int.

    Of a step's memory (the peak of the process less what it had before) this was:
    0.86, 0.91 and 0.91 at x2, x4 and x8 with the default network, batch 16 and patch
    48; 0.79 at x4 with batch 8, 0.54 at x8 with batch 4; 0.50 at x8 with 32 features, 8
    blocks, batch 8 and patch 24. The rest, up to 1 GB, hardly grows with the batch.
    """
    return max(
        count_pass(architecture, scale, precision)
        + count_way_back(architecture, scale, precision)
        for scale in scales
    )


def count_four_pass(architecture, training, precision="float32"):
    """Bytes of a training step of 4PP-EUSR, for each LR pixel of the batch.

    The passes of all estimates are kept until the losses are known, and TensorFlow runs
    the discriminator and the predictors side by side. Counted of the discriminator,
    which sees all estimates and the truth, are each value that a convolution makes and
    that of its activation; of a predictor, how wide its file is nobody knows, as much
    as of a narrow one.

    Of what was measured (see `count_eusr`; 32 features, 8 blocks, patch 48) this was
    0.56 with batch 2 and two predictors of alpha 1, 0.70 with batch 4 and one of 0.35;
    0.55 with the default network, batch 2 and no predictor.

    Args:
        architecture: `models.generator_settings.Architecture`.
        training: `models.four_pass_settings.FourPassTraining`.
        precision: See `count_pass`.

    Returns:
        int.
    """
    # The second pass by two is over four times the pixels.
    kept = sum(
        count_pass(architecture, last, precision) * (5 if last == 2 else 1)
        for last in training.passes
    )
    kept += max(
        count_way_back(architecture, last, precision) * (4 if last == 2 else 1)
        for last in training.passes
    )
    estimates = len(training.passes)
    judged = estimates * _PREDICTOR * _count_predictors(training)
    if training.weight_lg:
        judged += (estimates + 1) * _count_discriminator(precision)
    return kept + SCALE**2 * judged


def _count_predictors(training):
    """How many files of predictors have a say."""
    return len(
        {
            getattr(training, f"{role}_nima_path")
            for role in ROLES
            if any(getattr(training, f"weight_l{role[0]}{what}") for what in "sr")
        }
    )


def _count_discriminator(precision):
    """Bytes that it keeps for each pixel of an image."""
    values, shrunk = 0, 1
    for features, stride in CONVOLUTIONS:
        shrunk *= stride**2
        values += 2 * features / shrunk
    return int(values * _SIZES[precision])


def check_memory(loader, step_bytes, workers=1, replicas=1):
    """Refuses a batch that this machine has not the memory for; for the CPU only.

    Args:
        loader: `dataloaders.paired.PairedLoader`.
        step_bytes: Bytes that a step takes for each LR pixel of the batch, at least;
            None where the model does not know, and the patches alone count.
        workers: How many machines share the batch.
        replicas: What a batch must be a multiple of.

    Raises:
        InputError: With what it needs, what there is, and which batch would fit.
    """
    settings, free = loader.settings, free_memory()
    if step_bytes is None:
        # A few batches are there at a time, uint8 and float32.
        step_bytes = 30 * max(1 + scale**2 for scale in loader.scales)
    patch = step_bytes * settings.lr_patch_size**2
    needed = patch * settings.batch_size // workers
    if free is None or needed <= free:
        return
    # A step takes up to twice as much as what is counted.
    fits = free * workers // (2 * patch) // replicas * replicas
    advice = f"--batch_size={fits} should fit" if fits else "a smaller patch, too"
    raise InputError(
        f"--batch_size={settings.batch_size}: a training step with "
        f"--input_patch_size={settings.lr_patch_size} takes {to_size(needed)} or more, "
        f"and {to_size(free)} of memory are free; give less: {advice}."
    )
