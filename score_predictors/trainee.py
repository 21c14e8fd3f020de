"""A predictor in training: what `training.loop.Loop` asks of a model."""

import functools
import json

import keras
import tensorflow as tf

from frozen.predictor import to_input
from metrics.scores import emd
from score_predictors.predicting import make_predict
from training import checkpoints
from training.replicas import count_replicas, update_each
from training.schedule import Schedule
from training.state import make_counter
from training.trained import Trained

# From what a user says to a kind of `training.schedule.Schedule`.
SCHEDULES = {"constant": "step", "cosine": "cosine"}


class History(tf.train.experimental.PythonState):
    """What the epochs came to, kept in the state of a run.

    Attributes:
        epochs: list of dict, a value for each column of the table, of those that are
            finished.
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


class Trainee(Trained):
    """A predictor in training.

    Attributes:
        predictor: The `score_predictors.base.Predictor`.
        network: What is measured and written: the predictor's, or the running average.
        history: `History`.
    """

    main = "predictor"
    step_signature = [
        tf.TensorSpec((None, None, None, 3), tf.uint8),
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    ]

    def __init__(
        self, predictor, learning_rate, schedule="constant", seed=0, options=None
    ):
        """Makes the optimizer; the weights are those that the predictor has.

        Args:
            predictor: A `score_predictors.base.Predictor`.
            learning_rate: Adam's, at the first step.
            schedule: `constant`, or `cosine`, which falls to zero at the last step.
            seed: Of the dropout.
            options: `training.options.StepOptions`; None for the defaults.
        """
        self.name = predictor.name
        super().__init__(predictor.architecture(), options)
        self.predictor, self.seed = predictor, seed
        self.networks[self.main] = predictor.network
        warmup_steps = self.options.learning_rate_warmup_steps
        schedule = Schedule(
            learning_rate, 1.0, kind=SCHEDULES[schedule], warmup_steps=warmup_steps
        )
        self.optimizer = self.make_adam(schedule, predictor.trained_weights)
        self.optimizers[self.main] = self.optimizer
        self.keep_average(lambda: predictor.copy().network)
        self.network = predictor.network if self.average is None else self.average
        self.history = History()
        self.loss_sum, self.loss_count = (
            make_counter(0.0, name, tf.float32) for name in ("loss_sum", "loss_count")
        )
        self.predict = make_predict(functools.partial(self.network, training=False))

    @property
    def epoch(self):
        """Epochs done, their validation included."""
        return len(self.history.epochs)

    def begin_epoch(self):
        """Begins to count anew, after the present step."""
        self.history.begin(self.step)
        for variable in (self.loss_sum, self.loss_count):
            variable.assign(0.0)

    def train_step(self, patches, distributions, weights, scale=None):
        """See `models.base.Model.train_step`.

        Args:
            patches: uint8 (N, P, P, 3), RGB.
            distributions: float32 (N, 10).
            weights: float32 (N,), as of `dataloaders.scored_rows.Batch`.
            scale: None.
        """
        differentiate = functools.partial(
            self._differentiate, to_input(patches), distributions, weights
        )
        return self.apply_step(
            differentiate, {self.main: self.predictor.trained_weights}
        )

    def _differentiate(self, pictures, distributions, weights, loss_scale):
        """See `Trained.apply_step`; the others are moving averages."""
        predictor, averages = self.predictor, self.predictor.moving_averages
        # The averages move after the step, on all devices alike, or not at all.
        with keras.StatelessScope() as scope, tf.GradientTape() as tape:
            is_frozen = predictor.trains_head_only
            # As it will be used, then: with the averages of batch normalisation.
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
            # One that no layer moves, as a mean that is fixed, stays.
            value = average.value if value is None else value
            moved.append(value / count_replicas())
        values = {"loss": loss, "images": count}
        return values, [tape.gradient(scaled, variables)], moved

    def _drop(self, features):
        """Dropout that depends on seed and step alone, so that a run can go on.

        Each row has its own, whichever device computes it.
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

    def finish_step(self, values, is_finite, moved):
        """See `Trained.finish_step`."""
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

    def to_tree(self, network):
        """See `Trained.to_tree`: a layer's weights have its name and no other."""
        layers = {
            layer.name: checkpoints.to_tree(layer.weights)
            for layer in network.layers
            if layer.weights
        }
        return tf.train.Checkpoint(**layers)

    def roots(self):
        """See `Trained.roots`."""
        progress = tf.train.Checkpoint(
            history=self.history, loss_sum=self.loss_sum, loss_count=self.loss_count
        )
        return super().roots() | {"progress": progress}

    def restore(self, prefix, resume=True):
        """Reads all of a saved state; what `training.run_folder` asks for."""
        roots = self.roots()
        if "ema" not in checkpoints.list_roots(prefix):
            roots.pop("ema", None)
        checkpoints.restore(prefix, roots)
        self._restart_average(prefix, resume)
