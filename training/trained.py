"""The base of models and predictors in training."""

import random

import tensorflow as tf

from training import averages, checkpoints
from training.optimizer import GuardedAdam
from training.options import OF_A_STEP, StepOptions
from training.replicas import sum_over_replicas
from training.state import State


class Trained:
    """Networks in training, and most of what `training.loop.Loop` asks of them.

    A subclass adds `train_step` and `step_signature`; see `models.base.Model`. All that
    `training.options.StepOptions` say, it does.

    Attributes:
        main: The name, of `networks`, of the one that is averaged; what a log says of
            its optimizer has no prefix.
        options: `training.options.StepOptions`.
        state: `training.state.State`.
        networks: From the name of a root of checkpoints to a Keras layer.
        optimizers: From the same to a `training.optimizer.GuardedAdam`; of a model that
            is not trained, none.
        average: Another main network, of the running average of the weights; None if
            none is kept.
    """

    name = None
    main = None
    step_options = OF_A_STEP

    def __init__(self, architecture, options=None):
        """Makes the state.

        Args:
            architecture: What the networks are made from, ready for JSON.
            options: A `StepOptions`; None for the defaults.
        """
        self.options = options or StepOptions()
        arguments = {"model": self.name, "architecture": architecture}
        self.state = State(arguments, self.options)
        self.networks, self.optimizers, self.average = {}, {}, None

    @property
    def step(self):
        """Training steps done, an int."""
        return int(self.state.step.numpy())

    def keep_average(self, make):
        """Begins the running average, if there is to be one.

        Args:
            make: Makes another network like the main one.
        """
        if self.options.ema_decay:
            # Its weights are no random ones, so what is random afterwards stays so.
            drawn = random.getstate()
            self.average = make()
            random.setstate(drawn)
            self._start_average()

    def _start_average(self):
        averages.start(self.average.weights, self.networks[self.main].weights)

    def make_adam(self, schedule, variables, **kwargs):
        """Makes an optimizer that heeds the options.

        Args:
            schedule: `training.schedule.Schedule`.
            variables: What it trains.
            **kwargs: What Keras' Adam takes.

        Returns:
            training.optimizer.GuardedAdam.
        """
        clip_norm = self.options.gradient_clip_norm
        optimizer = GuardedAdam(schedule, self.state, clip_norm=clip_norm, **kwargs)
        optimizer.build(variables)
        return optimizer

    def apply_step(self, differentiate, trained):
        """Takes one step of all optimizers, if all is finite; counts it if not.

        Runs in a replica, within a `tf.function`. Either all that is trained moves, or
        nothing does.

        Args:
            differentiate: Called with the factor that losses are to be scaled by before
                they are differentiated; returns a dict of float32 scalars, this
                replica's shares of the losses (unscaled) and of whatever else the batch
                comes to, for each of `trained` the gradients of its scaled loss (None
                where a variable has none), and, if it likes, shares of other tensors.
            trained: From a name of `optimizers` to the variables that move.

        Returns:
            dict: Of the whole batch, and for each of `trained` the norm of its
            gradients together, before any clipping.
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
        # A variable without a gradient, as of another scale's path, does not move.
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
        for root, variables, part, norm in zip(
            trained, moving, gradients, norms, strict=True
        ):
            optimizer = self.optimizers[root]
            if optimizer.clip_norm:
                part, _ = tf.clip_by_global_norm(part, optimizer.clip_norm, norm)
            optimizer.apply_if(is_finite, part, variables)
        may_mend = loss_scale.adapt(is_finite, losses_are_finite)
        self.state.record(is_finite | may_mend)
        self.finish_step(values, is_finite, *others)
        if self.average is not None:
            weights = self.average.weights, self.networks[self.main].weights
            averages.follow(*weights, self.options.ema_decay, is_finite)
        for root, norm in zip(trained, norms, strict=True):
            values[self._name_of_root(root, "gradient_norm")] = norm
        return values

    def finish_step(self, values, is_finite, *others):
        """Does what a step does besides moving what is trained.

        Args:
            values: As `differentiate` of `apply_step` returns them, of the whole batch.
            is_finite: bool scalar, whether the step was taken.
            *others: What else it returned, of the whole batch, finite or not.
        """

    def learning_rates(self):
        """From an optimizer's name to its learning rate at the present step."""
        return {
            self._name_of_root(root, "learning_rate"): float(
                each.schedule.at(self.state.step)
            )
            for root, each in self.optimizers.items()
        }

    def to_tree(self, network):
        """The weights of a network as a root of a checkpoint."""
        return checkpoints.to_tree(network.weights)

    def roots(self):
        """From the name of each root of a checkpoint to what is stored in it."""
        roots = {root: self.to_tree(each) for root, each in self.networks.items()}
        for root, optimizer in self.optimizers.items():
            roots[f"{root}_optimizer"] = checkpoints.to_tree(optimizer.variables)
        if self.average is not None:
            roots["ema"] = self.to_tree(self.average)
        return roots | {"state": self.state.tree()}

    def _restart_average(self, prefix, resume):
        """Begins the average anew, unless a run goes on with its own."""
        goes_on = resume and "ema" in checkpoints.list_roots(prefix)
        if self.average is not None and not goes_on:
            self._start_average()

    def _name_of_root(self, root, name):
        """What a log calls a number of one network."""
        return name if root == self.main else f"{root}/{name}"


def _are_finite(scalars):
    return tf.reduce_all(tf.math.is_finite(tf.stack(list(scalars))))
