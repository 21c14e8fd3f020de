"""Rows of scores, the batches that are made of them, and how loaders are set."""

import dataclasses
from pathlib import Path

import numpy as np

from console.errors import name_some
from console.settings import Settings, option

SCORES = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a file of scores.

    Attributes:
        name: The picture's name, as messages and reports give it.
        path: Its file; None where there is none.
        distribution: float32 (10,), the share of each score, lowest first.
        mean: Mean score, as the database has it.
        deviation: Standard deviation of the scores.
        group: What the report also averages over, for example the distortion; None
            for nothing.
    """

    name: str
    path: Path | None
    distribution: np.ndarray
    mean: float
    deviation: float
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one step is made of.

    Attributes:
        patches: uint8 (N, P, P, 3), RGB.
        distributions: float32 (N, 10).
        names: Of the pictures, N of them.
        weights: float32 (N,), of each row in a mean over the whole batch, of which
            these may be a part; 0 for one that only fills it up. None in validation.
        count: Pictures in the whole batch; likewise.
    """

    patches: np.ndarray
    distributions: np.ndarray
    names: list
    weights: np.ndarray | None = None
    count: int | None = None

    def inputs(self):
        """What a training step is given: no scale, and its arrays."""
        return None, (self.patches, self.distributions, self.weights)

    def describe(self):
        """Names its images, for messages."""
        return f"pictures {name_some(self.names, 99)}"


@dataclasses.dataclass(frozen=True)
class ScoredSettings(Settings):
    """Which rows are used, and how patches are drawn; a loader makes flags of some.

    Attributes:
        train_range: Rows to train on, as `"0,-5000"`.
        validate_range: Rows to validate on.
        patch_size: Side of the patches, in pixels.
        batch_size: Patches in a batch; the last of an epoch may have fewer.
        seed: Of all that is drawn.
        threads: How many threads prepare batches.
        leave_out_broken: Whether every picture is looked at beforehand, and those
            that cannot be read are left out.
    """

    # The rows stay the same, which are compared by themselves.
    changes = "freely"

    train_range: str
    validate_range: str
    patch_size: int = 192
    batch_size: int = 32
    seed: int = 0
    threads: int = 4
    leave_out_broken: bool = False


def threads_option(loader):
    """The field of how many threads a loader has."""
    said = "Threads that load images."
    return option(4, said, flag=f"{loader}_num_threads")
