"""Opens the model that a checkpoint holds: what validate, freeze and test share."""

from absl import flags

from console import app
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


def find_from_flags(name):
    """Finds what the flags of `define_flags` name.

    Where they name no checkpoint and the model needs one, --restore_path becomes that
    of the weights that ship.

    Args:
        name: The model's, or None.

    Returns:
        str: The checkpoint; None for a model that needs none.

    Raises:
        InputError: There is no such checkpoint.
    """
    values = flags.FLAGS
    if values.restore_path is None:
        name = name or DEFAULT
        if not load(MODELS, name, "--model").needs_checkpoint:
            return None
        values.restore_path = shipped.find(name)
        say(f"Using the weights that ship: {values.restore_path}.")
    # A folder's newest: a training that writes there may soon have a newer one.
    values.restore_path = checkpoints.find(values.restore_path)
    return values.restore_path


def open_from_flags(name, options=None):
    """Opens what `find_from_flags` finds; see `open_model`."""
    prefix = find_from_flags(name)
    values = flags.FLAGS
    model, step = open_model(
        name, prefix, values.restore_target, options=options, use_ema=values.use_ema
    )
    check_heeded(model)
    return model, step


def choose_scales(model, given, defaults):
    """The scales to use a model at.

    Args:
        model: A `models.base.Model`.
        given: By --scales; None where it was not given.
        defaults: What is meant then, as far as the model was trained at it.

    Returns:
        tuple of int.

    Raises:
        InputError: The model has no path for a scale, or its weights never learned it.
    """
    usable = model.usable_scales
    if given is None:
        return tuple(scale for scale in defaults if scale in usable) or usable
    app.check_scales(given, model)
    untrained = [f"x{scale}" for scale in given if scale not in usable]
    if untrained:
        raise InputError(
            f"--scales={','.join(map(str, given))}: {flags.FLAGS.restore_path} was "
            f"never trained at {' and '.join(untrained)}, only at "
            f"{' and '.join(f'x{scale}' for scale in usable)}."
        )
    return given


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
