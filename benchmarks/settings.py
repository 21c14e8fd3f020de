"""What the benchmark measures, as its flags say."""

import dataclasses

from absl import flags

from console.flags import define_count, define_numbers, from_flags
from models.generator_settings import Architecture


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every section of the benchmark goes by.

    Attributes:
        scales: Scales to measure.
        batch_size: Patches in a training step.
        repeats: How often each thing is timed; the best counts.
        features: Channels of the network's inner convolutions.
        shared_blocks: Local residual blocks in its shared part.
        cuda_device: The GPU to measure; `-1` for the CPU.
    """

    scales: tuple = Architecture.model_scales
    batch_size: int = 16
    repeats: int = 4
    features: int = Architecture.conv_features
    shared_blocks: int = Architecture.shared_blocks
    cuda_device: str = "0"

    @property
    def on_gpu(self):
        """Whether a GPU is measured, where there is one."""
        return self.cuda_device != "-1"

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        define_numbers("scales", cls.scales, "Scales to measure.")
        define_count("batch_size", cls.batch_size, "Patches in a training step.")
        define_count(
            "repeats", cls.repeats, "How often each thing is timed; the best counts."
        )
        define_count(
            "features", cls.features, "Channels of the network's inner convolutions."
        )
        define_count(
            "shared_blocks",
            cls.shared_blocks,
            "Local residual blocks in the part that all scales share.",
        )
        flags.DEFINE_string(
            "cuda_device",
            cls.cuda_device,
            "GPU to measure; -1 for the CPU, as without any GPU.",
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags."""
        return from_flags(cls)
