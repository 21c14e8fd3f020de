"""Chooses the devices that TensorFlow runs on."""

from typing import Any

import tensorflow as tf

from console.errors import InputError
from console.machine import cpu_flags
from console.progress import say, warn
from console.settings import is_given
from training.options import StepOptions, check_heeded

# With the first two, bfloat16 takes about half the time of float32.
FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
BFLOAT16_INSTRUCTIONS = FAST_BFLOAT16 | {"avx_ne_convert", "bf16"}

CPU = "the CPU"


def choose(cuda_device: str, asked_by: str | None = None) -> str:
    """Makes only the given GPUs visible to TensorFlow; without GPUs, the CPU.

    Args:
        cuda_device: Comma-separated indices, as in CUDA_VISIBLE_DEVICES; `-1` for the
            CPU.
        asked_by: Flag that asked for a GPU; None for a default, where the CPU is used
            without a warning.

    Returns:
        Name for messages: `CPU`, or for example `"GPU 0"`.

    Raises:
        InputError: `cuda_device` is no list of numbers, or has GPUs that do not exist.
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        wanted = [int(index) for index in cuda_device.split(",")]
    except ValueError:
        raise InputError(
            f"--cuda_device={cuda_device}: expected numbers of GPUs such as 0 or 0,1, "
            "or -1 for the CPU."
        ) from None
    if wanted != [-1] and not gpus and asked_by is not None:
        warn(f"{asked_by}: TensorFlow finds no GPU here; running on the CPU.")
    if wanted == [-1] or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return CPU
    if max(wanted) >= len(gpus) or min(wanted) < 0:
        raise InputError(
            f"--cuda_device={cuda_device}: this machine has GPUs 0 to {len(gpus) - 1}."
        )
    tf.config.set_visible_devices([gpus[index] for index in wanted], "GPU")
    for index in wanted:
        # Whole pictures and patches alternate, so memory is allocated on demand.
        tf.config.experimental.set_memory_growth(gpus[index], True)
    return f"GPU {cuda_device}"


def set_up_training(model: Any, cuda_device: str, options: StepOptions) -> str:
    """Chooses the devices of a training, see `choose`, and prepares them.

    Raises:
        InputError: There is no such GPU, or the model does not support an option.
    """
    flag = f"--cuda_device={cuda_device}"
    device = choose(cuda_device, flag if is_given("cuda_device") else None)
    check_heeded(model, options)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
        # It would merge sums of gradients, and so change the order that networks keep.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    warn_if_slow(options.precision)
    return device


def warn_if_slow(precision: str) -> None:
    """Warns if the processor has no instructions for a precision."""
    if precision == "float32" or tf.config.get_visible_devices("GPU"):
        return
    if precision == "float16":
        warn("--precision=float16 is meant for GPUs; on the CPU it is slow.")
    elif (flags := cpu_flags()) and not flags & BFLOAT16_INSTRUCTIONS:
        warn(
            "this processor has neither AVX512-BF16 nor AMX: --precision=bfloat16 will "
            "be slower than float32."
        )


def advise_bfloat16() -> None:
    """Says what bfloat16 saves, unless --precision was given; on the CPU alone."""
    if is_given("precision") or tf.config.get_visible_devices("GPU"):
        return
    if cpu_flags() & FAST_BFLOAT16:
        say(
            "--precision=bfloat16 would take about half the time on this processor, "
            "and cost less than 0.01 dB of PSNR."
        )
