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
from console.files import check_target, written_whole
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
# What is written beside `ava.h5` ends so, with or without a further ending.
TAKEN_ENDINGS = (".best", ".state", ".csv", ".json")
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
            InputError: The name is none that Keras reads weights from, or what belongs
                to another run is called so.
        """
        weight_files.check_name(weight_filename, "--weight_filename")
        if Path(weight_filename).name != weight_filename:
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name without a "
                "folder; --train_path names the folder."
            )
        self.stem = weight_filename.removesuffix(weight_files.ENDING)
        if not self.stem.strip(".") or self.stem.endswith(TAKEN_ENDINGS):
            raise InputError(
                f"--weight_filename={weight_filename}: expected a name such as ava.h5, "
                f"and none that has {', '.join(TAKEN_ENDINGS)} before the "
                f"{weight_files.ENDING}: so a run calls what belongs to it."
            )
        self.folder = Path(train_path)
        self.weights = self.folder / weight_filename
        self.best = self.folder / f"{self.stem}.best{weight_files.ENDING}"
        self.state = self.folder / f"{self.stem}.state"
        self.table = self.folder / f"{self.stem}.csv"
        self.arguments = self.folder / f"{self.stem}.arguments.json"
        self.logs = self.folder / self.stem

    @property
    def all(self):
        """All paths, those of folders last."""
        files = (self.weights, self.best, self.table, self.arguments)
        return (*files, self.state, self.logs)

    def check(self):
        """Refuses what could not be written, before anything long is begun.

        Raises:
            InputError: A path is taken by something else, or cannot be written to.
        """
        check_target(self.folder, "--train_path", is_folder=True)
        for path in self.all:
            is_folder = path in (self.state, self.logs)
            check_target(path, "--weight_filename", is_folder)

    def check_new(self):
        """Refuses to begin a run where weights are that it would replace.

        Raises:
            InputError: There are such weights, but no state to go on from.
        """
        there = [path for path in (self.weights, self.best) if path.exists()]
        if there:
            raise InputError(
                f"{there[0]} is there, but no {self.state.name} to go on from, and a "
                "new run would replace it. Give another --weight_filename (and "
                f"--restore_path={there[0]} to start from it), or --restart, which "
                "keeps it aside."
            )

    def set_aside(self):
        """Renames all of a run, so that a new one can begin; nothing is deleted.

        Returns:
            Path: What the weights are called now; None if there was no run.
        """
        if not any(path.exists() for path in self.all):
            return None
        names = (f"{self.stem}.old{n}{weight_files.ENDING}" for n in itertools.count(1))
        several = (RunFiles(self.folder, name) for name in names)
        aside = next(o for o in several if not any(path.exists() for path in o.all))
        for path, target in zip(self.all, aside.all, strict=True):
            if path.exists():
                path.rename(target)
        return aside.weights


class History(tf.train.experimental.PythonState):
    """What the epochs came to, kept in the state of a run.

    Attributes:
        epochs: list of dict, a value for each of `COLUMNS`, of those that are finished.
        present: dict, of the one that is not: `first_step`, the steps before it, and
            what its training took so far, `seconds`, `waited` (seconds of them) and
            `images`.
        pictures: dict, how many each part of the data set has.
    """

    def __init__(self):
        """No epoch is begun yet."""
        super().__init__()
        self.epochs, self.pictures = [], {}
        self.begin(0)

    def begin(self, first_step):
        """Begins an epoch after so many steps."""
        self.present = {"first_step": first_step}
        self.present |= {"seconds": 0.0, "waited": 0.0, "images": 0}

    def add(self, **taken):
        """Adds to what the present epoch took."""
        for name, value in taken.items():
            self.present[name] += value

    def serialize(self):
        """Writes all of it."""
        return json.dumps([self.epochs, self.present, self.pictures])

    def deserialize(self, text):
        """Reads it."""
        self.epochs, self.present, self.pictures = json.loads(text)


class NotFiniteError(InputError):
    """Weights have gone astray, and are not worth saving."""


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
        self.writer, self.saved = Writer(files.logs), self._position()
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
        return checkpoints.Keeper(self.roots(), self.files.state, SAVES_KEPT)

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
        return first + (epochs - epoch) * steps

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
            self._finish_epoch(values | measured, epochs, left)
            self._save()

    def _train_epoch(self, batches, epochs, stop):
        """Trains what is left of an epoch; returns whether that is all of it."""
        end = self.history.present["first_step"] + self.loader.steps_per_epoch
        left, saved = max(0, end - self.step), time.monotonic()
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
                if time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
        self._check_finite()
        return stop.signal is None or progress.done == left

    def _finish_epoch(self, values, epochs, left):
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
                f"the loss or a gradient of step {step + 1} is not finite. The state "
                f"in {self.files.state} is from before; lower --learning_rate."
            )

    def _save(self):
        """Writes weights and state, unless nothing was done since the last time."""
        self._check_finite()
        if self.saved == self._position():
            return
        is_first = not checkpoints.list_checkpoints(self.files.state)
        try:
            self._save_weights(self.files.weights)
            # Last, so that a state never says more than the files beside it hold.
            self.keeper.save(self.step)
        except OSError:
            if is_first:  # Weights without a state would bar the way to a new start.
                self.files.weights.unlink(missing_ok=True)
                self.files.best.unlink(missing_ok=True)
            raise
        self.saved = self._position()

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


def predict_part(loader, predict, hint, is_to_stop=lambda: False):
    """Predicts the scores of the whole validation part.

    Args:
        loader: A `dataloaders.scored.ScoredLoader`, prepared.
        predict: As of `make_predict`.
        hint: What a message about scores that are not finite advises.
        is_to_stop: Asked after each batch; says whether to leave off.

    Returns:
        predicted: float32 (N, 10); None if it left off.
        target: float32 (N, 10); likewise.

    Raises:
        InputError: A picture cannot be read.
        NotFiniteError: A predicted score is not finite.
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
    predicted, target = np.concatenate(predicted), np.concatenate(target)
    bad = ~np.isfinite(predicted).all(axis=1)
    if bad.any():
        name = loader.parts["validate"][int(np.argmax(bad))].name
        raise NotFiniteError(
            f"the predicted scores of {bad.sum()} of {len(bad)} pictures, for example "
            f"{name}, are not finite. {hint}"
        )
    return predicted, target
