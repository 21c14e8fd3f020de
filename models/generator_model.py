"""What the models that are trained share: the generator, its flags and checkpoints."""

import dataclasses
import functools

import tensorflow as tf

from console.errors import InputError
from console.progress import say
from models import stored, tf1_names
from models.base import Model
from models.compiled import compile_part
from models.generator import Generator
from models.generator_settings import FLAG_PREFIX, Architecture
from training import averages, checkpoints
from training.arguments import LEARNED
from training.optimizer import GuardedAdam
from training.options import POLICIES, BasicOptions, StepOptions
from training.schedule import Schedule
from upscaling.tiles import make_part


class GeneratorModel(Model):
    """A model whose pictures the generator of EUSR makes.

    A subclass adds what trains it.

    Attributes:
        architecture: `Architecture`.
        options: `training.options.StepOptions`.
        generator: `models.generator.Generator`.
        average: Another, of the running average of the weights; None if none is kept.
        optimizer: `training.optimizer.GuardedAdam` of the generator; None for a model
            that only upscales.
    """

    step_options = (
        *(f.name for f in dataclasses.fields(BasicOptions)),
        "skip_nonfinite",
    )

    def __init__(self, architecture, training=None, options=None):
        """Makes the network.

        Args:
            architecture: An `Architecture`.
            training: A `Training`; None for a model that only upscales.
            options: A `StepOptions`; None for the defaults.
        """
        self.options = options or StepOptions()
        super().__init__(dataclasses.asdict(architecture), self.options)
        self.architecture, self.training = architecture, training
        self.scales = tuple(architecture.model_scales)
        self.generator = self._make_generator(architecture)
        self.average = self.optimizer = None

    def _make_generator(self, architecture):
        policy = POLICIES[self.options.precision]
        return Generator.from_architecture(architecture, policy)

    def start_average(self):
        """Begins the running average of the weights, if one is to be kept."""
        if self.options.ema_decay:
            self.average = self._make_generator(self.architecture)
            averages.start(self.average.weights, self.generator.weights)

    def follow_average(self, is_finite):
        """Moves the average after a step; call it in a replica, within the step.

        Args:
            is_finite: bool scalar; if not, nothing moves.
        """
        if self.average is not None:
            averages.follow(
                self.average.weights,
                self.generator.weights,
                self.options.ema_decay,
                is_finite,
            )

    @property
    def optimizers(self):
        """Those that train it, a list; empty for a model that only upscales."""
        return [] if self.optimizer is None else [self.optimizer]

    def make_optimizer(self, training, learning_rate, variables):
        """Makes Adam as the models here are trained with.

        Args:
            training: A `Training`: how the rate falls.
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
        optimizer = GuardedAdam(
            schedule,
            self.state,
            clip_norm=self.options.gradient_clip_norm,
            epsilon=1e-8,
        )
        optimizer.build(variables)
        return optimizer

    @classmethod
    def from_checkpoint(cls, prefix, arguments, options=None):
        """See `Model.from_checkpoint`; checkpoints of the TF1 code are read too."""
        fields = stored.read_architecture(prefix, arguments)
        given = Architecture.given()
        if arguments is None and "rgb_mean" in given:
            fields["rgb_mean"] = given["rgb_mean"]
        misfits = {name: given[name] for name in given if given[name] != fields[name]}
        for name, value in misfits.items():
            raise InputError(
                f"--{FLAG_PREFIX}{name}={_to_flag(value)} differs from {prefix}, which "
                f"was trained with {fields[name]}. Leave the flag out: the checkpoint "
                "knows."
            )
        return cls(Architecture(**fields), options=options)

    def check_run(self, max_steps, lr_patch_size):
        """See `Model.check_run`."""
        self.training.warn_of_zero(max_steps)

    @classmethod
    def read_architecture(cls, prefix):
        """See `Model.read_architecture`; checkpoints of the TF1 code are read too."""
        fields = stored.read_architecture(prefix, checkpoints.describe(prefix))
        return {f"{FLAG_PREFIX}{name}": value for name, value in fields.items()}

    def parts(self, scale):
        """See `Model.parts`: with the averaged weights, where there are some."""
        generator = self.average or self.generator
        radii = generator.double_radii(scale)
        functions = [functools.partial(generator.trunk, scale=scale)]
        functions += [
            functools.partial(generator.double, scale=scale, index=index)
            for index in range(len(radii))
        ]
        return [
            make_part(
                # A partial: TensorFlow warns of a line that is traced again and again.
                functools.partial(_run_in_float32, function),
                radius,
                index,
                generator.features,
            )
            for index, (function, radius) in enumerate(
                zip(functions, (generator.trunk_radius(), *radii), strict=True)
            )
        ]

    @functools.cache  # noqa: B019 - as many entries as scales, and models live long
    def stages(self, scale):
        """See `Model.stages`."""
        parts = self.parts(scale)
        channels = [3] + [self.generator.features] * (len(parts) - 1)
        return list(map(compile_part, parts, channels))

    def learning_rates(self):
        """See `Model.learning_rates`."""
        return {"learning_rate": float(self.optimizer.schedule.at(self.state.step))}

    def roots(self):
        """See `Model.roots`."""
        roots = {
            "generator": checkpoints.to_tree(self.generator.weights),
            "state": self.state.tree(),
        }
        if self.optimizer is not None:
            roots["generator_optimizer"] = checkpoints.to_tree(self.optimizer.variables)
        if self.average is not None:
            roots["ema"] = checkpoints.to_tree(self.average.weights)
        return roots

    def tf1_layers(self):
        """The layers that the TF1 code has, too.

        Returns:
            dict: From a root's name to a dict as `models.tf1_names` makes it.
        """
        return {"generator": tf1_names.of_generator(self.generator)}

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`; checkpoints of the TF1 code are read too."""
        new_scales = ()
        if target in (None, "generator"):
            new_scales = self._check_architecture(prefix, resume)
        if tf1_names.is_tf1(prefix):
            self._restore_tf1(prefix, target)
            self.take_learned(None)
        elif new_scales:
            self._restore_shared(prefix, use_ema, new_scales)
        else:
            super().restore(prefix, target, resume, use_ema)
        if self.average is not None and not (resume and self._has_average(prefix)):
            averages.start(self.average.weights, self.generator.weights)

    def _restore_shared(self, prefix, use_ema, new_scales):
        """Reads what a network of fewer scales has; the rest begins as new."""
        root = "generator"
        if use_ema and "ema" in checkpoints.list_roots(prefix):
            root = "ema"
        names = [f"x{scale}" for scale in new_scales]
        taken = [
            weight
            for weight in self.generator.weights
            if weight.path.split("/")[1].partition("_")[0] not in names
        ]
        checkpoints.restore(prefix, {root: checkpoints.to_tree(taken)})
        self.take_learned(checkpoints.describe(prefix))
        if self.learned_scales is None:  # At most at those that it has.
            old = [scale for scale in self.scales if scale not in new_scales]
            self.take_learned({LEARNED: old})
        say(
            f"The network of {prefix} has no {' and no '.join(names)}: its own parts "
            "for that begin as new, and so does all beside the generator."
        )

    def _restore_tf1(self, prefix, target):
        layers = self.tf1_layers()
        if target is not None:
            if target not in layers:
                raise InputError(
                    f"--restore_target={target}: of {prefix} only "
                    f"{' and '.join(layers)} can be read."
                )
            layers = {target: layers[target]}
        reader = checkpoints.open_reader(prefix)
        for root, named in layers.items():
            if not any(reader.has_tensor(f"{name}/kernel") for name in named):
                raise InputError(
                    f"{prefix} holds no {root}, which --model={self.name} has. "
                    "--restore_target=generator takes the generator alone."
                )
        named = {
            name: layer for root in layers.values() for name, layer in root.items()
        }
        tf1_names.restore(prefix, named)
        text = f"Read the {' and the '.join(layers)} of the TensorFlow 1 code"
        if target is None and self.optimizers:
            steps = tf1_names.restore_moments(prefix, named, self.optimizers)
            text += (
                ", but no moments of Adam, which it does not hold"
                if steps is None
                else f" and the moments of Adam after {steps} steps"
            )
        say(f"{text}.")

    def _check_architecture(self, prefix, resume):
        """Refuses a checkpoint of another network.

        Weights alone would not tell: a deeper network has all that a shallower one
        asks for.

        Returns:
            list of int: The scales that it has no path for; empty where a run goes on,
            and for the TF1 code's, which must have all.

        Raises:
            InputError: With the flags that fit.
        """
        may_lack = not resume and not tf1_names.is_tf1(prefix)
        ours = dataclasses.asdict(self.architecture)
        theirs = stored.read_architecture(prefix, checkpoints.describe(prefix))
        misfits = [
            f"--{FLAG_PREFIX}{name}={_to_flag(value)} (not {_to_flag(ours[name])})"
            for name, value in theirs.items()
            if not (
                may_lack or set(ours[name]) <= set(value)
                if name == "model_scales"
                else value == ours[name]
            )
        ]
        if misfits:
            raise InputError(
                f"{prefix} holds another network than the one to be trained: "
                f"{', '.join(misfits)}. Give these flags, or another checkpoint."
            )
        return sorted(set(ours["model_scales"]) - set(theirs["model_scales"]))

    @staticmethod
    def _has_average(prefix):
        return "ema" in checkpoints.list_roots(prefix)


def _run_in_float32(function, x):
    """What lies between the parts of a network is float32 at any precision."""
    return tf.cast(function(x), tf.float32)


def _to_flag(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
