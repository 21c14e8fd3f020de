"""What all that is trained shares: a subclass adds its networks and its loss."""

import dataclasses
import random

import tensorflow as tf

from training import averages, checkpoints
from training.optimizer import GuardedAdam, take_step
from training.options import FOR_ANY_MODEL, StepOptions
from training.state import State


class Trained:
    """Networks in training, and most of what `training.loop.Loop` asks of them.

    A subclass adds `train_step`, `step_inputs`, `describe_batch` and `step_signature`;
    see `models.base.Model`. All that `training.options.StepOptions` say, it does.

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
    step_options = tuple(
        field.name
        for field in dataclasses.fields(StepOptions)
        if field.name not in FOR_ANY_MODEL
    )

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
        """Takes a step; runs in a replica, within a `tf.function`.

        Args:
            differentiate: As of `training.optimizer.take_step`.
            trained: From a name of `optimizers` to the variables that move.

        Returns:
            dict: What `differentiate` returned of the whole batch, and the norms of
            the gradients.
        """
        if self.options.jit_compile:
            differentiate = tf.function(
                differentiate, autograph=False, jit_compile=True
            )
        values, norms, is_finite, *others = take_step(
            self.state,
            differentiate,
            [(self.optimizers[root], variables) for root, variables in trained.items()],
        )
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
            values: As of `training.optimizer.take_step`.
            is_finite: Likewise.
            *others: Likewise.
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
