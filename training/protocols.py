"""Interfaces that the training loop expects of other folders' classes."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from training.checkpoint_writer import CheckpointWriter
from training.state import State


class Trainable(Protocol):
    """A model or predictor in training; see `models.base.Model` for the members."""

    @property
    def step(self) -> int:
        """Training steps done."""

    @property
    def state(self) -> State:
        """Step and arguments."""

    @property
    def step_signature(self) -> Sequence[tf.TensorSpec] | None:
        """Signature of a batch's arrays."""

    @property
    def train_step(self) -> Callable[..., dict[str, tf.Tensor]]:
        """Takes the arrays of a batch and `scale`; returns named scalars."""

    def checkpoint_items(self) -> dict[str, Any]:
        """Returns the objects to store in a checkpoint."""

    def restore(self, prefix: str, *, resume: bool) -> None:
        """Reads a checkpoint."""


class Batch(Protocol):
    """The arrays of one training step."""

    def inputs(self) -> tuple[int | None, tuple[np.ndarray, ...]]:
        """Returns the scale (None for a predictor) and the arrays."""

    def describe(self) -> str:
        """Names the images, for messages."""


class Loader(Protocol):
    """A data loader; a batch depends on the step only."""

    @property
    def batch_size(self) -> int:
        """Images in a batch of all workers."""

    def batch(self, step: int, *, share: slice = ...) -> Batch:
        """Returns the part `share` of the batch of a step."""


class Hooks(Protocol):
    """The actions of a run between its steps."""

    def begin(self) -> None:
        """Called before the first step."""

    def is_look_due(self, done: int) -> bool:
        """Whether the host reads the values of a step, for which it has to wait."""

    def after_step(self, done: int, batch: Any, values: dict[str, tf.Tensor]) -> None:
        """Called after each step, with its batch and its result."""

    def save(self, checkpoint_writer: CheckpointWriter) -> None:
        """Writes a checkpoint of the current step."""

    def is_complete(self) -> bool:
        """Whether the run is finished."""

    def close(self) -> None:
        """Closes files."""
