"""Opens the model of a checkpoint, for validate.py, freeze.py and test.py."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from console import app
from console.choices import load
from console.errors import InputError
from console.progress import say
from console.settings import PathName, Settings, option
from frozen.formats import FrozenFile
from frozen.upscaler import Upscaler
from models import MODELS, mixing
from models.base import Model
from training import checkpoints
from training.arguments import find_degradation
from training.options import StepOptions, check_heeded

# The weights in the repository, used when no others are named.
SHIPPED = Path(__file__).resolve().parents[1] / "pretrained"
# The model if neither flag nor checkpoint names it.
DEFAULT = "eusr"
# The model whose weights in pretrained/ are mixed with others by default.
EXACT = "eusr"


@dataclasses.dataclass(frozen=True)
class CheckpointSettings(Settings):
    """The checkpoint to open, and the part of it to restore."""

    restore_path: PathName | None = option(
        None,
        "Checkpoint, or a folder for its newest checkpoint; if not given, the model's "
        "weights in pretrained/.",
    )
    restore_target: str | None = option(
        None, "Part of the checkpoint to restore, such as generator."
    )
    use_ema: bool = option(
        True,
        "Use the running average of the weights, if the checkpoint has one.",
        changes="freely",
    )
    naturalness: float | None = option(
        None,
        "Share of the checkpoint's weights, from 0 to 1, in a mixture with the weights "
        "of --exact_path: 0 for the exact pictures of an EUSR, 1 for the crisp "
        "pictures of a 4PP-EUSR that was trained from it, 0.7 for pictures between. "
        "If not given, nothing is mixed.",
        least=0.0,
        most=1.0,
    )
    exact_path: PathName | None = option(
        None,
        "Checkpoint to mix with by --naturalness, or a folder for its newest: the EUSR "
        "that the checkpoint was trained from; if not given, the EUSR in pretrained/.",
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.exact_path is not None and self.naturalness is None:
            raise InputError(
                f"--exact_path={self.exact_path} needs --naturalness, the share of the "
                "other weights, for example 0.7."
            )

    def find(self, name: str | None) -> "CheckpointSettings":
        """Finds the checkpoint of a model, by default the weights in pretrained/.

        Returns:
            Settings with the prefixes of the checkpoints; without a checkpoint for a
            model that needs none.

        Raises:
            InputError: A checkpoint does not exist, or there are no weights to mix.
        """
        path: str | None = self.restore_path
        if path is None:
            name = name or DEFAULT
            if not load(MODELS, name, "--model").needs_checkpoint:
                if self.naturalness is not None:
                    raise InputError(
                        f"--naturalness={self.naturalness:g}: --model={name} has no "
                        "weights. Leave it out."
                    )
                return self
            path = find_shipped(name)
            say(f"Using the pretrained weights: {path}.")
        # Chosen once: a training may write a newer checkpoint to the folder.
        found = dataclasses.replace(self, restore_path=PathName(checkpoints.find(path)))
        if self.naturalness is None:
            return found
        exact = self.exact_path or find_shipped(EXACT, "--exact_path")
        prefix = checkpoints.find(exact, "--exact_path")
        return dataclasses.replace(found, exact_path=PathName(prefix))

    def identify(self) -> str | None:
        """Names the weights that `find` found, with a digest of their files."""
        paths = [path for path in (self.restore_path, self.exact_path) if path]
        return " ".join(map(checkpoints.identify, paths)) or None

    def knows_faults(self) -> bool:
        """Whether the weights that `find` found were trained on degraded pictures."""
        if self.restore_path is None:
            return False
        return find_degradation(checkpoints.describe(self.restore_path)) is not None

    def open(
        self, name: str | None, options: StepOptions | None = None
    ) -> tuple[Model, int | None]:
        """Opens the checkpoint that `find` returned, and mixes its weights.

        Returns:
            The model, and the step of its checkpoint; None without a checkpoint.
        """
        options, path = options or StepOptions(), self.restore_path
        opened = open_model(path, name, self.restore_target, options, self.use_ema)
        model = cast(Model, opened)  # `find` refuses .pb files.
        check_heeded(model, options)
        if self.naturalness is not None:
            exact = open_model(self.exact_path, None, None, options, self.use_ema)
            mixing.mix(
                model, cast(Model, exact), self.naturalness, path, self.exact_path
            )
        return model, None if path is None else checkpoints.read_step(path)


def choose_scales(
    model: Any,
    given: tuple[int, ...] | None,
    defaults: Iterable[int] | None,
    path: Path | str | None,
) -> tuple[int, ...]:
    """Chooses the scales to use a model at, of those that it was trained at.

    Args:
        model: Model with restored weights, or pictures in its place, with its scales.
        given: Value of --scales; None if it was not given.
        defaults: Scales if none are given; untrained ones are left out.
        path: Path of the checkpoint, for the message.

    Raises:
        InputError: The model has no path for a scale, or was not trained at it.
    """
    usable = model.usable_scales
    if given is None:
        return tuple(scale for scale in defaults or usable if scale in usable) or usable
    app.check_scales(given, model.name, model.scales)
    untrained = [f"x{scale}" for scale in given if scale not in usable]
    if untrained:
        raise InputError(
            f"--scales={','.join(map(str, given))}: {path} was "
            f"never trained at {' and '.join(untrained)}, only at "
            f"{' and '.join(f'x{scale}' for scale in usable)}."
        )
    return given


def open_model(
    path: Path | str | None,
    name: str | None = None,
    target: str | None = None,
    options: StepOptions | None = None,
    use_ema: bool = True,
) -> Model | Upscaler:
    """Opens a model of a checkpoint or of a frozen file.

        open_model("pretrained/eusr").upscale(image, scale=4)

    Args:
        path: A checkpoint, a folder for its newest checkpoint, or a frozen `.pb` file;
            None for a model without weights.
        name: Name of the model in the registry; None for the checkpoint's.
        target: Name of the only item to read of a checkpoint; None for all.
        options: Options of training steps, with the precision; None for the defaults.
        use_ema: Whether to read the averaged weights, if there are any.

    Raises:
        InputError: The model or checkpoint does not exist, or they do not fit.
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
            f"--model={name}, but {prefix} holds {stored}. Leave --model out or give "
            f"--model={stored}."
        )
    model = load(MODELS, name or stored or DEFAULT, "--model").from_checkpoint(
        prefix, arguments, options
    )
    model.restore(prefix, target, use_ema=use_ema)
    if use_ema and "ema" in checkpoints.list_items(prefix):
        say("Using the running average of the weights; --nouse_ema uses the last.")
    return model


def find_shipped(name: str, flag: str = "--restore_path") -> str:
    """Finds the prefix of the weights of a model; `flag` names other weights.

    It is relative, and so shorter in messages, if it is below the current folder.
    """
    found = checkpoints.list_checkpoints(SHIPPED / name)
    if not found:
        raise InputError(
            f"--model={name} needs trained weights, and none are in {SHIPPED / name}. "
            f"Give {flag}=CHECKPOINT, for example train/model.ckpt-1000 or the folder "
            "train/."
        )
    prefix = found[-1]
    here = Path.cwd()
    return str(prefix.relative_to(here) if prefix.is_relative_to(here) else prefix)
