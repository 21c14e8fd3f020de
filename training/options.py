"""How a training step is taken, whatever the model."""

import dataclasses

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float, from_flags

# From a precision to the Keras policy of the layers that follow it.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """How a training step is taken, whatever the model.

    Attributes:
        precision: `float32`, `bfloat16` or `float16`: of the network between its
            first and its last convolution. Weights are float32 in any case.
        jit_compile: Whether XLA compiles the network and its gradient.
        ema_decay: Of the running average of the weights; 0 keeps none.
        gradient_clip_norm: Largest norm of all gradients together; 0 for any.
        learning_rate_warmup_steps: Steps in which the learning rate rises from 0.
        deterministic: Whether equal runs must be equal to the last bit.
        skip_nonfinite: How many steps in a row may have a loss or gradient that is
            not finite.
    """

    precision: str = "float32"
    jit_compile: bool = False
    ema_decay: float = 0.0
    gradient_clip_norm: float = 0.0
    learning_rate_warmup_steps: int = 0
    deterministic: bool = False
    skip_nonfinite: int = 0

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        define_precision()
        flags.DEFINE_bool(
            "jit_compile",
            cls.jit_compile,
            "Compile the network with XLA: faster on a GPU, slower on a CPU.",
        )
        define_float(
            "ema_decay",
            cls.ema_decay,
            "Keep a running average of the weights, for example 0.999; validate.py, "
            "freeze.py and test.py use it. 0 keeps none.",
            lower_bound=0.0,
            upper_bound=1.0,
        )
        define_float(
            "gradient_clip_norm",
            cls.gradient_clip_norm,
            "Scale the gradients down to this norm where theirs is larger; 0 never.",
            lower_bound=0.0,
        )
        define_count(
            "learning_rate_warmup_steps",
            cls.learning_rate_warmup_steps,
            "Steps in which the learning rate rises from 0 to its schedule.",
            least=0,
        )
        flags.DEFINE_bool(
            "deterministic",
            cls.deterministic,
            "Make equal runs equal to the last bit; slower.",
        )
        define_count(
            "skip_nonfinite",
            cls.skip_nonfinite,
            "How many steps in a row may have a loss or gradient that is not finite; "
            "they change nothing.",
            least=0,
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags.

        Raises:
            InputError: They cannot be used.
        """
        options = from_flags(cls)
        if options.ema_decay == 1.0:
            raise InputError(
                "--ema_decay=1 would never follow the weights; give less, for example "
                "0.999."
            )
        return options


def define_precision():
    """Declares --precision, which validate.py and test.py have too."""
    flags.DEFINE_enum(
        "precision",
        StepOptions.precision,
        list(POLICIES),
        "Of the network between its first and its last convolution; bfloat16 halves "
        "the time on processors that have it, float16 is for GPUs.",
    )
