"""Trains a predictor: steps, epochs, validation, and everything that a run writes.

A run is a file of weights and what stands beside it under the same name, so several
runs share a folder:

    ava.h5              weights after the last step
    ava.best.h5         those of the epoch with the least validation loss
    ava.state/          weights, optimizer and position, to go on from
    ava.csv             a line for each epoch
    ava.arguments.json  the flags of the last start
    ava/                TensorBoard's files
"""

import csv
import functools
import io
import itertools
import json
import math
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from console.errors import InputError
from console.files import written_whole
from console.progress import Progress, say, to_clock
from metrics.scores import lcc, mean_score, srcc
from score_predictors import weight_files
from score_predictors.base import to_input
from score_predictors.losses import emd_loss
from training import checkpoints, run_folder
from training.ahead import Ahead
from training.optimizer import GuardedAdam, Schedule
from training.options import StepOptions
from training.state import State
from training.stopping import StopRequest
from training.summaries import Writer

# Seconds between two saves within an epoch, which may take hours.
SAVE_SECONDS = 600.0
SAVES_KEPT = 2
# Steps between two looks at whether all is finite, for which the host has to wait.
CHECK_STEPS = 50
COLUMNS = (
    *("epoch", "loss", "validation_loss", "validation_srcc", "validation_lcc"),
    *("images_per_second", "waiting_share"),
)


class RunFiles:
    """Where a run writes, by the name of its weights."""

    def __init__(self, train_path, weight_filename):
        """Takes the folder and the name.

        Raises:
            InputError: The name is none that Keras reads weights from.
        """
        weight_files.check_name(weight_filename, "--weight_filename")
        if Path(weight_filename).name != weight_filename:
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name without a "
                "folder; --train_path names the folder."
            )
        self.folder = Path(train_path)
        self.weights = self.folder / weight_filename
        stem = weight_filename.removesuffix(weight_files.ENDING)
        self.best = self.folder / f"{stem}.best{weight_files.ENDING}"
        self.state = self.folder / f"{stem}.state"
        self.table = self.folder / f"{stem}.csv"
        self.arguments = self.folder / f"{stem}.arguments.json"
        self.logs = self.folder / stem

    def set_aside(self):
        """Renames all of a run, so that a new one can begin; nothing is deleted.

        Returns:
            Path: What the weights are called now; None if there was no run.
        """
        names = (self.weights, self.best, self.state, self.table, self.arguments)
        there = [path for path in (*names, self.logs) if path.exists()]
        stem = self.weights.stem
        for number in itertools.count(1):
            targets = [
                path.with_name(path.name.replace(stem, f"{stem}.old{number}", 1))
                for path in there
            ]
            if not any(target.exists() for target in targets):
                break
        for path, target in zip(there, targets, strict=True):
            path.rename(target)
        return targets[0] if there else None


class History(tf.train.experimental.PythonState):
    """What each finished epoch came to, kept in the state of a run.

    Attributes:
        epochs: list of dict, a value for each of `COLUMNS`.
    """

    def __init__(self):
        """No epoch is finished yet."""
        super().__init__()
        self.epochs = []

    def serialize(self):
        """Writes the epochs."""
        return json.dumps(self.epochs)

    def deserialize(self, text):
        """Reads them."""
        self.epochs = json.loads(text)


