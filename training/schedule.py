"""Learning rate schedules. Keras only: shared by TensorFlow's and JAX's steps."""

import dataclasses
import math
from typing import Any, Self

import keras
from keras import ops


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A learning rate schedule.

    Attributes:
        start: Learning rate at step 0.
        decay: Factor of each decay of the `step` kind.
        decay_steps: Steps between two decays; with `cosine`, steps until zero.
        kind: `step` or `cosine`.
        warmup_steps: Steps of a linear warmup, multiplied with the schedule.
        held_steps: Steps at the start with a rate of 0; the warmup follows.
    """

    start: float
    decay: float = 0.5
    decay_steps: int = 200_000
    kind: str = "step"
    warmup_steps: int = 0
    held_steps: int = 0

    @classmethod
    def of(
        cls,
        training: Any,
        learning_rate: float,
        warmup_steps: int,
        held_steps: int = 0,
    ) -> Self:
        """Makes the schedule of a network from settings like the models' `Training`."""
        return cls(
            learning_rate,
            training.learning_rate_decay,
            training.learning_rate_decay_steps,
            training.learning_rate_schedule,
            warmup_steps,
            held_steps,
        )

    def at(
        self, step: keras.KerasTensor, share: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Computes the learning rate, a float32 scalar, after `step` steps.

        `share` is the share of the decay that is done, by default `step / decay_steps`.
        """
        step = ops.cast(step, "float32")
        share = step / self.decay_steps if share is None else share
        if self.kind == "cosine":
            fall = 0.5 * (1.0 + ops.cos(math.pi * ops.minimum(share, 1.0)))
        else:
            fall = self.decay ** ops.floor(share)
        rate = self.start * fall
        if self.warmup_steps or self.held_steps:
            rise = (step + 1.0 - self.held_steps) / max(self.warmup_steps, 1)
            rate *= ops.clip(rise, 0.0, 1.0)
        return rate
