"""The base of models and predictors in training."""

import random
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from training import checkpoints
from training.optimizer import GuardedAdam
from training.options import OF_A_STEP, StepOptions
from training.replicas import sum_over_replicas, update_each
from training.schedule import Schedule
from training.state import State


class TrainableBase:
    """Networks in training, with most of `training.protocols.Trainable`.

    A subclass adds `train_step` and `step_signature`; see `models.base.Model`. It
    supports all of `training.options.StepOptions`.

    Attributes:
        main: Name, in `networks`, of the network that is averaged; log entries of its
            optimizer have no prefix.
        networks: From the name of an item of checkpoints to a Keras layer.
        optimizers: From a name of `networks` to its optimizer; empty for a model that
            is not trained.
        average: Copy of the main network with the running average of its weights; None
            without an average.
    """

    name: str | None = None
    main: str | None = None
    step_options: tuple[str, ...] = OF_A_STEP
    networks: dict[str, keras.Layer]
    optimizers: dict[str, GuardedAdam]
    average: keras.Layer | None

    def __init__(
        self, architecture: dict[str, Any], options: StepOptions | None = None
    ) -> None:
        """Makes the state; JSON can represent the settings of the networks."""
        self.options = options or StepOptions()
        arguments = {"model": self.name, "architecture": architecture}
        self.state = State(arguments, self.options)
        self.networks, self.optimizers, self.average = {}, {}, None

    @property
    def step(self) -> int:
        """Training steps done."""
        return int(self.state.step.numpy())

    def keep_average(self, make: Callable[[], keras.Layer]) -> None:
        """Starts the running average in a second network, if `options` ask for it."""
        if self.options.ema_decay:
            # The copy must not change the random numbers drawn afterwards.
            drawn = random.getstate()
            self.average = make()
            random.setstate(drawn)
            self._start_average()

    def _start_average(self):
        pairs = zip(self.average.weights, self.networks[self.main].weights, strict=True)
        for average, weight in pairs:
            average.assign(weight)

    def _update_average(self, is_finite):
        """Updates all averages, also of weights that a step did not train.

        So they are averages over all steps; a step that is not finite changes nothing.
        """
        update_each(
            lambda average, weight, rate: average.assign_add(rate * (weight - average)),
            [average.value for average in self.average.weights],
            [weight.value for weight in self.networks[self.main].weights],
            (1.0 - self.options.ema_decay) * tf.cast(is_finite, tf.float32),
        )

    def make_adam(
        self, schedule: Schedule, variables: list[keras.Variable], **kwargs: Any
    ) -> GuardedAdam:
        """Makes an optimizer with the options' clipping; see `GuardedAdam`."""
        clip_norm = self.options.gradient_clip_norm
        optimizer = GuardedAdam(schedule, self.state, clip_norm=clip_norm, **kwargs)
        optimizer.build(variables)
        return optimizer

    def apply_step(
        self, differentiate: Callable, trained: dict[str, list[keras.Variable]]
    ) -> dict[str, tf.Tensor]:
        """Takes a step of all optimizers if all values are finite; else skips it.

        Runs in a replica, within a `tf.function`. A skipped step changes no network.

        Args:
            differentiate: Called with the factor that scales losses before they are
                differentiated; returns this replica's shares of: a dict of float32
                scalars (losses, unscaled, and metrics); for each of `trained`, the
                gradients of its scaled loss (None for a variable without one); and
                optionally other tensors.
            trained: From a name of `optimizers` to the variables to update.

        Returns:
            dict: Values of the whole batch, and for each of `trained` the global norm
            of its gradients before clipping.
        """
        if self.options.jit_compile:
            differentiate = tf.function(
                differentiate, autograph=False, jit_compile=True
            )
        loss_scale = self.state.loss_scale
        is_scaled, factor = loss_scale.is_dynamic, loss_scale.factor
        values, gradients, *others = differentiate(
            factor if is_scaled else tf.constant(1.0)
        )
        # A variable without a gradient, such as of another scale, is not updated.
        moving = [
            [v for v, g in zip(variables, part, strict=True) if g is not None]
            for variables, part in zip(trained.values(), gradients, strict=True)
        ]
        gradients = [[g for g in part if g is not None] for part in gradients]
        values, gradients, *others = sum_over_replicas((values, gradients, *others))
        if is_scaled:
            gradients = [[g / factor for g in part] for part in gradients]
        norms = [tf.linalg.global_norm(part) for part in gradients]
        losses_are_finite = _are_finite(values.values())
        is_finite = losses_are_finite & _are_finite(norms)
        for item, variables, part, norm in zip(
            trained, moving, gradients, norms, strict=True
        ):
            optimizer = self.optimizers[item]
            if optimizer.clip_norm:
                part, _ = tf.clip_by_global_norm(part, optimizer.clip_norm, norm)
            optimizer.apply_if(is_finite, part, variables)
        may_mend = loss_scale.adapt(is_finite, losses_are_finite)
        self.state.record(is_finite | may_mend)
        self.finish_step(values, is_finite, *others)
        if self.average is not None:
            self._update_average(is_finite)
        for item, norm in zip(trained, norms, strict=True):
            values[self._name_in_log(item, "gradient_norm")] = norm
        return values

    def finish_step(
        self, values: dict[str, tf.Tensor], is_finite: tf.Tensor, *others: tf.Tensor
    ) -> None:
        """Hook for further updates in a step, with results of `differentiate`.

        They are those of the whole batch. `others` may be not finite.
        """

    def learning_rates(self) -> dict[str, float]:
        """Returns the current learning rate of each optimizer, by its name."""
        return {
            self._name_in_log(item, "learning_rate"): float(
                each.schedule.at(self.state.step)
            )
            for item, each in self.optimizers.items()
        }

    def to_tree(self, network: keras.Layer) -> tf.train.Checkpoint:
        """Returns the weights of a network as an item of a checkpoint."""
        return checkpoints.to_tree(network.weights)

    def checkpoint_items(self) -> dict[str, Any]:
        """Returns the objects to store in a checkpoint, by the names of its items."""
        items = {item: self.to_tree(each) for item, each in self.networks.items()}
        for item, optimizer in self.optimizers.items():
            items[f"{item}_optimizer"] = checkpoints.to_tree(optimizer.variables)
        if self.average is not None:
            items["ema"] = self.to_tree(self.average)
        return items | {"state": self.state.tree()}

    def _restart_average(self, prefix, resume):
        """Restarts the average, unless a resumed run has restored it."""
        goes_on = resume and "ema" in checkpoints.list_items(prefix)
        if self.average is not None and not goes_on:
            self._start_average()

    def _name_in_log(self, item, name):
        """Returns the name of a network's value in the log."""
        return name if item == self.main else f"{item}/{name}"


def _are_finite(scalars):
    return tf.reduce_all(tf.math.is_finite(tf.stack(list(scalars))))
