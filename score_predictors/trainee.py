"""A predictor in training, with the interface that `training.loop.Loop` expects."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from frozen.predictor import to_input
from metrics.scores import emd
from score_predictors.base import Predictor
from score_predictors.predicting import make_predict
from training import checkpoints
from training.options import StepOptions
from training.replicas import count_replicas, update_each
from training.schedule import Schedule
from training.state import make_counter
from training.trainable import TrainableBase

# From a value of the flag to a kind of `training.schedule.Schedule`.
SCHEDULES = {"constant": "step", "cosine": "cosine"}


class History(tf.train.experimental.PythonState):
    """The results of the epochs, kept in the state of a run.

    Attributes:
        epochs: For each finished epoch, a value for each column of the table.
        present: For the present epoch, `first_step`, the steps before it, and so far
            `seconds`, `waited` (seconds of waiting) and `images`.
        pictures: Number of pictures in each part of the data set.
    """

    def __init__(self) -> None:
        """Starts before the first epoch."""
        super().__init__()
        self.epochs: list[dict[str, Any]] = []
        self.pictures: dict[str, int] = {}
        self.begin(0)

    def begin(self, first_step: int) -> None:
        """Begins an epoch after `first_step` steps."""
        self.present: dict[str, Any] = {"first_step": first_step}
        self.present |= {"seconds": 0.0, "waited": 0.0, "images": 0}

    def add(self, **taken: float) -> None:
        """Adds to the values of the present epoch."""
        for name, value in taken.items():
            self.present[name] += value

    def serialize(self) -> str:
        """Writes all attributes as JSON."""
        return json.dumps([self.epochs, self.present, self.pictures])

    def deserialize(self, text: str) -> None:
        """Reads all attributes from JSON."""
        self.epochs, self.present, self.pictures = json.loads(text)


class Trainee(TrainableBase):
    """A predictor in training.

    Attributes:
        network: The network to measure and write: the predictor's, or its average.
    """

    main = "predictor"
    step_signature = [
        tf.TensorSpec((None, None, None, 3), tf.uint8),
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    ]

    def __init__(
        self,
        predictor: Predictor,
        learning_rate: float,
        schedule: str = "constant",
        seed: int = 0,
        options: StepOptions | None = None,
    ) -> None:
        """Makes Adam with one of `SCHEDULES`; `seed` is that of the dropout."""
        self.name = predictor.name
        super().__init__(predictor.architecture(), options)
        self.predictor, self.seed = predictor, seed
        self.networks[self.main] = predictor.network
        warmup_steps = self.options.learning_rate_warmup_steps
        rate = Schedule(
            learning_rate, 1.0, kind=SCHEDULES[schedule], warmup_steps=warmup_steps
        )
        self.optimizer = self.make_adam(rate, predictor.trained_weights)
        self.optimizers[self.main] = self.optimizer
        self.keep_average(lambda: predictor.copy().network)
        self.network = predictor.network if self.average is None else self.average
        self.history = History()
        self.loss_sum, self.loss_count = (
            make_counter(0.0, name, tf.float32) for name in ("loss_sum", "loss_count")
        )
        self.predict = make_predict(functools.partial(self.network, training=False))

    @property
    def epoch(self) -> int:
        """Epochs done, including their validation."""
        return len(self.history.epochs)

    def begin_epoch(self) -> None:
        """Resets the counts after the present step."""
        self.history.begin(self.step)
        for variable in (self.loss_sum, self.loss_count):
            variable.assign(0.0)

    def train_step(
        self,
        patches: tf.Tensor,
        distributions: tf.Tensor,
        weights: tf.Tensor,
        scale: None = None,
    ) -> dict[str, tf.Tensor]:
        """See `models.base.Model.train_step` and `dataloaders.scored_rows.Batch`."""
        arrays = to_input(patches), distributions, weights
        differentiate = functools.partial(self._differentiate, *arrays)
        trained = {self.main: self.predictor.trained_weights}
        return self.apply_step(differentiate, trained)

    def _differentiate(self, pictures, distributions, weights, loss_scale):
        """See `TrainableBase.apply_step`; the third result is the averages."""
        predictor, averages = self.predictor, self.predictor.moving_averages
        # The averages are updated after the step, equally on all devices.
        with keras.StatelessScope() as scope, tf.GradientTape() as tape:
            is_frozen = predictor.trains_head_only
            # A frozen backbone uses the averages of batch normalisation, as inference.
            features = predictor.backbone(pictures, training=not is_frozen)
            if is_frozen:
                features = tf.stop_gradient(features)
            distances = emd(predictor.head(self._drop(features)), distributions)
            loss = tf.reduce_sum(distances * weights)
            scaled = loss * loss_scale
        variables = [variable.value for variable in predictor.trained_weights]
        count = tf.reduce_sum(tf.cast(weights > 0, tf.float32))
        moved = []
        for average in averages:
            value = scope.get_current_value(average)
            # A variable that no layer updates, such as a fixed mean, stays.
            value = average.value if value is None else value
            moved.append(value / count_replicas())
        values = {"loss": loss, "images": count}
        return values, [tape.gradient(scaled, variables)], moved

    def _drop(self, features):
        """Dropout of a row that depends only on seed and step, not on its device.

        XLA (--jit_compile) draws other numbers from the same seed.
        """
        if not self.predictor.dropout:
            return features
        seed = tf.stack([tf.cast(self.seed, tf.int64), self.state.step])
        context = tf.distribute.get_replica_context()
        count, width = tf.shape(features)[0], features.shape[1]
        kept = tf.nn.experimental.stateless_dropout(
            tf.ones((count * count_replicas(), width)), self.predictor.dropout, seed
        )
        first = context.replica_id_in_sync_group * count
        return features * kept[first : first + count]

    def finish_step(
        self,
        values: dict[str, tf.Tensor],
        is_finite: tf.Tensor,
        moved: Sequence[tf.Tensor],
    ) -> None:
        """See `TrainableBase.finish_step`."""
        update_each(
            lambda average, value, is_finite: average.assign(
                tf.where(is_finite, value, average)
            ),
            [average.value for average in self.predictor.moving_averages],
            moved,
            is_finite,
        )
        count = tf.where(is_finite, values["images"], 0.0)
        self.loss_count.assign_add(count)
        self.loss_sum.assign_add(tf.where(is_finite, values["loss"] * count, 0.0))

    def to_tree(self, network: keras.Model) -> tf.train.Checkpoint:
        """See `TrainableBase.to_tree`; weights are grouped by their layers' names."""
        layers = {
            layer.name: checkpoints.to_tree(layer.weights)
            for layer in network.layers
            if layer.weights
        }
        return tf.train.Checkpoint(**layers)

    def checkpoint_items(self) -> dict[str, Any]:
        """See `TrainableBase.checkpoint_items`."""
        progress = tf.train.Checkpoint(
            history=self.history, loss_sum=self.loss_sum, loss_count=self.loss_count
        )
        return super().checkpoint_items() | {"progress": progress}

    def restore(self, prefix: Path | str, resume: bool = True) -> None:
        """Reads a complete saved state, for `training.run_folder`."""
        items = self.checkpoint_items()
        if "ema" not in checkpoints.list_items(prefix):
            items.pop("ema", None)
        checkpoints.restore(prefix, items)
        self._restart_average(prefix, resume)
