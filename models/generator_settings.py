"""Settings of the generator's architecture and of its training."""

import dataclasses

from console.errors import InputError
from console.progress import warn
from console.settings import Settings, option

FLAG_PREFIX = "eusr_"
# The paper's is 5; a kernel of side 3 equals it with zeros at the border.
START_KERNELS = (3, 5)
MEAN = (114.4, 111.5, 103.0)
# Products of 2 and 3.
SCALES = (2, 3, 4, 6, 8, 9, 12, 16)


def factorise(scale: int) -> tuple[int, ...]:
    """Returns the factors of a scale's upscaling modules, the smallest first.

    Raises:
        InputError: The scale is no product of 2 and 3.
    """
    factors, rest = [], scale
    for factor in (2, 3):
        while rest > 1 and rest % factor == 0:
            factors.append(factor)
            rest //= factor
    if rest != 1 or not factors:
        raise InputError(
            f"a network upscales by products of 2 and 3. Received scale {scale}."
        )
    return tuple(factors)


@dataclasses.dataclass(frozen=True)
class Architecture(Settings):
    """Sizes of the network; checkpoints contain them."""

    flag_prefix = FLAG_PREFIX

    model_scales: tuple[int, ...] = option(
        (2, 4, 8), "Scales that the network has paths for."
    )
    conv_features: int = option(64, "Channels of the inner convolutions.")
    shared_blocks: int = option(
        32, "Local residual blocks in the part that all scales share."
    )
    upscale_blocks: int = option(
        1, "Local residual blocks in each residual module of an upscaling module."
    )
    rgb_mean: tuple[float, ...] = option(
        MEAN, "Mean of R, G and B of the training images, in [0, 255]."
    )
    start_kernel: int = option(
        5,
        "Kernel size of the first two blocks of each scale: 5 as in the paper, or 3, "
        "which is faster.",
    )
    input_scale: float = option(
        1.0,
        "Divisor of the input, after subtraction of the mean, and factor of the "
        "output, for example 127.5.",
        least=1e-3,
    )

    def check(self) -> None:
        """See `Settings.check`."""
        scales = self.model_scales
        if not scales or set(scales) - set(SCALES) or len(set(scales)) < len(scales):
            raise InputError(
                f"--eusr_model_scales={','.join(map(str, scales))}: expected one or "
                f"more of {', '.join(map(str, SCALES))}, each once."
            )
        if self.start_kernel not in START_KERNELS:
            raise InputError(
                f"--eusr_start_kernel={self.start_kernel}: expected "
                f"{' or '.join(map(str, START_KERNELS))}."
            )
        if len(self.rgb_mean) != 3:
            raise InputError("--eusr_rgb_mean: expected three numbers, for R, G and B.")

    def count_parameters(self) -> int:
        """Counts the weights and biases of the network, without making it."""
        features = self.conv_features
        inner = (9 * features + 1) * features
        module = (2 * self.upscale_blocks + 1) * inner
        count = (9 * 3 + 1) * features + (2 * self.shared_blocks + 1) * inner
        for scale in self.model_scales:
            count += 4 * (self.start_kernel**2 * features + 1) * features
            count += sum(r**2 for r in factorise(scale)) * module
            count += (9 * features + 1) * 3
        return count


@dataclasses.dataclass(frozen=True)
class Training(Settings):
    """Settings of Adam and of its learning rate."""

    flag_prefix = FLAG_PREFIX
    changes = "said"

    learning_rate: float = option(1e-4, "Learning rate at the first step.", least=0.0)
    learning_rate_decay: float = option(
        0.5, "Factor of each decay of the learning rate (schedule 'step').", least=0.0
    )
    learning_rate_decay_steps: int = option(
        200_000,
        "Steps between two decays; with the schedule 'cosine', the steps until "
        "the learning rate is zero: usually --max_steps.",
    )
    learning_rate_schedule: str = option(
        "step",
        "Decay of the learning rate: in steps, or along half a cosine to zero.",
        choices=("step", "cosine"),
    )

    @property
    def held_steps(self) -> int:
        """Steps at the start in which the generator is not trained."""
        return 0

    def warn_of_zero(self, max_steps: int) -> None:
        """Warns if the learning rate is zero before the last step."""
        steps = self.learning_rate_decay_steps
        if self.learning_rate_schedule == "cosine" and steps < max_steps:
            flag = f"--{self.flag_prefix}learning_rate_decay_steps"
            warn(
                f"the learning rate is zero from step {steps} on ({flag}), but "
                f"--max_steps={max_steps}."
            )
