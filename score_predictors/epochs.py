"""Hooks of a run that counts epochs: they write `.h5` and `.csv` and keep the best."""

import csv
import functools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from console.files import written_whole
from console.progress import SECONDS_BETWEEN_LINES, say, to_clock
from metrics.scores import emd, lcc, mean_score, srcc
from score_predictors import weight_files
from score_predictors.predicting import predict_part
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee
from training import run_folder
from training.checkpoint_writer import CheckpointWriter
from training.checkpoints import list_checkpoints
from training.loop import Loop, LoopSettings
from training.replicas import Team
from training.summaries import Writer

COLUMNS = (
    *("epoch", "loss", "validation_loss", "validation_srcc", "validation_lcc"),
    *("images_per_second", "waiting_share"),
)
# Least seconds between two saves: within an epoch, which may take hours, and after an
# epoch, which may take less time than its save.
SAVE_SECONDS, EPOCH_SAVE_SECONDS = 600.0, 10.0
SAVES_KEPT = 2
# Steps between two checks for values that are not finite, which make the host wait.
CHECK_STEPS = 50


def resume(trainee: Trainee, loader: Any, files: RunFiles) -> str:
    """Restores the newest complete state; tells whether there were other pictures.

    The loader is a `dataloaders.scored.ScoredLoader`, prepared.

    Returns:
        The checkpoint that was restored.

    Raises:
        InputError: No checkpoint can be read.
    """
    taken = run_folder.restore_newest(
        trainee,
        files.state,
        f"--weight_filename={files.weights.name}",
        "Give another --weight_filename.",
    )
    say(f"Resuming from {taken}.")
    before, now = trainee.history.pictures, loader.count()
    if before != now:
        say(
            f"The data set has changed: {now['train']} pictures to train on and "
            f"{now['validate']} to validate on, before {before['train']} and "
            f"{before['validate']}."
        )
    return taken


def make_loop(
    trainee: Trainee,
    loader: Any,
    files: RunFiles,
    epochs: int,
    team: Team | None = None,
) -> Loop:
    """Makes the loop that trains a predictor.

    Args:
        trainee: The predictor in training, restored to where the run begins.
        loader: See `resume`.
        files: The run's files.
        epochs: Number of epochs, including epochs of earlier starts.
        team: The devices; None for one device.
    """
    loader.fills_batches = team is not None and team.replicas > 1
    steps, first = loader.steps_per_epoch, trainee.history.present["first_step"]
    epoch = trainee.epoch
    # The epoch is trained to its end, or beyond its end if pictures are gone: the next
    # batch is the first of the next epoch.
    if trainee.step - first >= steps:
        epoch, first = epoch + 1, trainee.step
    loader.begin(epoch, first)
    trainee.history.pictures = loader.count()
    end = first + (epochs - epoch) * steps
    # The end depends on the number of pictures in the epochs so far.
    trainee.optimizer.end_at(end)
    return Loop(
        trainee,
        loader,
        files.state,
        LoopSettings(max_steps=end, save_max_keep=SAVES_KEPT),
        team,
        make_hooks=functools.partial(ByEpochs, files=files, epochs=epochs),
        threads=loader.settings.threads,
    )


