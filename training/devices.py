"""Chooses the device that TensorFlow runs on."""

import tensorflow as tf

from console.errors import InputError


def choose(cuda_device):
    """Makes TensorFlow see only the wanted GPUs; without any, it takes the CPU.

    Args:
        cuda_device: Indices with commas between them, as in CUDA_VISIBLE_DEVICES;
            `-1` for the CPU.

    Returns:
        str: What it is, for a person: `"the CPU"` or `"GPU 0"`.

    Raises:
        InputError: It is no list of numbers, or there is no GPU of that number
            although there are others.
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        wanted = [int(index) for index in cuda_device.split(",")]
    except ValueError:
        raise InputError(
            f"--cuda_device={cuda_device}: expected numbers of GPUs such as 0 or 0,1, "
            "or -1 for the CPU."
        ) from None
    if wanted == [-1] or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return "the CPU"
    if max(wanted) >= len(gpus) or min(wanted) < 0:
        raise InputError(
            f"--cuda_device={cuda_device}: this machine has GPUs 0 to {len(gpus) - 1}."
        )
    tf.config.set_visible_devices([gpus[index] for index in wanted], "GPU")
    for index in wanted:
        # Whole pictures and patches take turns; memory is taken as it is needed.
        tf.config.experimental.set_memory_growth(gpus[index], True)
    return f"GPU {cuda_device}"


def make_deterministic():
    """Makes equal runs equal to the last bit, at some cost in speed."""
    tf.config.experimental.enable_op_determinism()
    # It would merge sums of gradients and so undo the order that the networks keep.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
