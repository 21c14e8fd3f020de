"""Flags of whatever trains a super-resolution model, by TensorFlow or by JAX."""

from absl import flags

from console.errors import InputError
from console.flags import (
    define_count,
    define_numbers,
    define_path,
    define_paths,
    define_seed,
)

# Its flags count as those of the script that declares them.
flags.disclaim_key_flags()

# A loader holds every scale as often as its weight says.
MOST_WEIGHT = 100


def define_run_flags():
    """Declares what is trained on, where, and what is measured meanwhile."""
    define_count("batch_size", 16, "Patches in a training step.")
    define_count("input_patch_size", 48, "Side of the LR patches, in LR pixels.")
    define_numbers(
        "scales",
        None,
        "Scales to train, of which each step draws one; all if not given.",
    )
    define_numbers(
        "scale_weights", None, "How often each of --scales is drawn, such as 2,2,1."
    )
    define_path("train_path", "./train/", "Folder of all that a run writes.")
    define_path(
        "restore_path",
        None,
        "Checkpoint that a new run starts from; a folder means its newest. A "
        "--train_path that holds a run goes on with it instead.",
    )
    define_seed()
    define_paths(
        "validate_truth_path",
        None,
        "HR images to measure the model on meanwhile.",
    )
    define_paths(
        "validate_input_path", None, "Their LR images; made from HR if not given."
    )


def refuse_validating(*others):
    """Refuses flags of a validation that there is not, as it has no HR images.

    Args:
        *others: Names of such flags besides those that every training has.

    Raises:
        InputError: One was given.
    """
    for name in ("validate_input_path", "validate_freq", *others):
        flag = flags.FLAGS[name]
        if flag.present and flag.value is not None:
            raise InputError(f"--{name} needs --validate_truth_path, too.")


def read_scale_weights(scales):
    """How often each scale is drawn.

    Args:
        scales: Those that are trained.

    Returns:
        tuple of int; None for equally often.

    Raises:
        InputError: The numbers do not fit the scales.
    """
    weights = flags.FLAGS.scale_weights
    if weights is None:
        return None
    are_fit = all(1 <= weight <= MOST_WEIGHT for weight in weights)
    if len(weights) != len(scales) or not are_fit:
        raise InputError(
            f"--scale_weights={','.join(map(str, weights))}: expected for each of "
            f"--scales={','.join(map(str, scales))} a whole number from 1 to "
            f"{MOST_WEIGHT}."
        )
    return weights
