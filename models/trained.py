"""What all models that are trained share: a model adds its network and its loss."""

import dataclasses
import functools

import keras
import tensorflow as tf

from console.errors import InputError
from models import stored
from models.base import Model
from models.compiled import compile_part
from training import checkpoints
from training.options import POLICIES
from training.replicas import count_replicas
from training.schedule import Schedule
from training.trained import Trained

GENERATOR = "generator"


class TrainedModel(Trained, Model):
    """A model of one network that makes pictures, and of others that train it.

    A subclass has `network_class`, and its own `loss` if that is not the usual one.
    Its settings, as of `settings_classes`, are what its network is made from and, with
    the fields of `models.generator_settings.Training`, how it is trained.

    Attributes:
        network_class: A `models.layers.UpscalingNetwork`, made from `architecture` and
            the Keras dtype policy of its inner layers.
        architecture: What the networks are made from, a dataclass.
        training: How it is trained; None for a model that only upscales.
        generator: The network that makes pictures.
    """

    main = GENERATOR

    def __init__(self, architecture, training=None, options=None):
        """Makes the generator, and what trains it if it is to be trained.

        Args:
            architecture: See the class.
            training: Likewise; None for a model that only upscales.
            options: A `StepOptions`; None for the defaults.
        """
        super().__init__(dataclasses.asdict(architecture), options)
        self.architecture, self.training = architecture, training
        self.generator = self.networks[GENERATOR] = self.make_generator()
        self.scales = tuple(self.generator.scales)
        if training is not None:
            self.add_optimizer(GENERATOR, training.learning_rate)
            self.keep_average(self.make_generator)

    @classmethod
    def read_settings(cls, prefix, arguments):
        """Reads what the network of a checkpoint was made from.

        Args:
            prefix: As of `Model.from_checkpoint`.
            arguments: Likewise.

        Returns:
            Of the first of `settings_classes`.

        Raises:
            InputError: It holds no such network.
        """
        if arguments is None:
            raise InputError(
                f"{prefix} was not written by this program, and --model={cls.name} "
                "reads no other's checkpoints."
            )
        made_from = cls.settings_classes[0]
        return stored.read_settings(prefix, made_from, arguments["architecture"])

    @classmethod
    def from_checkpoint(cls, prefix, arguments, options=None):
        """See `Model.from_checkpoint`."""
        architecture = cls.read_settings(prefix, arguments)
        stored.check_given(prefix, architecture)
        return cls(architecture, options=options)

    @classmethod
    def read_architecture(cls, prefix):
        """See `Model.read_architecture`."""
        architecture = cls.read_settings(prefix, checkpoints.describe(prefix))
        return {
            flag: getattr(architecture, field.name)
            for flag, field in architecture.options().items()
        }

    def make_generator(self):
        """Makes the network, with all weights that it will have."""
        policy = POLICIES[self.options.precision]
        generator = self.network_class(self.architecture, policy)
        if not generator.built:
            generator.build()
        return generator

    def loss(self, lr, hr, scale):
        """What is minimised, for a model with one loss: the mean absolute error.

        Args:
            lr: float32 (N, P, P, 3), RGB in [0, 255].
            hr: float32 (N, P * scale, P * scale, 3), the same places.
            scale: Upscaling factor, a Python int.

        Returns:
            float32 scalar.
        """
        sr = self.generator(lr, scale=scale)
        return tf.reduce_mean(keras.losses.mean_absolute_error(hr, sr))

    def trained_variables(self, scale):
        """What moves in a step of one scale.

        Returns:
            dict: From a name of `optimizers` to a list of Keras variables.
        """
        return {GENERATOR: self.generator.path_variables(scale)}

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
        return self.apply_step(differentiate, self.trained_variables(scale))

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
        return self.make_adam(schedule, variables, epsilon=1e-8)

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

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`; the running average follows what was read."""
        if target in (None, GENERATOR):
            self.check_network(prefix, resume)
        self.read_weights(prefix, target, resume, use_ema)
        self._restart_average(prefix, resume)

    def check_network(self, prefix, resume):
        """Refuses a checkpoint of another network.

        Args:
            prefix: The checkpoint.
            resume: As of `restore`.

        Raises:
            InputError: With the flags that fit.
        """
        theirs = self.read_settings(prefix, checkpoints.describe(prefix))
        stored.check_same(prefix, theirs, self.architecture)

    def read_weights(self, prefix, target, resume, use_ema):
        """Reads what `restore` is asked for from a checkpoint that fits."""
        super().restore(prefix, target, resume, use_ema)


def _to_float32(run, x):
    """Tensors between the parts of a network are float32 at any precision."""
    return tf.cast(run(x), tf.float32)
