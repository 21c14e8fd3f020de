"""One device or many: who trains which part of a batch, and how they agree.

Each replica takes its part of the global batch by index, so that many devices see
the images that one would have seen. What is summed over replicas is summed here,
explicitly: losses and gradients are sums over replicas of each one's share.
"""

import collections
import contextlib

import tensorflow as tf

from console.errors import InputError
from training.cluster import read_cluster, wait_for_all
from training.stopping import joining


def sum_over_replicas(values):
    """Adds up what each replica computed; call it in a replica, within a step.

    Args:
        values: Tensors, or any nest of them.

    Returns:
        The same nest; equal on every replica.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def count_replicas():
    """How many replicas take the present step, an int."""
    return tf.distribute.get_replica_context().num_replicas_in_sync


def update_each(function, variables, values, *shared):
    """Updates variables on every replica; call it in a replica, within a step.

    Args:
        function: Called with a variable, its value and `shared`, all on one device.
        variables: What it updates.
        values: As many tensors or variables.
        *shared: Tensors passed to each call.
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
    """The devices that train together, of this process and of others.

    Attributes:
        strategy: The `tf.distribute.Strategy`.
        index: Which of the workers this process is; 0 is the chief, the only one
            that writes.
        workers: How many processes there are.
    """

    def __init__(self, strategy=None, index=0, workers=1):
        """Takes a strategy; None for one device."""
        self.strategy = strategy or tf.distribute.get_strategy()
        self.index, self.workers = index, workers
        self._sum = None

    @property
    def replicas(self):
        """How many devices share a batch, over all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_chief(self):
        """Whether this process writes checkpoints, logs and summaries."""
        return self.index == 0

    def describe(self, device):
        """Says who trains, for a person.

        Args:
            device: What `devices.choose` called the devices of this process.
        """
        if self.workers == 1:
            return device
        return f"{self.workers} workers, this one on {device}"

    def check_batch_size(self, batch_size):
        """Refuses a batch that cannot be shared evenly.

        Raises:
            InputError: It is no multiple of the number of replicas.
        """
        if batch_size % self.replicas:
            raise InputError(
                f"--batch_size={batch_size} is shared by {self.replicas} replicas; "
                f"expected a multiple of {self.replicas}."
            )

    def share(self, batch_size):
        """The part of a batch that this process takes, a slice."""
        size = batch_size // self.workers
        return slice(self.index * size, (self.index + 1) * size)

    def run(self, function, *arrays):
        """Runs a step on every device of this process, each with its part.

        Args:
            function: Called in each replica; returns a nest of tensors that is equal
                on all of them.
            *arrays: Tensors (N, ...), this process' part of the batch.

        Returns:
            What the function returned.
        """
        mine = self.replicas // self.workers
        if mine > 1:
            arrays = [self._split(array, mine) for array in arrays]
        return self._take_first(self.strategy.run(function, args=tuple(arrays)))

    def _take_first(self, results):
        """Of what every replica of this process returned, the first's."""
        return tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0], results
        )

    def _split(self, array, parts):
        """Gives each device of this process its part of the rows."""
        split = tf.split(array, parts)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: split[context.replica_id_in_sync_group % parts]
        )

    def sum_over_workers(self, values):
        """Adds up what each worker has; returns when all have come here.

        Args:
            values: float32 tensor of one shape everywhere.

        Returns:
            The sum, float32.
        """
        if self._sum is None:

            def in_replica(values):
                # What comes from outside has no device yet, which reducing it needs.
                return sum_over_replicas(tf.identity(values))

            def sum_up(values):
                return self._take_first(self.strategy.run(in_replica, args=(values,)))

            self._sum = tf.function(sum_up, autograph=False)
        each = self.replicas // self.workers
        return self._sum(values) / each

    def check_agreement(self, step):
        """Makes sure that all workers begin at one step.

        Raises:
            InputError: They do not: they read different checkpoints.
        """
        if self.workers == 1:
            return
        mine = tf.one_hot(self.index, self.workers) * float(step)
        steps = [int(value) for value in self.sum_over_workers(mine)]
        if len(set(steps)) > 1:
            raise InputError(
                f"the workers would go on from different steps, {steps}; --train_path "
                "must be one folder that all of them share."
            )

    @contextlib.contextmanager
    def watching(self):
        """Turns the loss of another worker into one line.

        Raises:
            InputError: In place of what TensorFlow raises then.
        """
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
                "another worker was lost or does not answer any more "
                f"({reason.splitlines()[0]}). Start all of them again: the run goes on "
                "from its last checkpoint."
            ) from None


class Agreement:
    """Lets all workers stop after the same step, whichever of them was asked to.

    Each step every worker says whether it was asked to stop, and reads what all said
    two steps ago: by then that is known, so nobody waits for it.

    Attributes:
        is_to_stop: Whether the run ends now, the same on every worker.
    """

    LAG = 2

    def __init__(self, team):
        """Takes the team; one that is a single worker agrees at once."""
        self.team, self.is_to_stop = team, False
        self.asked = collections.deque()

    def ask(self, is_to_stop):
        """Says whether this worker was asked to stop; call it in each step."""
        if self.team.workers == 1:
            self.is_to_stop = is_to_stop
            return
        self.asked.append(self._count(is_to_stop))
        if len(self.asked) > self.LAG:
            self.is_to_stop = float(self.asked.popleft()) > 0

    def wait_for_all(self):
        """Returns when all workers have come here."""
        if self.team.workers > 1:
            self._count(False).numpy()

    def _count(self, is_to_stop):
        return self.team.sum_over_workers(tf.constant(float(is_to_stop)))


def make_team():
    """Finds out who trains: TF_CONFIG's workers, all visible GPUs, or one device.

    Must come before anything else of TensorFlow computes.

    Returns:
        Team.

    Raises:
        InputError: TF_CONFIG is damaged, or this process is none of its workers.
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
