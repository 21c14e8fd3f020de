"""Training on one or several devices: parts of a batch, sums, and agreement.

Each replica takes its part of the global batch by index, so that several devices see
the same images as one, and computes its share of the sum of losses and gradients.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from console.errors import InputError
from training.cluster import read_cluster, wait_for_all
from training.stopping import joining


def sum_over_replicas(values: Any) -> Any:
    """Sums a nest of tensors over all replicas; call it in a replica, within a step."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def count_replicas() -> int:
    """Returns the number of replicas of the current step."""
    return tf.distribute.get_replica_context().num_replicas_in_sync


def update_each(
    function: Callable,
    variables: Sequence[tf.Variable],
    values: Sequence[tf.Tensor],
    *shared: tf.Tensor,
) -> None:
    """Updates variables on every replica; call it in a replica, within a step.

    The function is called with a variable, its value and `shared`, on one device.
    """

    def merged(strategy, variables, values, *shared):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable, function, args=(value, *shared), group=False
            )

    tf.distribute.get_replica_context().merge_call(
        merged, args=(variables, values, *shared)
    )


class Team:
    """The devices that train together, of all processes.

    Attributes:
        index: Index of this process among the workers; 0 is the chief, the only
            worker that writes.
        workers: Number of processes.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        index: int = 0,
        workers: int = 1,
    ) -> None:
        """Stores the strategy; None for one device."""
        self.strategy = strategy or tf.distribute.get_strategy()
        self.index, self.workers = index, workers
        self._sum: Callable | None = None

    @property
    def replicas(self) -> int:
        """Number of devices that share a batch, over all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, logs and summaries."""
        return self.index == 0

    def describe(self, device: str) -> str:
        """Returns the names of the devices, for messages; see `devices.choose`."""
        if self.workers == 1:
            return device
        return f"{self.workers} workers, this one on {device}"

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch that cannot be divided evenly."""
        if batch_size % self.replicas:
            raise InputError(
                f"--batch_size={batch_size} is shared by {self.replicas} replicas; "
                f"expected a multiple of {self.replicas}."
            )

    def share(self, batch_size: int) -> slice:
        """Returns the part of a batch that this process takes."""
        size = batch_size // self.workers
        return slice(self.index * size, (self.index + 1) * size)

    def run(self, function: Callable, *arrays: tf.Tensor) -> Any:
        """Runs a step on every device of this process, each with its part of arrays.

        The function returns a nest of tensors that is equal on all replicas.
        """
        mine = self.replicas // self.workers
        if mine > 1:
            arrays = tuple(self._split(array, mine) for array in arrays)
        return self._take_first(self.strategy.run(function, args=arrays))

    def _take_first(self, results):
        """Returns the first replica's results."""
        return tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0], results
        )

    def _split(self, array, parts):
        """Distributes the rows over the devices of this process."""
        split = tf.split(array, parts)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: split[context.replica_id_in_sync_group % parts]
        )

    def sum_over_workers(self, values: tf.Tensor) -> tf.Tensor:
        """Sums a float32 tensor over all workers; waits until all have called it."""
        if self._sum is None:

            def in_replica(values):
                # A tensor from outside has no device yet, which the sum needs.
                return sum_over_replicas(tf.identity(values))

            def sum_up(values):
                return self._take_first(self.strategy.run(in_replica, args=(values,)))

            self._sum = tf.function(sum_up, autograph=False)
        each = self.replicas // self.workers
        return self._sum(values) / each

    def check_agreement(self, step: int) -> None:
        """Refuses workers that begin at different steps, of other checkpoints."""
        if self.workers == 1:
            return
        mine = tf.one_hot(self.index, self.workers) * float(step)
        steps = [int(value) for value in self.sum_over_workers(mine)]
        if len(set(steps)) > 1:
            raise InputError(
                f"the workers would start from different steps, {steps}; --train_path "
                "must be a folder that all workers share."
            )

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Converts TensorFlow's errors about a lost worker to `InputError`."""
        try:
            yield
        except (
            *(tf.errors.UnavailableError, tf.errors.AbortedError),
            *(tf.errors.CancelledError, tf.errors.DeadlineExceededError),
            *(tf.errors.InternalError, tf.errors.FailedPreconditionError),
        ) as error:
            if self.workers == 1:
                raise
            reason = error.message.rpartition("aborted by: ")[2].strip()
            raise InputError(
                "another worker was lost or no longer answers "
                f"({reason.splitlines()[0]}). Start all workers again to resume from "
                "the last checkpoint."
            ) from None


class Agreement:
    """Makes all workers stop after the same step when any is asked to stop.

    In each step, every worker sends whether it was asked to stop, and reads the sum of
    two steps before, which is known by then, so no worker waits for it.

    Attributes:
        is_to_stop: Whether the run ends now, equal on all workers.
    """

    LAG = 2

    def __init__(self, team: Team) -> None:
        """Stores the team; a single worker agrees immediately."""
        self.team, self.is_to_stop = team, False
        self.asked: collections.deque[tf.Tensor] = collections.deque()

    def ask(self, is_to_stop: bool) -> None:
        """Sends whether this worker was asked to stop; call it in each step."""
        if self.team.workers == 1:
            self.is_to_stop = is_to_stop
            return
        self.asked.append(self._count(is_to_stop))
        if len(self.asked) > self.LAG:
            self.is_to_stop = float(self.asked.popleft()) > 0

    def wait_for_all(self) -> None:
        """Waits until all workers have called it."""
        if self.team.workers > 1:
            self._count(False).numpy()

    def _count(self, is_to_stop):
        return self.team.sum_over_workers(tf.constant(float(is_to_stop)))


def make_team() -> Team:
    """Makes the team of TF_CONFIG's workers, of all visible GPUs, or of one device.

    Must be called before TensorFlow computes anything.
    """
    workers, index = read_cluster()
    if workers:
        wait_for_all(workers, index)
        with joining():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return Team(strategy, index, len(workers))
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) > 1:
        return Team(tf.distribute.MirroredStrategy([gpu.name for gpu in gpus]))
    return Team()
