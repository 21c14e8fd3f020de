"""Rows of scores, batches of pictures with scores, and the loaders' settings."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from console.errors import name_some
from console.settings import Settings, option

SCORES = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a file of scores.

    Attributes:
        path: The picture's file; None if it is missing.
        distribution: float32 (10,), the share of each score, lowest first.
        mean, deviation: Of the scores, as the database gives them.
        group: Name of a group that the report averages over, for example the
            distortion; None for no group.
    """

    name: str
    path: Path | None
    distribution: np.ndarray
    mean: float
    deviation: float
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class Batch:
    """The patches of one step, or a share of them.

    Attributes:
        patches: uint8 (N, P, P, 3), RGB.
        distributions: float32 (N, 10).
        weights: float32 (N,), weight of each row in a mean over the whole batch; 0 for
            a row that only fills the batch. None in validation.
        count: Pictures in the whole batch; None in validation.
    """

    patches: np.ndarray
    distributions: np.ndarray
    names: list[str]
    weights: np.ndarray | None = None
    count: int | None = None

    def inputs(self) -> tuple[None, tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Returns a training step's inputs: None for the scale, and its arrays."""
        return None, (self.patches, self.distributions, self.weights)

    def describe(self) -> str:
        """Names the pictures, for messages."""
        return f"pictures {name_some(self.names, 99)}"


@dataclasses.dataclass(frozen=True)
class ScoredSettings(Settings):
    """Ranges of rows, and how patches are drawn; a loader adds flags for some fields.

    Attributes:
        train_range: Rows to train on, for example `"0,-5000"`.
        patch_size: Side of the patches, in pixels.
        batch_size: Patches in a batch; the last batch of an epoch may have fewer.
        leave_out_broken: Whether all pictures are checked beforehand, and pictures
            that cannot be read are left out.
    """

    # A resumed run compares the rows themselves; see `ScoredLoader.describe`.
    changes = "freely"

    train_range: str
    validate_range: str
    patch_size: int = 192
    batch_size: int = 32
    seed: int = 0
    threads: int = 4
    leave_out_broken: bool = False


def threads_option(loader: str) -> Any:
    """Makes the dataclass field for a loader's number of threads."""
    return option(4, "Threads that load images.", flag=f"{loader}_num_threads")
