"""Base of the trained models: a subclass adds its network and its loss."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import keras
import tensorflow as tf

from console.errors import InputError
from console.settings import Settings
from frozen.engines import OpenVino, compile_part
from models import stored
from models.base import Model
from models.generator_settings import Training
from models.layers import UpscalingNetwork
from training import checkpoints
from training.options import POLICIES, StepOptions
from training.replicas import count_replicas
from training.schedule import Schedule
from training.trainable import TrainableBase
from upscaling.tiles import Stage

GENERATOR = "generator"


class TrainedModel(TrainableBase, Model):
    """A model with a generator, and possibly other networks for its training.

    A subclass sets `network_class`, and overrides `loss` if it differs. Its
    `settings_classes` are the settings of the network and the settings of the
    training, which have the fields of `models.generator_settings.Training`.

    Attributes:
        network_class: Makes a `models.layers.UpscalingNetwork` from `architecture` and
            the Keras dtype policy of its inner layers.
        training: None for a model that only upscales.
        engine: The engine that runs `stages`; None for TensorFlow.
    """

    main = GENERATOR
    network_class: Callable[..., UpscalingNetwork]
    architecture: Settings
    training: Training | None
    generator: UpscalingNetwork
    engine: OpenVino | None = None

    def __init__(
        self,
        architecture: Settings,
        training: Training | None = None,
        options: StepOptions | None = None,
    ) -> None:
        """Makes the generator, and its optimizer for training."""
        super().__init__(dataclasses.asdict(architecture), options)
        self.architecture, self.training = architecture, training
        self.generator = self.networks[GENERATOR] = self.make_generator()
        self.scales = tuple(self.generator.scales)
        if training is not None:
            self.add_optimizer(GENERATOR, training.learning_rate)
            self.keep_average(self.make_generator)

    @classmethod
    def read_settings(cls, prefix: Path | str, arguments: dict[str, Any] | None) -> Any:
        """Reads the settings of a checkpoint's network, of `settings_classes[0]`.

        Raises:
            InputError: The checkpoint holds no such network.
        """
        if arguments is None:
            raise InputError(
                f"{prefix} was not written by this program, and --model={cls.name} "
                "cannot read checkpoints of other programs."
            )
        made_from = cls.settings_classes[0]
        return stored.read_settings(prefix, made_from, arguments["architecture"])

    @classmethod
    def from_checkpoint(
        cls,
        prefix: Path | str,
        arguments: dict[str, Any] | None,
        options: StepOptions | None = None,
    ) -> Self:
        """See `Model.from_checkpoint`."""
        architecture = cls.read_settings(prefix, arguments)
        stored.check_given(prefix, architecture)
        return cls(architecture, options=options)

    @classmethod
    def read_architecture(cls, prefix: Path | str) -> dict[str, Any]:
        """See `Model.read_architecture`."""
        architecture = cls.read_settings(prefix, checkpoints.describe(prefix))
        return {
            flag: getattr(architecture, field.name)
            for flag, field in architecture.options().items()
        }

    def make_generator(self) -> UpscalingNetwork:
        """Makes the network with all its weights."""
        policy = POLICIES[self.options.precision]
        generator = self.network_class(self.architecture, policy)
        if not generator.built:
            generator.build()
        return generator

    def loss(self, lr: tf.Tensor, hr: tf.Tensor, scale: int) -> tf.Tensor:
        """Computes the loss, a float32 scalar; by default the mean absolute error.

        Args:
            lr: float32 (N, P, P, 3), RGB in [0, 255].
            hr: float32 (N, P * scale, P * scale, 3), the same places.
            scale: Upscaling factor, a Python int.
        """
        sr = self.generator(lr, scale=scale)
        return tf.reduce_mean(keras.losses.mean_absolute_error(hr, sr))

    def trained_variables(self, scale: int) -> dict[str, list[keras.Variable]]:
        """Returns the variables that a step updates, by names of `optimizers`."""
        return {GENERATOR: self.generator.path_variables(scale)}

    def draw(self) -> tuple:
        """Draws the random arguments of `differentiate`, passed after `scale`."""
        return ()

    def differentiate(
        self, lr: tf.Tensor, hr: tf.Tensor, scale: int, loss_scale: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], list[list[tf.Tensor]]]:
        """Computes losses and gradients of this replica's part of a batch; see `loss`.

        The losses are multiplied by `loss_scale` before they are differentiated.

        Returns:
            values: dict from a name to a float32 scalar, this replica's share of the
                batch's value; `loss` is minimised.
            gradients: List of gradients for each entry of `trained_variables`.
        """
        variables = self.trained_variables(scale)[GENERATOR]
        with tf.GradientTape() as tape:
            loss = self.loss(lr, hr, scale) / count_replicas()
            scaled = loss * loss_scale
        return {"loss": loss}, [tape.gradient(scaled, [v.value for v in variables])]

    def train_step(
        self, lr: tf.Tensor, hr: tf.Tensor, scale: int
    ) -> dict[str, tf.Tensor]:
        """See `Model.train_step`."""
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        differentiate = functools.partial(
            self.differentiate, lr, hr, scale, *self.draw()
        )
        return self.apply_step(differentiate, self.trained_variables(scale))

    def add_optimizer(self, item: str, learning_rate: float) -> None:
        """Makes the optimizer of a network in `networks`; the rate is of step 0."""
        warmup_steps = self.options.learning_rate_warmup_steps
        held_steps = self.training.held_steps if item == GENERATOR else 0
        schedule = Schedule.of(self.training, learning_rate, warmup_steps, held_steps)
        variables = self.networks[item].trainable_variables
        self.optimizers[item] = self.make_adam(schedule, variables, epsilon=1e-8)

    def parts(self, scale: int) -> list[Stage]:
        """See `Model.parts`: with the averaged weights, if there are any."""
        generator = self.average or self.generator
        return [
            # A partial: TensorFlow warns when it traces the same line repeatedly.
            dataclasses.replace(part, run=functools.partial(_to_float32, part.run))
            for part in generator.parts(scale)
        ]

    @functools.cache  # noqa: B019 - as many entries as scales, and models live long
    def stages(self, scale: int) -> list[Stage]:
        """See `Model.stages`."""
        return [compile_part(part, self.engine) for part in self.parts(scale)]

    def check_run(self, max_steps: int, lr_patch_size: int) -> None:
        """See `Model.check_run`."""
        self.training.warn_of_zero(max_steps)

    def restore(
        self,
        prefix: Path | str,
        target: str | None = None,
        resume: bool = False,
        use_ema: bool = True,
    ) -> None:
        """See `Model.restore`; restarts the running average from the weights."""
        if target in (None, GENERATOR):
            self.check_network(prefix, resume)
        self.read_weights(prefix, target, resume, use_ema)
        self._restart_average(prefix, resume)

    def check_network(self, prefix: Path | str, resume: bool) -> None:
        """Refuses a checkpoint of another network; the message names flags that fit."""
        theirs = self.read_settings(prefix, checkpoints.describe(prefix))
        stored.check_same(prefix, theirs, self.architecture)

    def read_weights(
        self, prefix: Path | str, target: str | None, resume: bool, use_ema: bool
    ) -> None:
        """Reads the weights that `restore` needs from a checkpoint that fits."""
        super().restore(prefix, target, resume, use_ema)


def _to_float32(run, x):
    """Runs a part and casts to float32, the dtype between parts at any precision."""
    return tf.cast(run(x), tf.float32)
