"""What all models that are trained share: a model adds its network and its loss."""

import dataclasses
import functools
import random

import tensorflow as tf

from models.base import Model
from models.compiled import compile_part
from training import averages, checkpoints
from training.optimizer import GuardedAdam, take_step
from training.options import FOR_ANY_MODEL, StepOptions
from training.replicas import count_replicas
from training.schedule import Schedule
from training.state import State

GENERATOR = "generator"


class TrainedModel(Model):
    """A model of one network that makes pictures, and of others that train it.

    A subclass has `make_generator` and `loss`, and `parts` for tiles and frozen files.
    Its settings, as of `settings_classes`, are what its network is made from and, with
    the fields of `models.generator_settings.Training`, how it is trained. All that
    `training.options.StepOptions` say, it does.

    Attributes:
        architecture: What the networks are made from, a dataclass.
        training: How it is trained; None for a model that only upscales.
        options: `training.options.StepOptions`.
        networks: From the name of a root of checkpoints to a Keras layer.
        optimizers: From the same to a `training.optimizer.GuardedAdam`; of a model that
            only upscales, none.
        generator: The network that makes pictures.
        average: Another, of the running average of the weights; None if none is kept.
    """

    step_options = tuple(
        field.name
        for field in dataclasses.fields(StepOptions)
        if field.name not in FOR_ANY_MODEL
    )

    def __init__(self, architecture, training=None, options=None):
        """Makes the generator, and what trains it if it is to be trained.

        Args:
            architecture: See the class.
            training: Likewise; None for a model that only upscales.
            options: A `StepOptions`; None for the defaults.
        """
        self.architecture, self.training = architecture, training
        self.options = options or StepOptions()
        arguments = {"model": self.name}
        arguments["architecture"] = dataclasses.asdict(architecture)
        self.state = State(arguments, self.options)
        self.networks, self.optimizers, self.average = {}, {}, None
        self.generator = self.networks[GENERATOR] = self.make_generator()
        if training is None:
            return
        self.add_optimizer(GENERATOR, training.learning_rate)
        if self.options.ema_decay:
            # Its weights are no random ones, so what is random afterwards stays so.
            drawn = random.getstate()
            self.average = self.make_generator()
            random.setstate(drawn)
            averages.start(self.average.weights, self.generator.weights)

    def make_generator(self):
        """Makes the network, a Keras layer of all weights that it will have."""
        raise NotImplementedError

    def loss(self, lr, hr, scale):
        """What is minimised, for a model with one loss.

        Args:
            lr: float32 (N, P, P, 3), RGB in [0, 255].
            hr: float32 (N, P * scale, P * scale, 3), the same places.
            scale: Upscaling factor, a Python int.

        Returns:
            float32 scalar.
        """
        raise NotImplementedError

    def trained_variables(self, scale):
        """What moves in a step of one scale.

        Returns:
            dict: From a name of `optimizers` to a list of Keras variables.
        """
        return {GENERATOR: self.generator.trainable_variables}

    def draw(self):
        """What is random in a step beside its batch; `differentiate` is given it."""
        return ()

    def differentiate(self, lr, hr, scale, loss_scale):
        """Losses and gradients of this replica's share of a batch.

        Args:
            lr: As of `loss`.
            hr: Likewise.
            scale: Likewise.
            loss_scale: float32 scalar, by which losses are multiplied before they are
                differentiated.

        Returns:
            values: dict from a name to a float32 scalar, a share of the whole batch's:
                `loss` is minimised.
            gradients: For each of `trained_variables` a list of its gradients.
        """
        variables = self.trained_variables(scale)[GENERATOR]
        with tf.GradientTape() as tape:
            loss = self.loss(lr, hr, scale) / count_replicas()
            scaled = loss * loss_scale
        return {"loss": loss}, [tape.gradient(scaled, [v.value for v in variables])]

    def train_step(self, lr, hr, scale):
        """See `Model.train_step`."""
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        differentiate = functools.partial(
            self.differentiate, lr, hr, scale, *self.draw()
        )
        if self.options.jit_compile:
            differentiate = tf.function(
                differentiate, autograph=False, jit_compile=True
            )
        trained = self.trained_variables(scale)
        values, norms, is_finite = take_step(
            self.state,
            differentiate,
            [(self.optimizers[root], variables) for root, variables in trained.items()],
        )
        if self.average is not None:
            weights = self.average.weights, self.generator.weights
            averages.follow(*weights, self.options.ema_decay, is_finite)
        for root, norm in zip(trained, norms, strict=True):
            values[_of_root(root, "gradient_norm")] = norm
        return values

    def add_optimizer(self, root, learning_rate):
        """Makes the Adam that trains one of the networks.

        Args:
            root: Its name in `networks`.
            learning_rate: At step 0.
        """
        variables = self.networks[root].trainable_variables
        self.optimizers[root] = self.make_optimizer(
            self.training, learning_rate, variables
        )

    def make_optimizer(self, training, learning_rate, variables):
        """Makes Adam as models are trained with.

        Args:
            training: How the rate falls.
            learning_rate: At step 0.
            variables: What it trains.

        Returns:
            training.optimizer.GuardedAdam.
        """
        schedule = Schedule(
            learning_rate,
            training.learning_rate_decay,
            training.learning_rate_decay_steps,
            training.learning_rate_schedule,
            self.options.learning_rate_warmup_steps,
        )
        clip_norm = self.options.gradient_clip_norm
        optimizer = GuardedAdam(schedule, self.state, clip_norm=clip_norm, epsilon=1e-8)
        optimizer.build(variables)
        return optimizer

    def parts(self, scale):
        """See `Model.parts`: with the averaged weights, where there are some."""
        generator = self.average or self.generator
        return [
            # A partial: TensorFlow warns of a line that is traced again and again.
            dataclasses.replace(part, run=functools.partial(_to_float32, part.run))
            for part in generator.parts(scale)
        ]

    @functools.cache  # noqa: B019 - as many entries as scales, and models live long
    def stages(self, scale):
        """See `Model.stages`."""
        return list(map(compile_part, self.parts(scale)))

    def check_run(self, max_steps, lr_patch_size):
        """See `Model.check_run`."""
        self.training.warn_of_zero(max_steps)

    def learning_rates(self):
        """See `Model.learning_rates`."""
        return {
            _of_root(root, "learning_rate"): float(each.schedule.at(self.state.step))
            for root, each in self.optimizers.items()
        }

    def roots(self):
        """See `Model.roots`."""
        roots = {
            root: checkpoints.to_tree(layer.weights)
            for root, layer in self.networks.items()
        }
        for root, optimizer in self.optimizers.items():
            roots[f"{root}_optimizer"] = checkpoints.to_tree(optimizer.variables)
        if self.average is not None:
            roots["ema"] = checkpoints.to_tree(self.average.weights)
        return roots | {"state": self.state.tree()}

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`; the running average follows what was read."""
        super().restore(prefix, target, resume, use_ema)
        self._restart_average(prefix, resume)

    def _restart_average(self, prefix, resume):
        """Begins the average anew, unless a run goes on with its own."""
        goes_on = resume and "ema" in checkpoints.list_roots(prefix)
        if self.average is not None and not goes_on:
            averages.start(self.average.weights, self.generator.weights)


def _to_float32(run, x):
    """Tensors between the parts of a network are float32 at any precision."""
    return tf.cast(run(x), tf.float32)


def _of_root(root, name):
    """What a log calls a number of one network: the generator's has no prefix."""
    return name if root == GENERATOR else f"{root}/{name}"
