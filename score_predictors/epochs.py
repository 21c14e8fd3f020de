"""The hooks of a run that counts epochs: `.h5`, `.csv`, the best."""

import csv
import functools
import io
import math
import sys
import time

import numpy as np

from console.files import written_whole
from console.progress import SECONDS_BETWEEN_LINES, say, to_clock
from metrics.scores import emd, lcc, mean_score, srcc
from score_predictors import weight_files
from score_predictors.predicting import predict_part
from training import run_folder
from training.checkpoints import list_checkpoints
from training.loop import Loop, LoopSettings
from training.summaries import Writer

COLUMNS = (
    *("epoch", "loss", "validation_loss", "validation_srcc", "validation_lcc"),
    *("images_per_second", "waiting_share"),
)
# Seconds at least between two saves: within an epoch, which may take hours, and after
# one, which may take less than its save.
SAVE_SECONDS, EPOCH_SAVE_SECONDS = 600.0, 10.0
SAVES_KEPT = 2
# Steps between two looks at whether all is finite, for which the host has to wait.
CHECK_STEPS = 50


def resume(trainee, loader, files):
    """Goes on with the newest state that is whole.

    Says so where the data set has more or fewer pictures than it had.

    Args:
        trainee: `score_predictors.trainee.Trainee`.
        loader: A `dataloaders.scored.ScoredLoader`, prepared.
        files: `score_predictors.run_files.RunFiles`.

    Returns:
        str: The checkpoint that was taken.

    Raises:
        InputError: There is none that can be read.
    """
    taken = run_folder.restore_newest(
        trainee,
        files.state,
        f"--weight_filename={files.weights.name}",
        "Give another --weight_filename.",
    )
    say(f"Going on with {taken}.")
    before, now = trainee.history.pictures, loader.count()
    if before != now:
        say(
            f"From here on {now['train']} pictures are trained on and "
            f"{now['validate']} validated on; up to now {before['train']} and "
            f"{before['validate']}."
        )
    return taken


def make_loop(trainee, loader, files, epochs, team=None):
    """Makes the loop that trains a predictor.

    Args:
        trainee: `score_predictors.trainee.Trainee`, restored to where the run begins.
        loader: A `dataloaders.scored.ScoredLoader`, prepared.
        files: `score_predictors.run_files.RunFiles`.
        epochs: In all, those of earlier starts included.
        team: `training.replicas.Team`; None for one device.

    Returns:
        training.loop.Loop.
    """
    loader.fills_batches = team is not None and team.replicas > 1
    steps, first = loader.steps_per_epoch, trainee.history.present["first_step"]
    epoch = trainee.epoch
    # Trained to its end, or with pictures that are gone beyond it: the next batch is
    # the next epoch's first.
    if trainee.step - first >= steps:
        epoch, first = epoch + 1, trainee.step
    loader.begin(epoch, first)
    trainee.history.pictures = loader.count()
    end = first + (epochs - epoch) * steps
    # Known only now: it depends on how many pictures the epochs so far had.
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
    """What `training.loop.Loop` calls; see `training.by_steps.BySteps`."""

    def __init__(self, loop, files, epochs):
        """Takes the loop.

        Args:
            loop: `training.loop.Loop`.
            files: `score_predictors.run_files.RunFiles`.
            epochs: In all.
        """
        self.loop, self.trainee, self.loader = loop, loop.model, loop.loader
        self.history, self.files, self.epochs = self.trainee.history, files, epochs
        self.writer = Writer(files.logs, self.trainee.epoch)
        self.is_best = False
        self.began = self.saved_at = self.told = 0.0

    def begin(self):
        """Validates first where an earlier start was stopped before it."""
        self.began = self.saved_at = self.told = time.monotonic()
        if self.trainee.step >= self._end():
            self._finish_epoch()

    def _end(self):
        """Steps done when the present epoch is."""
        return self.history.present["first_step"] + self.loader.steps_per_epoch

    def is_look_due(self, done):
        """See `BySteps.is_look_due`; a GPU is still at work on an epoch's last."""
        return done % CHECK_STEPS == 0 or done == self._end()

    def after_step(self, done, batch, values):
        """See `BySteps.after_step`."""
        pace = self.loop.pace
        self.history.add(seconds=pace.last, waited=pace.last_waited, images=batch.count)
        if done == self._end():
            if not self.loop.is_to_stop:  # Else it comes first when the run goes on.
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

    def is_complete(self):
        """See `BySteps.is_complete`."""
        return self.trainee.epoch >= self.epochs

    def close(self):
        """See `BySteps.close`."""
        self.writer.close()

    def validate(self, is_to_stop=lambda: False):
        """Measures the validation part.

        Args:
            is_to_stop: Asked after each batch; says whether to leave off.

        Returns:
            dict: `validation_loss`, `validation_srcc` and `validation_lcc` of the
            mean score; None if it left off.

        Raises:
            NotFiniteError: A predicted score is not.
        """
        hint = (
            f"What is in {self.files.state}, if anything, is from before; lower "
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
        """Validates, takes note of the epoch, tells it and saves."""
        took, team = self.history.present, self.loop.team
        values = {"epoch": self.trainee.epoch + 1}
        values["loss"] = float(self.trainee.loss_sum / self.trainee.loss_count)
        values["images_per_second"] = took["images"] / took["seconds"]
        values["waiting_share"] = took["waited"] / took["seconds"]
        losses = [epoch.get("validation_loss") for epoch in self.history.epochs]
        if team.is_chief:
            # Others wait for it in their next step, so it cannot leave off alone.
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
        # What is written belongs together, so the best is not written alone.
        if self.is_best or is_due or not list_checkpoints(self.files.state):
            self.saved_at = time.monotonic()
            self.loop.save()

    def _tell(self, values):
        """Says what an epoch came to, also to TensorBoard."""
        left = self.epochs - values["epoch"]
        now = time.monotonic()
        left, self.began = to_clock((now - self.began) * left), now
        known = {n: v for n, v in values.items() if not math.isnan(v)}
        numbers = "  ".join(
            f"{name.replace('_', ' ')} "
            + (f"{known[name]:.4f}" if name in known else "-")
            for name in COLUMNS[1:5]
        )
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

    def save(self, checkpoint_writer):
        """Writes all of a run's files."""
        is_first = not list_checkpoints(self.files.state)
        try:
            if self.is_best:
                self._save_weights(self.files.best)
            self._save_weights(self.files.weights)
            table = io.StringIO()
            writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.history.epochs)
            with written_whole(self.files.table) as aside:
                aside.write_text(table.getvalue())
            # Last, so that a state never says more than the files beside it hold.
            checkpoint_writer.save(self.trainee.step)
        except OSError:
            if is_first:  # Weights without a state would bar the way to a new start.
                for path in (self.files.weights, self.files.best, self.files.table):
                    path.unlink(missing_ok=True)
            raise
        self.is_best, self.saved_at = False, time.monotonic()

    def _save_weights(self, path):
        attributes = self.trainee.predictor.attributes() | {
            "first_score": self.loader.first_score,
            "dataloader": self.loader.name,
        }
        weight_files.save(path, self.trainee.network, attributes)
