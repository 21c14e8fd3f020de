"""Opens the model that a checkpoint holds: what validate, freeze and test share."""

import dataclasses
import os

from console import app
from console.choices import load
from console.errors import InputError
from console.progress import say
from console.settings import PathName, Settings, option
from frozen.formats import FrozenFile
from frozen.upscaler import Upscaler
from models import MODELS, shipped
from training import checkpoints
from training.options import StepOptions, check_heeded

# Where neither flag nor checkpoint says it.
DEFAULT = "eusr"


@dataclasses.dataclass(frozen=True)
class CheckpointSettings(Settings):
    """Which checkpoint to open, and what to take from it."""

    restore_path: PathName | None = option(
        None,
        "The checkpoint; a folder means its newest. If not given, the model's own in "
        "pretrained/.",
    )
    restore_target: str | None = option(None, "Only part of it to restore.")
    use_ema: bool = option(
        True,
        "Take the running average of the weights, where the checkpoint has one.",
        changes="freely",
    )

    def find(self, name):
        """Finds the checkpoint.

        Args:
            name: The model's, or None.

        Returns:
            CheckpointSettings: With the very checkpoint, where these name none that of
            the weights that ship; without one for a model that needs none.

        Raises:
            InputError: There is no such checkpoint.
        """
        path = self.restore_path
        if path is None:
            name = name or DEFAULT
            if not load(MODELS, name, "--model").needs_checkpoint:
                return self
            path = shipped.find(name)
            say(f"Using the weights that ship: {path}.")
        # A folder's newest: a training that writes there may soon have a newer one.
        return dataclasses.replace(self, restore_path=checkpoints.find(path))

    def open(self, name, options=None):
        """Opens what `find` found; see `open_model`.

        Returns:
            The model, and the step of its checkpoint (None where it says none).
        """
        options, path = options or StepOptions(), self.restore_path
        model = open_model(path, name, self.restore_target, options, self.use_ema)
        check_heeded(model, options)
        return model, None if path is None else checkpoints.read_step(path)


def choose_scales(model, given, defaults, path):
    """The scales to use a model at.

    Args:
        model: A `models.base.Model`.
        given: By --scales; None where it was not given.
        defaults: What is meant then, as far as the model was trained at it.
        path: Of its checkpoint, for the message.

    Returns:
        tuple of int.

    Raises:
        InputError: The model has no path for a scale, or its weights never learned it.
    """
    usable = model.usable_scales
    if given is None:
        return tuple(scale for scale in defaults or usable if scale in usable) or usable
    app.check_scales(given, model)
    untrained = [f"x{scale}" for scale in given if scale not in usable]
    if untrained:
        raise InputError(
            f"--scales={','.join(map(str, given))}: {path} was "
            f"never trained at {' and '.join(untrained)}, only at "
            f"{' and '.join(f'x{scale}' for scale in usable)}."
        )
    return given


def open_model(path, name=None, target=None, options=None, use_ema=True):
    """Opens what upscales pictures, wherever its weights are.

        open_model("pretrained/eusr").upscale(image, scale=4)

    Args:
        path: A checkpoint, a folder of some, of which the newest is taken, or a frozen
            `.pb` file; None for a model that needs none.
        name: Of the model in the registry; None takes what the checkpoint says.
        target: Name of the only root to read of a checkpoint; None for all.
        options: `training.options.StepOptions`; None for the defaults.
        use_ema: Whether averaged weights are taken, where there are some.

    Returns:
        A `models.base.Model`; of a `.pb` file a `frozen.upscaler.Upscaler`.

    Raises:
        InputError: There is no such model or checkpoint, or they do not fit.
    """
    if path is None:
        return load(MODELS, name, "--model").from_flags()
    if os.fspath(path).endswith(FrozenFile.ending):
        if (name, target, options, use_ema) != (None, None, None, True):
            raise InputError(
                f"{path}: a {FrozenFile.ending} file computes as it was frozen; leave "
                "out name, target, options and use_ema."
            )
        return Upscaler(path)
    prefix = checkpoints.find(path)
    arguments = checkpoints.describe(prefix)
    stored = arguments["model"] if arguments else None
    if name and stored and name != stored:
        raise InputError(
            f"--model={name}, but {prefix} holds {stored}. Leave --model out or say "
            f"--model={stored}."
        )
    model = load(MODELS, name or stored or DEFAULT, "--model").from_checkpoint(
        prefix, arguments, options
    )
    model.restore(prefix, target, use_ema=use_ema)
    if use_ema and "ema" in checkpoints.list_roots(prefix):
        say("Using the running average of the weights; --nouse_ema takes the last.")
    return model
