"""EUSR and the step that trains it (Kim and Lee, CVPR Workshops 2018).

Two deliberate deviations from the original code: a step updates only the variables
that its scale uses (the original's Adam also moved the others by their momentum), and
the learning rate may also follow a cosine.
"""

from collections.abc import Sequence

from models.footprint import count_eusr
from models.generator_model import GeneratorModel
from models.generator_settings import Architecture, Training


class EUSR(GeneratorModel):
    """One network for x2, x4 and x8, trained on one scale at a time."""

    name = "eusr"
    settings_classes = (Architecture, Training)
    scales_advice = "--eusr_model_scales=2,3,4,8, for example, makes a network with x3."

    def count_step_memory(self, scales: Sequence[int]) -> int:
        """See `Model.count_step_memory`."""
        return count_eusr(self.architecture, scales, self.options.precision)
