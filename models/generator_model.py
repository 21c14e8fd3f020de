"""A model of EUSR's generator: its flags, parts and checkpoints."""

import dataclasses

from console.errors import InputError
from console.progress import say
from models import stored, tf1_names
from models.generator import Generator
from models.generator_settings import FLAG_PREFIX, Architecture
from models.trained import GENERATOR, TrainedModel
from training import checkpoints
from training.arguments import LEARNED
from training.options import POLICIES


class GeneratorModel(TrainedModel):
    """A model whose pictures the generator of EUSR makes.

    A subclass adds what trains it.

    Attributes:
        architecture: `Architecture`.
        generator: `models.generator.Generator`.
    """

    def __init__(self, architecture, training=None, options=None):
        """Makes the network; see `TrainedModel`."""
        super().__init__(architecture, training, options)
        self.scales = tuple(architecture.model_scales)

    def make_generator(self):
        """See `TrainedModel.make_generator`."""
        policy = POLICIES[self.options.precision]
        return Generator.from_architecture(self.architecture, policy)

    def trained_variables(self, scale):
        """See `TrainedModel.trained_variables`: those that a scale uses."""
        return {GENERATOR: self.generator.path_variables(scale)}

    @classmethod
    def from_checkpoint(cls, prefix, arguments, options=None):
        """See `Model.from_checkpoint`; checkpoints of the TF1 code are read too."""
        fields = stored.read_architecture(prefix, arguments)
        given = Architecture.given()
        if arguments is None and "rgb_mean" in given:
            fields["rgb_mean"] = given["rgb_mean"]
        for name, value in fields.items():
            if name in given and given[name] != value:
                raise InputError(
                    f"--{FLAG_PREFIX}{name}={_to_flag(given[name])} differs from "
                    f"{prefix}, which was trained with {value}. Leave the flag out: "
                    "the checkpoint knows."
                )
        return cls(Architecture(**fields), options=options)

    @classmethod
    def read_architecture(cls, prefix):
        """See `Model.read_architecture`; checkpoints of the TF1 code are read too."""
        fields = stored.read_architecture(prefix, checkpoints.describe(prefix))
        return {f"{FLAG_PREFIX}{name}": value for name, value in fields.items()}

    def tf1_layers(self):
        """The layers that the TF1 code has, too.

        Returns:
            dict: From a root's name to a dict as `models.tf1_names` makes it.
        """
        return {"generator": tf1_names.of_generator(self.generator)}

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """See `Model.restore`; checkpoints of the TF1 code are read too."""
        new_scales = ()
        if target in (None, GENERATOR):
            new_scales = self._check_architecture(prefix, resume)
        if tf1_names.is_tf1(prefix):
            self._restore_tf1(prefix, target)
            self.take_learned(None)
        elif new_scales:
            self._restore_shared(prefix, use_ema, new_scales)
        else:
            super().restore(prefix, target, resume, use_ema)
            return
        self._restart_average(prefix, resume)

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
            steps = tf1_names.restore_moments(
                prefix, named, list(self.optimizers.values())
            )
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


def _to_flag(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
