"""How a learning rate falls. Keras only: TensorFlow's and JAX's steps share it."""

import dataclasses
import math

from keras import ops


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a learning rate falls.

    Attributes:
        start: The rate at step 0.
        decay: Factor of each decay of the `step` kind.
        decay_steps: Steps between two decays; with `cosine`, the steps until the
            rate is zero.
        kind: `step` or `cosine`.
        warmup_steps: Steps in which it rises from 0, on top of all that.
    """

    start: float
    decay: float = 0.5
    decay_steps: int = 200_000
    kind: str = "step"
    warmup_steps: int = 0

    def at(self, step, share=None):
        """The rate of a step.

        Args:
            step: Integer scalar tensor, steps done before.
            share: float32 scalar, how much of the fall is done, where that does not
                follow the step; None for `step / decay_steps`.

        Returns:
            float32 scalar tensor.
        """
        step = ops.cast(step, "float32")
        share = step / self.decay_steps if share is None else share
        if self.kind == "cosine":
            fall = 0.5 * (1.0 + ops.cos(math.pi * ops.minimum(share, 1.0)))
        else:
            fall = self.decay ** ops.floor(share)
        rise = 1.0
        if self.warmup_steps:
            rise = ops.minimum((step + 1.0) / self.warmup_steps, 1.0)
        return self.start * fall * rise
