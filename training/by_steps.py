"""The hooks of a run that counts steps: log, TensorBoard, the best checkpoint."""

import functools
import math
from typing import Any

import tensorflow as tf

from console.progress import say, warn
from training.checkpoint_writer import CheckpointWriter
from training.run_folder import BEST
from training.summaries import Summaries


class BySteps:
    """Hooks of `training.loop.Loop` for a run of --max_steps steps."""

    def __init__(self, loop: Any, validation: Any = None) -> None:
        """Stores the loop; see there for the validation."""
        self.loop, self.settings, self.validation = loop, loop.settings, validation
        self.model: Any = loop.model
        self.summaries = Summaries(loop.folder, self.model.step)

    @functools.cached_property
    def best_writer(self) -> CheckpointWriter:
        """Writer of the best checkpoint, made at its first use."""
        return CheckpointWriter(
            self.model.checkpoint_items(), self.loop.folder / BEST, 1
        )

    def begin(self) -> None:
        """Validates if an earlier start was stopped before a due validation."""
        self._validate_if_due(self.model.step)

    def is_look_due(self, done: int) -> bool:
        """Whether the host reads a step's values, for which it has to wait."""
        return done % self.settings.log_freq == 0

    def after_step(self, done: int, batch: Any, values: dict[str, tf.Tensor]) -> None:
        """Logs, writes summaries, validates and saves, if due."""
        if self.loop.team.is_chief:
            if self.is_look_due(done):
                self._log(done, batch.scale, values)
            # Also the first step, to show early that everything is right.
            if done == 1 or done % self.settings.summary_freq == 0:
                self._summarise(done, batch, values)
        # Before the save, so that the checkpoint contains the best value so far.
        if not self.loop.is_to_stop:
            self._validate_if_due(done)
        if done % self.settings.save_freq == 0:
            self.loop.save()

    def is_complete(self) -> bool:
        """Whether all steps are done."""
        return self.model.step >= self.settings.max_steps

    def save(self, checkpoint_writer: CheckpointWriter) -> None:
        """Writes a checkpoint of the current step."""
        say(f"Saved {checkpoint_writer.save(self.model.step)}")

    def close(self) -> None:
        """Closes files."""
        self.summaries.close()

    def _log(self, done, scale, losses):
        numbers = "  ".join(
            f"{name} {float(value):.4f}"
            for name, value in losses.items()
            if "/" not in name
        )
        skipped, pace = int(self.model.state.skipped.numpy()), self.loop.pace
        if skipped:
            numbers += f"  {skipped} steps skipped"
        end = self.settings.max_steps
        say(
            f"step {done}/{end}  x{scale}  {numbers}  {pace.mean:.3f} s/step  "
            f"{pace.waiting_share:.1%} waiting  {pace.left(end - done)} left"
        )
        for remark in self.model.remarks():
            warn(remark)

    def _summarise(self, done, batch, losses):
        """Writes a step to TensorBoard."""
        scalars = {
            **{name: float(loss) for name, loss in losses.items()},
            **self.model.learning_rates(),
            "time/step_seconds": self.loop.pace.mean,
            "time/waiting_for_data_share": self.loop.pace.waiting_share,
            "skipped_steps": float(self.model.state.skipped.numpy()),
        }
        lr, hr = batch.lr[:3], batch.hr[:3]
        pictures = self.model.pictures(tf.cast(lr, tf.float32), batch.scale)
        pictures = {"input": lr, **pictures, "truth": hr}
        self.summaries.write(done, batch.scale, scalars, pictures)

    def _validate_if_due(self, done):
        """Validates if it is due after a step and not done yet."""
        if (
            self.validation is not None
            and done > 0
            and done % self.settings.validate_freq == 0
            and int(self.model.state.validated.numpy()) != done
        ):
            self._validate(done)

    def _validate(self, done):
        """Measures the model on the chief and keeps the best checkpoint."""
        self.loop.check_finite()
        if not self.loop.team.is_chief:
            return
        measured = self.validation(self.loop.is_asked_to_stop)
        if measured is None:
            say(f"Stopped the validation of step {done}; the resumed run repeats it.")
            if self.loop.team.workers == 1:  # Several workers agree in later steps.
                self.loop.agreement.ask(True)
            return
        state, images = self.model.state, self.validation.describe()
        state.validated.assign(done)
        self.loop.is_saved = False
        if state.best_of.values != images:
            state.best_of.values = images
            state.best.assign(-math.inf)
        for scale, one in measured.items():
            say(f"validated at step {done}  x{scale}  {one.describe()}")
            self.summaries.write_validation(done, scale, one)
        rank = self.validation.rank(measured)
        if rank > float(state.best.numpy()):
            state.best.assign(rank)
            say(f"Best so far, saved as {self.best_writer.save(done)}")
