"""The training loop: data, step, checkpoints; hooks do the rest.

A plain loop around a `tf.function` for each scale. A batch depends on the step only, so
a run that is stopped and resumed gets the same data as without the stop.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from console.errors import InputError
from console.prefetch import Prefetch
from console.progress import make_step_bar, to_clock
from console.settings import option
from training.by_steps import BySteps
from training.checkpoint_writer import CheckpointWriter
from training.checkpoints import list_checkpoints, step_of
from training.options import RunLength
from training.protocols import Batch, Hooks, Loader, Trainable
from training.replicas import Agreement, Team
from training.state import NotFiniteError
from training.stopping import StopRequest


@dataclasses.dataclass(frozen=True)
class LoopSettings(RunLength):
    """Length of a run, and intervals within it."""

    summary_freq: int = option(200, "Steps between two entries in TensorBoard.")


class Pace:
    """Measures the time of steps, and the share spent waiting for data.

    The mean leaves out the first step of each graph, which traces the graph. All
    times are in seconds.
    """

    def __init__(self) -> None:
        """Starts without measurements."""
        self.steps = 0
        self.total = self.waited = self.last = self.last_waited = 0.0

    def add(self, seconds: float, waited: float, is_first: bool = False) -> None:
        """Adds the time of a step, waiting included."""
        self.last, self.last_waited = seconds, waited
        if not is_first:
            self.total, self.waited = self.total + seconds, self.waited + waited
            self.steps += 1

    @property
    def mean(self) -> float:
        """Mean seconds of a step."""
        return self.total / self.steps if self.steps else self.last

    @property
    def waiting_share(self) -> float:
        """Share of the time spent waiting for data, in [0, 1]."""
        return self.waited / self.total if self.total else 0.0

    def left(self, steps: int) -> str:
        """Returns the estimated time of further steps, such as `4m10s`."""
        return to_clock(self.mean * steps)


class Loop:
    """A run of the training loop.

    Attributes:
        hooks: Actions between the steps.
        pace: Measured time of the steps.
        is_saved: Whether the last save is up to date.
    """

    def __init__(
        self,
        model: Trainable,
        loader: Loader,
        folder: Path | str,
        settings: LoopSettings,
        team: Team | None = None,
        validation: Any = None,
        make_hooks: Callable[["Loop"], Hooks] | None = None,
        threads: int = 2,
    ) -> None:
        """Prepares everything except the data.

        Args:
            model: Model, restored to the start of the run.
            loader: Loader of the batches.
            folder: Folder of the checkpoints.
            settings: Length of the run, and intervals within it.
            team: Devices that train; None for one device.
            validation: A `metrics.validation.Validation`; None for none.
            make_hooks: Makes the `hooks`, called with the loop; None for `BySteps`.
            threads: Number of threads that prepare batches.
        """
        self.model, self.loader = model, loader
        self.folder, self.settings = Path(folder), settings
        self.team, self.threads = team or Team(), threads
        self.pace = Pace()
        self.steps_of_scale: dict[int | None, Callable] = {}
        self.agreement = Agreement(self.team)
        self.stop: StopRequest | None = None
        self.is_saved = False
        make_hooks = make_hooks or functools.partial(BySteps, validation=validation)
        self.hooks: Hooks = make_hooks(self)

    @functools.cached_property
    def checkpoint_writer(self) -> CheckpointWriter:
        """Writer of checkpoints, made at its first use."""
        return CheckpointWriter(
            self.model.checkpoint_items(), self.folder, self.settings.save_max_keep
        )

    @property
    def is_to_stop(self) -> bool:
        """Whether the run ends after this step, equal on all workers."""
        return self.agreement.is_to_stop

    def is_asked_to_stop(self) -> bool:
        """Whether this worker was asked to stop; others may not know it yet."""
        return self.stop.signal is not None

    def run(self, begin: Callable[[], None] | None = None) -> int | None:
        """Trains until `max_steps`, or until a signal: then returns the exit status.

        Args:
            begin: Called on the chief only, before the first step and after all
                workers have restored their state.

        Raises:
            InputError: An image cannot be read; the training so far is saved.
            NotFiniteError: A loss or gradient is not finite; nothing is saved.
        """
        first, end = self.model.step, self.settings.max_steps
        share = self.team.share(self.loader.batch_size)
        make = functools.partial(self.loader.batch, share=share)
        steps, threads = range(first, end), self.threads
        with (
            StopRequest() as self.stop,
            Prefetch(make, steps, threads, 3 * threads) as batches,
            make_step_bar(first, end, self.team.is_chief) as bar,
            self.team.watching(),
        ):
            self.team.check_agreement(first)
            if begin is not None and self.team.is_chief:
                begin()
            # A resumed run starts from a checkpoint that exists already.
            self.is_saved = first > 0 or self.is_saved
            try:
                self.hooks.begin()
                for step in steps:
                    if self.is_to_stop:
                        break
                    self._one_step(step + 1, batches)
                    bar.update()
            except NotFiniteError:
                raise
            except (InputError, MemoryError, tf.errors.ResourceExhaustedError):
                if not self.is_saved and self.model.step > 0:
                    self.save()
                raise
            self.save()
            self.agreement.wait_for_all()
        self.hooks.close()
        if self.is_to_stop and not self.hooks.is_complete():
            return self.stop.tell(f"{self.model.step} of {end}")
        return None

    def _one_step(self, done, batches):
        """Trains a step; `done` includes it."""
        start, waited = time.perf_counter(), batches.waited
        batch, graphs = batches.get(), len(self.steps_of_scale)
        values = self.take_step(batch)
        is_first = len(self.steps_of_scale) > graphs
        self.is_saved = False
        # Read after the step, since a signal may have come during it.
        self.agreement.ask(self.is_asked_to_stop())
        if self.hooks.is_look_due(done):
            self.check_finite()
        self.pace.add(time.perf_counter() - start, batches.waited - waited, is_first)
        self.hooks.after_step(done, batch, values)

    def take_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Trains on a batch; a GPU may still run when it returns."""
        scale, arrays = batch.inputs()
        return self._step_of(scale)(*arrays)

    def _step_of(self, scale):
        """Returns the compiled step of a scale, traced at its first use."""
        if scale not in self.steps_of_scale:

            def step(*arrays):
                values = self.team.run(
                    functools.partial(self.model.train_step, scale=scale), *arrays
                )
                self.model.state.step.assign_add(1)
                return values

            self.steps_of_scale[scale] = tf.function(
                step, autograph=False, input_signature=self.model.step_signature
            )
        return self.steps_of_scale[scale]

    def check_finite(self) -> None:
        """Stops a run with too many steps that were not finite.

        Raises:
            NotFiniteError: The message names the step and the images. These steps
                changed no weight, and no checkpoint was written after them.
        """
        step = int(self.model.state.first_bad_step.numpy())
        if step < 0:
            return
        batch = self.loader.batch(step).describe()
        saved = [p for p in list_checkpoints(self.folder) if step_of(p) <= step]
        raise NotFiniteError(
            f"the loss or a gradient of step {step + 1} ({batch}) is not finite. The "
            f"last good checkpoint is {saved[-1] if saved else 'none'}. Lower the "
            "learning rate, or give --skip_nonfinite=N to skip up to N such steps in a "
            "row."
        )

    def save(self) -> None:
        """Writes a checkpoint of the current step, if it is not saved yet."""
        self.check_finite()
        if not self.is_saved and self.team.is_chief:
            self.hooks.save(self.checkpoint_writer)
        self.is_saved = True
