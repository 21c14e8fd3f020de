"""The training loop: data, step, log, TensorBoard, checkpoints.

A plain loop around one `tf.function` for each scale. It knows a model by the verbs
of `models.base.Model` and a data loader by `batch(step)`, which depends on the step
alone, so a run that is stopped and started again sees the data it would have seen.
"""

import dataclasses
import functools
import math
import signal
import sys
import time
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from console.errors import InputError, name_some
from console.progress import say, to_clock, warn
from console.settings import option
from training.ahead import Ahead
from training.checkpoints import list_checkpoints, step_of
from training.keeper import Keeper
from training.options import RunLength
from training.replicas import Agreement, Team
from training.run_folder import BEST
from training.stopping import StopRequest
from training.summaries import Summaries


@dataclasses.dataclass(frozen=True)
class LoopSettings(RunLength):
    """How long, and how often."""

    summary_freq: int = option(200, "Steps between two entries in TensorBoard.")


class Pace:
    """Seconds a step, and how much of them was spent waiting for data.

    The first step of each scale is left out of the mean: it traces the graph.

    Attributes:
        last: Seconds of the last step, whichever.
    """

    def __init__(self):
        """Nothing measured yet."""
        self.total = self.waited = self.steps = 0
        self.last = 0.0

    def add(self, seconds, waited):
        """Takes the time of one step and of the wait within it."""
        self.total, self.waited = self.total + seconds, self.waited + waited
        self.steps += 1

    @property
    def mean(self):
        """Seconds a step so far."""
        return self.total / self.steps if self.steps else self.last

    @property
    def waiting_share(self):
        """Share of the time spent waiting for data, in [0, 1]."""
        return self.waited / self.total if self.total else 0.0

    def left(self, steps):
        """Time that so many more steps will take, as people write it."""
        return to_clock(self.mean * steps)


