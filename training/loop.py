"""The training loop: data, step, checkpoints; hooks do the rest.

A plain loop around one `tf.function` for each scale. It knows a model by the verbs
of `models.base.Model` and a data loader by `batch(step)`, which depends on the step
alone, so a run that is stopped and started again sees the data it would have seen.
"""

import dataclasses
import functools
import signal
import sys
import time
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from console.errors import InputError
from console.progress import say
from console.settings import option
from training.by_steps import BySteps
from training.checkpoint_writer import CheckpointWriter
from training.checkpoints import list_checkpoints, step_of
from training.options import RunLength
from training.pace import Pace
from training.prefetch import Prefetch
from training.replicas import Agreement, Team
from training.state import NotFiniteError
from training.stopping import StopRequest


@dataclasses.dataclass(frozen=True)
class LoopSettings(RunLength):
    """How long, and how often."""

    summary_freq: int = option(200, "Steps between two entries in TensorBoard.")


class Loop:
    """One run of the training loop.

    Attributes:
        hooks: `training.by_steps.BySteps`, or what has the same methods.
        pace: `training.pace.Pace`.
        is_saved: Whether nothing was done since the last save.
    """

    def __init__(
        self,
        model,
        loader,
        folder,
        settings,
        team=None,
        validation=None,
        make_hooks=None,
        threads=2,
    ):
        """Prepares everything but the data.

        Args:
            model: A `models.base.Model`, restored to where the run begins.
            loader: Has `batch_size` and `batch(step, share=)`.
            folder: Where checkpoints go.
            settings: A `LoopSettings`.
            team: `training.replicas.Team`: who trains; None for one device.
            validation: A `metrics.measuring.Validation`, or what has the same three
                methods; None never validates.
            make_hooks: Called with the loop, makes its `hooks`; None for those of a
                run that counts steps.
            threads: How many threads prepare batches.
        """
        self.model, self.loader = model, loader
        self.folder, self.settings = Path(folder), settings
        self.team, self.threads = team or Team(), threads
        self.pace = Pace()
        self.steps_of_scale = {}
        self.agreement = Agreement(self.team)
        self.stop, self.is_saved = None, False
        make_hooks = make_hooks or functools.partial(BySteps, validation=validation)
        self.hooks = make_hooks(self)

    @functools.cached_property
    def checkpoint_writer(self):
        """What writes checkpoints; made when there is something to write."""
        return CheckpointWriter(
            self.model.roots(), self.folder, self.settings.save_max_keep
        )

    @property
    def is_to_stop(self):
        """Whether the run ends after this step, the same on every worker."""
        return self.agreement.is_to_stop

    def is_asked_to_stop(self):
        """Whether this worker was asked to; others may not know it yet."""
        return self.stop.signal is not None

    def run(self, begin=None):
        """Trains until `max_steps` or until a signal asks to stop.

        Args:
            begin: Called by the chief alone, before the first step and once all
                workers have read what they go on from.

        Returns:
            None, or the exit status that the signal asks for.

        Raises:
            InputError: An image cannot be read; what was trained before is saved.
            NotFiniteError: What was trained is not finite; it is not saved.
        """
        first, end = self.model.step, self.settings.max_steps
        share = self.team.share(self.loader.batch_size)
        make = functools.partial(self.loader.batch, share=share)
        with (
            StopRequest() as self.stop,
            Prefetch(make, first, end, self.threads, 3 * self.threads) as batches,
            tqdm(
                initial=first,
                total=end,
                unit="step",
                dynamic_ncols=True,
                disable=not (self.team.is_chief and sys.stderr.isatty()),
            ) as bar,
            self.team.watching(),
        ):
            self.team.check_agreement(first)
            if begin is not None and self.team.is_chief:
                begin()
            # The checkpoint that a run goes on from is there already.
            self.is_saved = first > 0 or self.is_saved
            try:
                self.hooks.begin()
                for step in range(first, end):
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
            # Another worker may be the one that was asked.
            asked = self.stop.signal or signal.SIGTERM
            say(
                f"Stopped by {asked.name} after step {self.model.step} of {end}; the "
                "same command goes on from there."
            )
            return 128 + asked
        return None

    def _one_step(self, done, batches):
        """Trains one step; `done` counts it."""
        start, waited = time.perf_counter(), batches.waited
        batch, graphs = batches.get(), len(self.steps_of_scale)
        values = self.take_step(batch)
        is_first = len(self.steps_of_scale) > graphs
        self.is_saved = False
        # Read after the step: it took the time in which a signal may have come.
        self.agreement.ask(self.is_asked_to_stop())
        if self.hooks.is_look_due(done):
            self.check_finite()
        self.pace.add(time.perf_counter() - start, batches.waited - waited, is_first)
        self.hooks.after_step(done, batch, values)

    def take_step(self, batch):
        """Trains on a batch; a GPU may still be at work when it returns.

        Args:
            batch: As the loader makes it.

        Returns:
            dict: What the model's `train_step` returned.
        """
        scale, arrays = batch.inputs()
        return self._step_of(scale)(*arrays)

    def _step_of(self, scale):
        """The compiled step of one scale, traced at its first use."""
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

    def check_finite(self):
        """Stops a run in which more steps than tolerated were not finite.

        Raises:
            NotFiniteError: With what is needed to look into it. Such steps changed no
                weight, and nothing was saved since.
        """
        step = int(self.model.state.first_bad_step.numpy())
        if step < 0:
            return
        batch = self.loader.batch(step).describe()
        saved = [p for p in list_checkpoints(self.folder) if step_of(p) <= step]
        raise NotFiniteError(
            f"the loss or a gradient of step {step + 1} ({batch}) is not finite. The "
            f"last good checkpoint is {saved[-1] if saved else 'none'}. Lower the "
            "learning rate, or give --skip_nonfinite=N to pass over up to N such steps "
            "in a row."
        )

    def save(self):
        """Writes a checkpoint of the present step, if there is anything new."""
        self.check_finite()
        if not self.is_saved and self.team.is_chief:
            self.hooks.save(self.checkpoint_writer)
        self.is_saved = True
