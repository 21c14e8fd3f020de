"""What the benchmark measures, as its flags say."""

import dataclasses

from console.settings import Settings, option
from models.generator_settings import Architecture


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """What network is measured, and where."""

    scales: tuple[int, ...] = option(Architecture.model_scales, "Scales to measure.")
    batch_size: int = option(16, "Patches in a training step.")
    repeats: int = option(4, "How often each thing is timed; the best counts.")
    features: int = option(
        Architecture.conv_features, "Channels of the network's inner convolutions."
    )
    shared_blocks: int = option(
        Architecture.shared_blocks,
        "Local residual blocks in the part that all scales share.",
    )
    cuda_device: str = option(
        "0", "GPU to measure; -1 for the CPU, as without any GPU."
    )

    @property
    def on_gpu(self):
        """Whether a GPU is measured, where there is one."""
        return self.cuda_device != "-1"