class Loop:
    """One run of the training loop."""

    def __init__(self, model, loader, folder, settings, team=None, validation=None):
        """Prepares everything but the data.

        Args:
            model: A `models.base.Model`, restored to where the run begins.
            loader: Has `scales`, `batch_size` and `batch(step, share=)`.
            folder: Where checkpoints and TensorBoard's files go.
            settings: A `LoopSettings`.
            team: `training.replicas.Team`: who trains; None for one device.
            validation: A `models.measuring.Validation`, or what has the same three
                methods; None never validates.
        """
        self.model, self.loader = model, loader
        self.folder, self.settings = Path(folder), settings
        self.team, self.validation = team or Team(), validation
        self.keeper = self.keeper_of_best = None
        if self.team.is_chief:
            roots = model.roots()
            self.keeper = Keeper(roots, folder, settings.save_max_keep)
            self.keeper_of_best = Keeper(roots, self.folder / BEST, 1)
        self.summaries = Summaries(folder, model.step)
        self.pace = Pace()
        self.steps_of_scale = {}
        self.agreement = Agreement(self.team)
        self.saved = self.stop = None

    def run(self, begin=None):
        """Trains until `max_steps` or until a signal asks to stop.

        Args:
            begin: Called by the chief alone, before the first step and once all
                workers have read what they go on from.

        Returns:
            None, or the exit status that the signal asks for.
        """
        first, end = self.model.step, self.settings.max_steps
        share = self.team.share(self.loader.batch_size)
        make = functools.partial(self.loader.batch, share=share)
        with (
            StopRequest() as stop,
            Ahead(make, first, end) as batches,
            tqdm(
                initial=first,
                total=end,
                unit="step",
                dynamic_ncols=True,
                disable=not (self.team.is_chief and sys.stderr.isatty()),
            ) as bar,
            self.team.watching(),
        ):
            self.stop = stop
            self.team.check_agreement(first)
            if begin is not None and self.team.is_chief:
                begin()
            if self._is_validation_due(first):
                self._validate(first)
            for step in range(first, end):
                self._one_step(step + 1, batches)
                bar.update()
                if self.agreement.is_to_stop:
                    break
            self.save()
            self.agreement.wait_for_all()
        self.summaries.close()
        if self.agreement.is_to_stop and self.model.step < end:
            # Another worker may be the one that was asked.
            asked = stop.signal or signal.SIGTERM
            say(
                f"Stopped by {asked.name} after step {self.model.step}; the same "
                "command goes on from there."
            )
            return 128 + asked
        return None

    def _one_step(self, done, batches):
        """Trains one step; `done` counts it."""
        start, waited = time.perf_counter(), batches.waited
        batch = batches.get()
        traced = batch.scale in self.steps_of_scale
        losses = self._step_of(batch.scale)(batch.lr, batch.hr)
        # Read after the step: it took the time in which a signal may have come.
        self.agreement.ask(self.stop.signal is not None)
        is_log = done % self.settings.log_freq == 0
        if is_log:
            self._check_finite()
            losses = {name: float(loss) for name, loss in losses.items()}
        self.pace.last = time.perf_counter() - start
        if traced:
            self.pace.add(self.pace.last, batches.waited - waited)
        if self.team.is_chief and is_log:
            self._log(done, batch.scale, losses)
        # The first one shows at once that all is as it should be.
        is_due = done == 1 or done % self.settings.summary_freq == 0
        if self.team.is_chief and is_due:
            self._summarise(done, batch, losses)
        # Before the save, so that a checkpoint knows the best that it has to beat.
        if self._is_validation_due(done) and not self.agreement.is_to_stop:
            self._validate(done)
        if done % self.settings.save_freq == 0:
            self._save(done)

    def _step_of(self, scale):
        """The compiled step of one scale, traced at its first use."""
        if scale not in self.steps_of_scale:

            def step(lr, hr):
                losses = self.team.run(
                    functools.partial(self.model.train_step, scale=scale), lr, hr
                )
                self.model.state.step.assign_add(1)
                return losses

            self.steps_of_scale[scale] = tf.function(step, autograph=False)
        return self.steps_of_scale[scale]

    def _log(self, done, scale, losses):
        numbers = "  ".join(
            f"{name} {value:.4f}" for name, value in losses.items() if "/" not in name
        )
        skipped = int(self.model.state.skipped.numpy())
        if skipped:
            numbers += f"  {skipped} steps skipped"
        left = self.pace.left(self.settings.max_steps - done)
        say(
            f"step {done}/{self.settings.max_steps}  x{scale}  {numbers}  "
            f"{self.pace.mean:.3f} s/step  {self.pace.waiting_share:.1%} waiting  "
            f"{left} left"
        )
        for remark in self.model.remarks():
            warn(remark)

    def _summarise(self, done, batch, losses):
        """Writes the step to TensorBoard."""
        scalars = {
            **{name: float(loss) for name, loss in losses.items()},
            **self.model.learning_rates(),
            "time/step_seconds": self.pace.mean,
            "time/waiting_for_data_share": self.pace.waiting_share,
            "skipped_steps": float(self.model.state.skipped.numpy()),
        }
        lr, hr = batch.lr[:3], batch.hr[:3]
        pictures = self.model.pictures(tf.cast(lr, tf.float32), batch.scale)
        pictures = {"input": lr, **pictures, "truth": hr}
        self.summaries.write(done, batch.scale, scalars, pictures)

    def _check_finite(self):
        """Stops a run in which more steps than tolerated were not finite.

        Raises:
            InputError: With what is needed to look into it. Such steps changed no
                weight, and nothing was saved since.
        """
        step = int(self.model.state.first_bad_step.numpy())
        if step < 0:
            return
        batch = self.loader.batch(step)
        saved = [p for p in list_checkpoints(self.folder) if step_of(p) <= step]
        raise InputError(
            f"the loss or a gradient of step {step + 1} (x{batch.scale}, images "
            f"{name_some(batch.names, 99)}) is not finite. The last good checkpoint is "
            f"{saved[-1] if saved else 'none'}. Lower the learning rate, or give "
            "--skip_nonfinite=N to pass over up to N such steps in a row."
        )

    def save(self):
        """Writes a checkpoint of the present step."""
        self._save(self.model.step)

    def _save(self, done):
        self._check_finite()
        if self.saved != done:
            if self.keeper is not None:
                say(f"Saved {self.keeper.save(done)}")
            self.saved = done

    def _is_validation_due(self, done):
        """Whether the model is to be measured after a step and has not been."""
        return (
            self.validation is not None
            and done > 0
            and done % self.settings.validate_freq == 0
            and int(self.model.state.validated.numpy()) != done
        )

    def _validate(self, done):
        """Measures the model and keeps the best checkpoint; the others wait."""
        self._check_finite()
        if not self.team.is_chief:
            return
        try:
            measured = self.validation(lambda: self.stop.signal is not None)
        except InputError:
            self._save(done)  # The images are at fault, not what was trained.
            raise
        if measured is None:
            say(f"Stopped validating at step {done}; it comes first when going on.")
            if self.team.workers == 1:  # Several agree in their next steps.
                self.agreement.ask(self.stop.signal is not None)
            return
        state, images = self.model.state, self.validation.describe()
        state.validated.assign(done)
        if state.best_of.values != images:
            state.best_of.values = images
            state.best.assign(-math.inf)
        for scale, one in measured.items():
            say(f"validated at step {done}  x{scale}  {one.describe()}")
            self.summaries.write_validation(done, scale, one)
        rank = self.validation.rank(measured)
        if rank > float(state.best.numpy()):
            state.best.assign(rank)
            say(f"The best so far, kept as {self.keeper_of_best.save(done)}")