class Trainer:
    """One run.

    Attributes:
        step: Training steps done, an int.
    """

    def __init__(self, predictor, loader, files, learning_rate, seed=0):
        """Makes the optimizer; nothing is read or written yet.

        Args:
            predictor: A `score_predictors.base.Predictor`.
            loader: A `dataloaders.scored.ScoredLoader`, prepared.
            files: `RunFiles`.
            learning_rate: Adam's, the same at each step.
            seed: Of the dropout.
        """
        self.predictor, self.loader, self.files = predictor, loader, files
        self.seed = seed
        arguments = {"model": predictor.name, "architecture": predictor.architecture()}
        self.state = State(arguments, StepOptions())
        self.history = History()
        self.loss_sum = tf.Variable(0.0, trainable=False, name="loss_sum")
        self.loss_count = tf.Variable(0.0, trainable=False, name="loss_count")
        self.optimizer = GuardedAdam(Schedule(learning_rate, decay=1.0), self.state)
        self.optimizer.build(predictor.trained_weights)
        self.writer, self.saved = Writer(files.logs), None
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

        Returns:
            str: The checkpoint that was taken; None if there is none.
        """
        return run_folder.restore_newest(self, self.files.state)

    def run(self, epochs):
        """Trains until so many epochs are done or a signal asks to stop.

        Args:
            epochs: In all, those of earlier starts included.

        Returns:
            None, or the exit status that the signal asks for.

        Raises:
            InputError: A picture cannot be read, or the loss is not finite. What was
                trained before is saved.
        """
        keeper = checkpoints.Keeper(self.roots(), self.files.state, SAVES_KEPT)
        end = epochs * self.loader.steps_per_epoch
        threads = self.loader.settings.threads
        with (
            StopRequest() as stop,
            Ahead(self.loader.batch, self.step, end, threads, 2 * threads) as batches,
        ):
            try:
                while self.epoch < epochs and stop.signal is None:
                    self._run_epoch(batches, epochs, stop, keeper)
            finally:
                if int(self.state.first_bad_step.numpy()) < 0:
                    self._save(keeper)
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

    def _run_epoch(self, batches, epochs, stop, keeper):
        """Trains what is left of an epoch, validates and writes."""
        steps = self.loader.steps_per_epoch
        left = (self.epoch + 1) * steps - self.step
        start = saved = time.monotonic()
        waited, images = batches.waited, 0
        with Progress(left, f"Epoch {self.epoch + 1}/{epochs}", "step") as progress:
            for _ in range(left):
                batch = batches.get()
                self.train(batch)
                images += len(batch.patches)
                progress.advance()
                if stop.signal is not None:
                    break
                if progress.done % CHECK_STEPS == 0:
                    self._check_finite()
                if time.monotonic() - saved > SAVE_SECONDS:
                    self._save(keeper)
                    saved = time.monotonic()
        self._check_finite()
        if stop.signal is not None and progress.done < left:
            return
        seconds = time.monotonic() - start
        values = {"epoch": self.epoch + 1}
        values["loss"] = float(self.loss_sum / self.loss_count)
        values["images_per_second"] = images / seconds
        values["waiting_share"] = (batches.waited - waited) / seconds
        measured = self.validate(lambda: stop.signal is not None)
        if measured is not None:  # Else it comes first when the run goes on.
            seconds = time.monotonic() - start
            left = to_clock(seconds * (epochs - self.epoch - 1))
            self._finish_epoch(values | measured, epochs, left)
            self._save(keeper)

    def _finish_epoch(self, values, epochs, left):
        best = min(
            (epoch["validation_loss"] for epoch in self.history.epochs),
            default=math.inf,
        )
        self.history.epochs.append(values)
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
        self._write_table()
        self._summarise(values)
        if values["validation_loss"] < best:
            self._save_weights(self.files.best)

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
            return loss, tape.gradient(scaled, variables)

        loss, _, _ = self.optimizer.minimize_guarded(
            differentiate, predictor.trained_weights
        )
        count = tf.cast(tf.shape(patches)[0], tf.float32)
        self.loss_sum.assign_add(loss * count)
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
        """
        predicted, target = predict_part(self.loader, self._predict, is_to_stop)
        if predicted is None:
            return None
        means = [mean_score(distribution) for distribution in (predicted, target)]
        return {
            "validation_loss": float(emd_loss(predicted, target)),
            "validation_srcc": srcc(*means),
            "validation_lcc": lcc(*means),
        }

    def _check_finite(self):
        """Stops a run whose loss or gradient is not finite.

        Raises:
            InputError: With the step. Nothing was saved since.
        """
        step = int(self.state.first_bad_step.numpy())
        if step >= 0:
            raise InputError(
                f"the loss or a gradient of step {step + 1} is not finite. The state "
                f"in {self.files.state} is from before; lower --learning_rate."
            )

    def _save(self, keeper):
        self._check_finite()
        if self.saved != self.step:
            self._save_weights(self.files.weights)
            # Last, so that a state never says more than the files beside it hold.
            keeper.save(self.step)
            self.saved = self.step

    def _save_weights(self, path):
        attributes = self.predictor.attributes() | {
            "first_score": self.loader.first_score,
            "dataloader": self.loader.name,
        }
        weight_files.save(path, self.predictor.network, attributes)

    def _write_table(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history.epochs)
        with written_whole(self.files.table) as aside:
            aside.write_text(text.getvalue())

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


def make_predict(network):
    """Makes a function from uint8 patches to the network's scores.

    Args:
        network: As of `score_predictors.base.Predictor`, or a frozen one.

    Returns:
        A function from uint8 (N, P, P, 3), RGB, to float32 (N, 10).
    """
    return tf.function(
        lambda patches: network(to_input(patches))[0],
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
    )


def predict_part(loader, predict, is_to_stop=lambda: False):
    """Predicts the scores of the whole validation part.

    Args:
        loader: A `dataloaders.scored.ScoredLoader`, prepared.
        predict: As of `make_predict`.
        is_to_stop: Asked after each batch; says whether to leave off.

    Returns:
        predicted: float32 (N, 10); None if it left off.
        target: float32 (N, 10); likewise.
    """
    count, threads = loader.validation_batches, loader.settings.threads
    predicted, target = [], []
    with (
        Ahead(loader.validation_batch, 0, count, threads, 2 * threads) as batches,
        Progress(count, "Validating", "batch") as progress,
    ):
        for _ in range(count):
            batch = batches.get()
            predicted.append(np.asarray(predict(batch.patches)))
            target.append(batch.distributions)
            progress.advance()
            if is_to_stop():
                return None, None
    return np.concatenate(predicted), np.concatenate(target)