class ByEpochs:
    """The hooks that `training.loop.Loop` calls; see `training.by_steps.BySteps`."""

    def __init__(self, loop: Loop, files: RunFiles, epochs: int) -> None:
        """Takes the loop, whose model is a `Trainee`; see `make_loop`."""
        self.loop, self.trainee = loop, cast(Trainee, loop.model)
        self.loader: Any = loop.loader
        self.history, self.files, self.epochs = self.trainee.history, files, epochs
        self.writer = Writer(files.logs, self.trainee.epoch)
        self.is_best = False
        self.began = self.saved_at = self.told = 0.0

    def begin(self) -> None:
        """Validates first if an earlier start was stopped before its validation."""
        self.began = self.saved_at = self.told = time.monotonic()
        if self.trainee.step >= self._end():
            self._finish_epoch()

    def _end(self):
        """Steps done at the end of the present epoch."""
        return self.history.present["first_step"] + self.loader.steps_per_epoch

    def is_look_due(self, done: int) -> bool:
        """See `BySteps.is_look_due`; the last step of an epoch is always checked."""
        return done % CHECK_STEPS == 0 or done == self._end()

    def after_step(self, done: int, batch: Any, values: dict[str, Any]) -> None:
        """See `BySteps.after_step`."""
        pace = self.loop.pace
        self.history.add(seconds=pace.last, waited=pace.last_waited, images=batch.count)
        if done == self._end():
            if not self.loop.is_to_stop:  # Otherwise it comes first on resuming.
                self._finish_epoch()
            return
        now, left = time.monotonic(), self._end() - done
        if now - self.saved_at > SAVE_SECONDS:
            self.saved_at = now
            self.loop.save()
        is_told = self.loop.team.is_chief and not sys.stderr.isatty()
        if is_told and now - self.told >= SECONDS_BETWEEN_LINES:
            self.told = now
            steps = self.loader.steps_per_epoch
            say(
                f"Epoch {self.trainee.epoch + 1}/{self.epochs}: {steps - left}/{steps} "
                f"steps, {pace.left(left)} left"
            )

    def is_complete(self) -> bool:
        """See `BySteps.is_complete`."""
        return self.trainee.epoch >= self.epochs

    def close(self) -> None:
        """See `BySteps.close`."""
        self.writer.close()

    def validate(
        self, is_to_stop: Callable[[], bool] = lambda: False
    ) -> dict[str, float] | None:
        """Measures the validation part; see `predict_part`.

        Returns:
            `validation_loss`, and `validation_srcc` and `validation_lcc` of the mean
            score; None if the validation was stopped.
        """
        hint = (
            f"{self.files.state} has only earlier checkpoints, if any; lower "
            "--learning_rate."
        )
        predicted, target = predict_part(
            self.loader, self.trainee.predict, hint, is_to_stop
        )
        if predicted is None:
            return None
        theirs = [row.mean for row in self.loader.parts["validate"]]
        means = mean_score(predicted, self.loader.first_score), theirs
        return {
            "validation_loss": float(np.mean(emd(predicted, target))),
            "validation_srcc": srcc(*means),
            "validation_lcc": lcc(*means),
        }

    def _finish_epoch(self):
        """Validates, records the epoch, logs and saves."""
        took, team = self.history.present, self.loop.team
        values: dict[str, Any] = {
            "epoch": self.trainee.epoch + 1,
            "loss": float(self.trainee.loss_sum / self.trainee.loss_count),
            "images_per_second": took["images"] / took["seconds"],
            "waiting_share": took["waited"] / took["seconds"],
        }
        losses = [epoch.get("validation_loss") for epoch in self.history.epochs]
        if team.is_chief:
            # Other workers wait in their next step, so the chief cannot stop alone.
            measured = self.validate(
                lambda: team.workers == 1 and self.loop.is_asked_to_stop()
            )
            if measured is None:
                self.loop.agreement.ask(True)
                return
            values |= measured
            self.is_best = measured["validation_loss"] < min(losses, default=math.inf)
        self.history.epochs.append(values)
        self.trainee.begin_epoch()
        self.loop.is_saved = False
        if team.is_chief:
            self._tell(values)
        is_due = time.monotonic() - self.saved_at > EPOCH_SAVE_SECONDS
        # The files belong together, so the best weights are not written alone.
        if self.is_best or is_due or not list_checkpoints(self.files.state):
            self.saved_at = time.monotonic()
            self.loop.save()

    def _tell(self, values):
        """Logs the values of an epoch, also to TensorBoard."""
        left = self.epochs - values["epoch"]
        now = time.monotonic()
        left, self.began = to_clock((now - self.began) * left), now
        known = {n: v for n, v in values.items() if not math.isnan(v)}
        cells = {n: f"{known[n]:.4f}" if n in known else "-" for n in COLUMNS[1:5]}
        numbers = "  ".join(f"{n.replace('_', ' ')} {cells[n]}" for n in cells)
        skipped = int(self.trainee.state.skipped.numpy())
        if skipped:
            numbers += f"  {skipped} steps skipped"
        say(
            f"epoch {values['epoch']}/{self.epochs}  {numbers}  "
            f"{values['images_per_second']:.1f} images/s  "
            f"{values['waiting_share']:.1%} waiting  {left} left"
        )
        epoch = known.pop("epoch")
        scalars = {n.replace("validation_", "validation/"): known[n] for n in known}
        self.writer.write(epoch, scalars)

    def save(self, checkpoint_writer: CheckpointWriter) -> None:
        """Writes all files of the run."""
        is_first = not list_checkpoints(self.files.state)
        try:
            if self.is_best:
                self._save_weights(self.files.best)
            self._save_weights(self.files.weights)
            with written_whole(self.files.table) as aside, open(aside, "w") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.history.epochs)
            # Last, so that a state is never ahead of the other files.
            checkpoint_writer.save(self.trainee.step)
        except OSError:
            if is_first:  # Weights without a state would prevent a new start.
                for path in (self.files.weights, self.files.best, self.files.table):
                    path.unlink(missing_ok=True)
            raise
        self.is_best, self.saved_at = False, time.monotonic()

    def _save_weights(self, path: Path) -> None:
        attributes = self.trainee.predictor.attributes() | {
            "first_score": self.loader.first_score,
            "dataloader": self.loader.name,
        }
        weight_files.save(path, self.trainee.network, attributes)
