"""Trains a predictor: steps, epochs, validation, and what a run writes meanwhile."""

import functools
import math
import time

import tensorflow as tf

from console.files import written_whole
from console.progress import Progress, say, to_clock
from frozen.predictor import to_input
from metrics.scores import lcc, mean_score, srcc
from score_predictors import weight_files
from score_predictors.history import COLUMNS, History
from score_predictors.losses import emd_loss
from score_predictors.predicting import NotFiniteError, make_predict, predict_part
from training import checkpoints, run_folder
from training.ahead import Ahead
from training.keeper import Keeper
from training.optimizer import GuardedAdam, take_step
from training.options import StepOptions
from training.schedule import Schedule
from training.state import State
from training.stopping import StopRequest
from training.summaries import Writer

# Seconds at least between two saves: within an epoch, which may take hours, and after
# one, which may take less than its save.
SAVE_SECONDS, EPOCH_SAVE_SECONDS = 600.0, 10.0
SAVES_KEPT = 2
# From what a user says to a kind of `training.schedule.Schedule`.
SCHEDULES = {"constant": "step", "cosine": "cosine"}
# Steps between two looks at whether all is finite, for which the host has to wait.
CHECK_STEPS = 50


class Trainer:
    """One run.

    Attributes:
        step: Training steps done, an int.
    """

    def __init__(
        self, predictor, loader, files, learning_rate, seed=0, schedule="constant"
    ):
        """Makes the optimizer; nothing is read or written yet.

        Args:
            predictor: A `score_predictors.base.Predictor`.
            loader: A `dataloaders.scored.ScoredLoader`, prepared.
            files: `score_predictors.run_files.RunFiles`.
            learning_rate: Adam's, at the first step.
            seed: Of the dropout.
            schedule: `constant`, or `cosine`, which falls to zero at the last step.
        """
        self.predictor, self.loader, self.files = predictor, loader, files
        self.seed = seed
        arguments = {"model": predictor.name, "architecture": predictor.architecture()}
        self.state = State(arguments, StepOptions())
        self.history = History()
        self.loss_sum = tf.Variable(0.0, trainable=False, name="loss_sum")
        self.loss_count = tf.Variable(0.0, trainable=False, name="loss_count")
        self.optimizer = GuardedAdam(
            Schedule(learning_rate, decay=1.0, kind=SCHEDULES[schedule]), self.state
        )
        self.optimizer.build(predictor.trained_weights)
        self.writer = Writer(files.logs)
        self.saved, self.has_state = self._position(), False
        # Or when the training began, before the first time.
        self.saved_at = time.monotonic()
        self._train = tf.function(
            self._train_step,
            autograph=False,
            input_signature=[
                tf.TensorSpec((None, None, None, 3), tf.uint8),
                tf.TensorSpec((None, None), tf.float32),
            ],
        )
        self._predict = make_predict(
            functools.partial(predictor.network, training=False)
        )

    @property
    def step(self):
        """Training steps done."""
        return int(self.state.step.numpy())

    def roots(self):
        """From the name of each root of the state to what is stored in it."""
        return {
            "predictor": tf.train.Checkpoint(
                **{
                    layer.name: checkpoints.to_tree(layer.weights)
                    for layer in self.predictor.network.layers
                    if layer.weights
                }
            ),
            "predictor_optimizer": checkpoints.to_tree(self.optimizer.variables),
            "state": self.state.tree(),
            "progress": tf.train.Checkpoint(
                history=self.history,
                loss_sum=self.loss_sum,
                loss_count=self.loss_count,
            ),
        }

    def restore(self, prefix, resume=True):
        """Reads all of a saved state; what `training.run_folder` asks for."""
        checkpoints.restore(prefix, self.roots())

    def resume(self):
        """Goes on with the newest state that is whole.

        Says so where the data set has more or fewer pictures than it had.

        Returns:
            str: The checkpoint that was taken; None if there is none.
        """
        taken = run_folder.restore_newest(
            self,
            self.files.state,
            f"--weight_filename={self.files.weights.name}",
            "Give another --weight_filename.",
        )
        self.saved = self._position()
        if taken is not None:
            self.has_state, self.saved_at = True, time.monotonic()
            self.writer.step = self.epoch
            say(f"Going on with {taken}.")
        before, now = self.history.pictures, self.loader.count()
        if taken is not None and before != now:
            say(
                f"From here on {now['train']} pictures are trained on and "
                f"{now['validate']} validated on; up to now {before['train']} and "
                f"{before['validate']}."
            )
        return taken

    @functools.cached_property
    def keeper(self):
        """What writes the state; made when there is something to write."""
        return Keeper(self.roots(), self.files.state, SAVES_KEPT)

    def run(self, epochs):
        """Trains until so many epochs are done or a signal asks to stop.

        Args:
            epochs: In all, those of earlier starts included.

        Returns:
            None, or the exit status that the signal asks for.

        Raises:
            InputError: A picture cannot be read; what was trained before is saved.
            NotFiniteError: The loss or a predicted score is not finite; nothing is.
        """
        end = self._begin(epochs)
        threads, is_fine = self.loader.settings.threads, True
        with (
            StopRequest() as stop,
            Ahead(self.loader.batch, self.step, end, threads, 2 * threads) as batches,
        ):
            try:
                while self.epoch < epochs and stop.signal is None:
                    self._run_epoch(batches, epochs, stop)
            except NotFiniteError:
                is_fine = False
                raise
            finally:
                if is_fine and int(self.state.first_bad_step.numpy()) < 0:
                    self._save()
        self.writer.close()
        if self.epoch < epochs:
            say(
                f"Stopped by {stop.signal.name} after step {self.step} of {end}; the "
                "same command goes on from there."
            )
            return 128 + stop.signal
        return None

    @property
    def epoch(self):
        """Epochs done, their validation included."""
        return len(self.history.epochs)

    def _position(self):
        """How far the run is: steps and epochs done."""
        return self.step, self.epoch

    def _begin(self, epochs):
        """Tells the loader where the present epoch began; one past the last step."""
        steps, first = self.loader.steps_per_epoch, self.history.present["first_step"]
        epoch = self.epoch
        # Trained to its end, or with pictures that are gone beyond it: the next batch
        # is the next epoch's first.
        if self.step - first >= steps:
            epoch, first = epoch + 1, self.step
        self.loader.begin(epoch, first)
        self.history.pictures = self.loader.count()
        end = first + (epochs - epoch) * steps
        # Known only now: it depends on how many pictures the epochs so far had.
        self.optimizer.end_at(end)
        return end

    def _run_epoch(self, batches, epochs, stop):
        """Trains what is left of an epoch, validates and writes."""
        start = time.monotonic()
        if not self._train_epoch(batches, epochs, stop):
            return
        took = self.history.present
        values = {"epoch": self.epoch + 1}
        values["loss"] = float(self.loss_sum / self.loss_count)
        values["images_per_second"] = took["images"] / took["seconds"]
        values["waiting_share"] = took["waited"] / took["seconds"]
        measured = self.validate(lambda: stop.signal is not None)
        if measured is not None:  # Else it comes first when the run goes on.
            seconds = time.monotonic() - start
            left = to_clock(seconds * (epochs - self.epoch - 1))
            is_best = self._finish_epoch(values | measured, epochs, left)
            # What is written belongs together, so the best is not written alone.
            if is_best or not self.has_state:
                self._save(is_best)
            else:
                self._save_if_due(EPOCH_SAVE_SECONDS)

    def _train_epoch(self, batches, epochs, stop):
        """Trains what is left of an epoch; returns whether that is all of it."""
        end = self.history.present["first_step"] + self.loader.steps_per_epoch
        left = max(0, end - self.step)
        with Progress(left, f"Epoch {self.epoch + 1}/{epochs}", "step") as progress:
            for _ in range(left):
                start, waited = time.monotonic(), batches.waited
                batch = batches.get()
                self.train(batch)
                progress.advance()
                # A GPU is still at work, so the last step waits for it.
                if progress.done % CHECK_STEPS == 0 or progress.done == left:
                    self._check_finite()
                self.history.add(
                    seconds=time.monotonic() - start,
                    waited=batches.waited - waited,
                    images=len(batch.patches),
                )
                if stop.signal is not None:
                    break
                self._save_if_due(SAVE_SECONDS)
        self._check_finite()
        return stop.signal is None or progress.done == left

    def _finish_epoch(self, values, epochs, left):
        """Takes note of an epoch and tells it; returns whether it is the best."""
        best = min(
            (epoch["validation_loss"] for epoch in self.history.epochs),
            default=math.inf,
        )
        self.history.epochs.append(values)
        self.history.begin(self.step)
        for variable in (self.loss_sum, self.loss_count):
            variable.assign(0.0)
        numbers = "  ".join(
            f"{name.replace('_', ' ')} {_to_text(values[name])}"
            for name in COLUMNS[1:5]
        )
        say(
            f"epoch {values['epoch']}/{epochs}  {numbers}  "
            f"{values['images_per_second']:.1f} images/s  "
            f"{values['waiting_share']:.1%} waiting  {left} left"
        )
        self._summarise(values)
        return values["validation_loss"] < best

    def train(self, batch):
        """Takes one step.

        Args:
            batch: `dataloaders.scored.Batch`.
        """
        self._train(batch.patches, batch.distributions)

    def _train_step(self, patches, distributions):
        """One step: batch in, weights moved; nothing comes back to the host."""
        pictures, predictor = to_input(patches), self.predictor
        if predictor.trains_head_only:
            # As it will be used: with the averages of batch normalisation.
            features = predictor.backbone(pictures, training=False)

        def differentiate(loss_scale):
            with tf.GradientTape() as tape:
                x = (
                    features
                    if predictor.trains_head_only
                    else predictor.backbone(pictures, training=True)
                )
                x = self._drop(x)
                loss = emd_loss(predictor.head(x), distributions)
                scaled = loss * loss_scale
            variables = [v.value for v in predictor.trained_weights]
            return {"loss": loss}, [tape.gradient(scaled, variables)]

        parts = [(self.optimizer, predictor.trained_weights)]
        values, _, _ = take_step(self.state, differentiate, parts)
        count = tf.cast(tf.shape(patches)[0], tf.float32)
        self.loss_sum.assign_add(values["loss"] * count)
        self.loss_count.assign_add(count)
        self.state.step.assign_add(1)

    def _drop(self, features):
        """Dropout that depends on seed and step alone, so that a run can go on."""
        if not self.predictor.dropout:
            return features
        seed = tf.stack([tf.cast(self.seed, tf.int64), self.state.step])
        return tf.nn.experimental.stateless_dropout(
            features, self.predictor.dropout, seed
        )

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
        predicted, target = predict_part(self.loader, self._predict, hint, is_to_stop)
        if predicted is None:
            return None
        theirs = [row.mean for row in self.loader.parts["validate"]]
        means = mean_score(predicted, self.loader.first_score), theirs
        return {
            "validation_loss": float(emd_loss(predicted, target)),
            "validation_srcc": srcc(*means),
            "validation_lcc": lcc(*means),
        }

    def _check_finite(self):
        """Stops a run whose loss or gradient is not finite.

        Raises:
            NotFiniteError: With the step. Nothing was saved since.
        """
        step = int(self.state.first_bad_step.numpy())
        if step >= 0:
            raise NotFiniteError(
                f"the loss or a gradient of step {step + 1} is not finite. What is in "
                f"{self.files.state}, if anything, is from before; lower "
                "--learning_rate."
            )

    def _save_if_due(self, seconds):
        """Saves, if the last save is longer ago than that."""
        if time.monotonic() - self.saved_at > seconds:
            self._save()

    def _save(self, is_best=False):
        """Writes all of a run's files, unless nothing was done since the last time.

        Args:
            is_best: Whether the weights are the best so far.
        """
        self._check_finite()
        if self.saved == self._position():
            return
        try:
            if is_best:
                self._save_weights(self.files.best)
            self._save_weights(self.files.weights)
            with written_whole(self.files.table) as aside:
                aside.write_text(self.history.to_table())
            # Last, so that a state never says more than the files beside it hold.
            self.keeper.save(self.step)
        except OSError:
            if (
                not self.has_state
            ):  # Weights without a state would bar the way to a new start.
                for path in (self.files.weights, self.files.best, self.files.table):
                    path.unlink(missing_ok=True)
            raise
        self.saved, self.has_state = self._position(), True
        self.saved_at = time.monotonic()

    def _save_weights(self, path):
        attributes = self.predictor.attributes() | {
            "first_score": self.loader.first_score,
            "dataloader": self.loader.name,
        }
        weight_files.save(path, self.predictor.network, attributes)

    def _summarise(self, values):
        """Writes an epoch to TensorBoard."""
        scalars = {
            name.replace("validation_", "validation/"): values[name]
            for name in COLUMNS[1:]
            if not math.isnan(values[name])
        }
        self.writer.write(values["epoch"], scalars)


def _to_text(value):
    return "-" if math.isnan(value) else f"{value:.4f}"
