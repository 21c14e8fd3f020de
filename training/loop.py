"""The training loop: data, step, log, TensorBoard, checkpoints.

A plain loop around one `tf.function` for each scale. It knows a model by the verbs
of `models.base.Model` and a data loader by `batch(step)`, which depends on the step
alone, so a run that is stopped and started again sees the data it would have seen.
"""

import dataclasses
import sys
import time

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from console.errors import InputError, name_some
from console.flags import define_count, from_flags
from console.progress import say, to_clock
from training.ahead import Ahead
from training.checkpoints import Keeper, list_checkpoints
from training.stopping import StopRequest
from training.summaries import Summaries


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """How long, and how often.

    Attributes:
        max_steps: Steps in all, those of earlier starts included.
        log_freq: Steps between two lines.
        summary_freq: Steps between two entries in TensorBoard.
        save_freq: Steps between two checkpoints; the last step is always saved.
        save_max_keep: How many checkpoints are kept.
        deterministic: Whether equal runs must be equal to the last bit.
        skip_nonfinite: How many steps in a row may have a loss or gradient that is
            not finite.
    """

    max_steps: int = 1_000_000
    log_freq: int = 10
    summary_freq: int = 200
    save_freq: int = 50_000
    save_max_keep: int = 100
    deterministic: bool = False
    skip_nonfinite: int = 0

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names."""
        define_count("max_steps", cls.max_steps, "Training steps in all.")
        define_count("log_freq", cls.log_freq, "Steps between two lines.")
        define_count(
            "summary_freq",
            cls.summary_freq,
            "Steps between two entries in TensorBoard.",
        )
        define_count("save_freq", cls.save_freq, "Steps between two checkpoints.")
        define_count(
            "save_max_keep", cls.save_max_keep, "How many checkpoints are kept."
        )
        flags.DEFINE_bool(
            "deterministic",
            cls.deterministic,
            "Make equal runs equal to the last bit; slower.",
        )
        define_count(
            "skip_nonfinite",
            cls.skip_nonfinite,
            "How many steps in a row may have a loss or gradient that is not finite; "
            "they change nothing.",
            least=0,
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags."""
        return from_flags(cls)


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

    def __init__(self, model, loader, folder, settings):
        """Prepares everything but the data.

        Args:
            model: A `models.base.Model`, restored to where the run begins.
            loader: Has `scales` and `batch(step)`.
            folder: Where checkpoints and TensorBoard's files go.
            settings: A `LoopSettings`.
        """
        self.model, self.loader = model, loader
        self.folder, self.settings = folder, settings
        self.keeper = Keeper(model.roots(), folder, settings.save_max_keep)
        self.summaries = Summaries(folder, loader.scales)
        self.pace = Pace()
        self.steps_of_scale = {}
        self.saved = None

    def run(self):
        """Trains until `max_steps` or until a signal asks to stop.

        Returns:
            None, or the exit status that the signal asks for.
        """
        first, end = self.model.step, self.settings.max_steps
        with (
            StopRequest() as stop,
            Ahead(self.loader.batch, first, end) as batches,
            tqdm(
                initial=first,
                total=end,
                unit="step",
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            for step in range(first, end):
                self._one_step(step + 1, batches)
                bar.update()
                if stop.signal is not None:
                    break
            self._save(self.model.step)
        self.summaries.close()
        if stop.signal is not None and self.model.step < end:
            say(
                f"Stopped by {stop.signal.name} after step {self.model.step}; the same "
                "command goes on from there."
            )
            return stop.exit_status
        return None

    def _one_step(self, done, batches):
        """Trains one step; `done` counts it."""
        start, waited = time.perf_counter(), batches.waited
        batch = batches.get()
        traced = batch.scale in self.steps_of_scale
        losses = self._step_of(batch.scale)(batch.lr, batch.hr)
        is_log = done % self.settings.log_freq == 0
        if is_log:
            self._check_finite()
            losses = {name: float(loss) for name, loss in losses.items()}
        self.pace.last = time.perf_counter() - start
        if traced:
            self.pace.add(self.pace.last, batches.waited - waited)
        if is_log:
            self._log(done, batch.scale, losses)
        if done % self.settings.summary_freq == 0:
            self._summarise(done, batch, losses)
        if done % self.settings.save_freq == 0:
            self._save(done)

    def _step_of(self, scale):
        """The compiled step of one scale, traced at its first use."""
        if scale not in self.steps_of_scale:

            def step(lr, hr):
                losses = self.model.train_step(lr, hr, scale)
                self.model.state.step.assign_add(1)
                return losses

            self.steps_of_scale[scale] = tf.function(step, autograph=False)
        return self.steps_of_scale[scale]

    def _log(self, done, scale, losses):
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        left = self.pace.left(self.settings.max_steps - done)
        say(
            f"step {done}/{self.settings.max_steps}  x{scale}  {numbers}  "
            f"{self.pace.mean:.3f} s/step  {left} left"
        )

    def _summarise(self, done, batch, losses):
        """Writes the step to TensorBoard."""
        scalars = {
            **{name: float(loss) for name, loss in losses.items()},
            **self.model.learning_rates(),
            "time/step_seconds": self.pace.last,
            "time/waiting_for_data_share": self.pace.waiting_share,
        }
        lr, hr = batch.lr[:3], batch.hr[:3]
        sr = self.model.upscale(tf.cast(lr, tf.float32), batch.scale)
        self.summaries.write(done, batch.scale, scalars, lr, sr, hr)

    def _check_finite(self):
        """Stops a run in which more steps than tolerated were not finite.

        Raises:
            InputError: With what is needed to look into it. Such steps changed no
                weight, and nothing was saved since.
        """
        step = int(self.model.state.first_bad_step)
        if step < 0:
            return
        batch = self.loader.batch(step)
        saved = list_checkpoints(self.folder)
        raise InputError(
            f"the loss or a gradient of step {step + 1} (x{batch.scale}, images "
            f"{name_some(batch.names, 99)}) is not finite. The last good checkpoint is "
            f"{saved[-1] if saved else 'none'}. Lower the learning rate, or give "
            "--skip_nonfinite=N to pass over up to N such steps in a row."
        )

    def _save(self, done):
        self._check_finite()
        if self.saved != done:
            path = self.keeper.save(done)
            say(f"Saved {path}")
            self.saved = done
