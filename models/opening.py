"""Opens the model that a checkpoint holds: what validate, freeze and test share."""

from absl import flags

from console.choices import load
from console.errors import InputError
from console.flags import define_path
from console.progress import say
from models import MODELS, shipped
from training import checkpoints
from training.options import check_heeded

# Where neither flag nor checkpoint says it.
DEFAULT = "eusr"


def define_flags(has_default=True):
    """Declares the flags of which checkpoint to open and what to take from it.

    Args:
        has_default: Whether the script does with the weights that ship.
    """
    text = "The checkpoint; a folder means its newest."
    if has_default:
        text += " If not given, the model's own in pretrained/."
    define_path("restore_path", None, text)
    flags.DEFINE_string("restore_target", None, "Only part of it to restore.")
    define_use_ema()


def define_use_ema():
    """Declares --use_ema, which train.py has too."""
    flags.DEFINE_bool(
        "use_ema",
        True,
        "Take the running average of the weights, where the checkpoint has one.",
    )


def open_from_flags(name, options=None):
    """Opens what the flags of `define_flags` say; see `open_model`.

    Where they name no checkpoint and the model needs one, --restore_path becomes that
    of the weights that ship.
    """
    values = flags.FLAGS
    if values.restore_path is None:
        name = name or DEFAULT
        if load(MODELS, name, "--model").needs_checkpoint:
            values.restore_path = shipped.find(name)
            say(f"Using the weights that ship: {values.restore_path}.")
    model, step = open_model(
        name,
        values.restore_path,
        values.restore_target,
        options=options,
        use_ema=values.use_ema,
    )
    check_heeded(model)
    return model, step


def open_model(
    name, restore_path=None, restore_target=None, options=None, use_ema=True
):
    """Makes a model ready to upscale.

    Args:
        name: Its name in the registry; None takes what the checkpoint says.
        restore_path: A checkpoint or a folder of some; None for a model that needs
            none.
        restore_target: Name of the only root to read; None for all.
        options: `training.options.StepOptions`; None for the defaults.
        use_ema: Whether averaged weights are taken, where there are some.

    Returns:
        The model, and the step of its checkpoint (None where it says none).

    Raises:
        InputError: There is no such model or checkpoint, or they do not fit.
    """
    if restore_path is None:
        return load(MODELS, name, "--model").from_flags(), None
    prefix = checkpoints.find(restore_path)
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
    model.restore(prefix, restore_target, use_ema=use_ema)
    if use_ema and "ema" in checkpoints.list_roots(prefix):
        say("Using the running average of the weights; --nouse_ema takes the last.")
    return model, checkpoints.read_step(prefix)
