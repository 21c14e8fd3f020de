r"""Converts weights of `misc/train_jax.py` to a checkpoint, or the reverse.

    python misc/import_weights.py --input_path=weights-50000.npz \
        --output_path=train/big/model.ckpt-50000
    python misc/import_weights.py --input_path=pretrained/eusr \
        --output_path=start/weights-106256.npz

`validate.py`, `test.py`, `freeze.py` and `train.py --restore_path` take the checkpoint,
`misc/train_jax.py --restore_path` takes the weights. A folder means its newest file.
Files that were split into pieces are joined. Adam's moments are left out.
"""

import dataclasses
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from console.choices import load
from console.errors import InputError
from console.files import check_target
from console.progress import say
from console.settings import PathName, Settings, option

with quiet.imports():
    from misc.jax_training import archives, run_files
    from models import MODELS, exporting, opening
    from models.generator import Generator
    from training import checkpoints, devices
    from training.arguments import LEARNED
    from training.options import StepOptions
    from training.state import State

FLAG = "--input_path"
ENDING = ".npz"


@dataclasses.dataclass(frozen=True)
class ImportSettings(Settings):
    """The file to convert and the file to write."""

    input_path: PathName = option(
        None,
        "weights-<step>.npz, one of its pieces, or a run's folder; or a checkpoint.",
        is_required=True,
    )
    output_path: PathName = option(
        None,
        "Prefix of the checkpoint's files, for example train/model.ckpt-50000; or a "
        f"name that ends in {ENDING}, to convert a checkpoint.",
        is_required=True,
    )
    half_precision: bool = option(False, f"Store 16 bits per weight in {ENDING}.")


def main() -> None:
    """Converts in the direction that the ending of --output_path selects."""
    settings = ImportSettings.from_flags()
    devices.choose("-1")
    if settings.output_path.endswith(ENDING):
        _export(settings)
    elif settings.half_precision:
        raise InputError(
            f"--half_precision is for an --output_path that ends in {ENDING}."
        )
    else:
        _import(settings)


def _export(settings):
    """Writes a checkpoint's weights as an archive."""
    prefix = checkpoints.find(settings.input_path, FLAG)
    check_target(settings.output_path, "--output_path")
    model, step = opening.open_model(prefix), checkpoints.read_step(prefix)
    items = {"generator": model.generator}
    if "discriminator" in checkpoints.list_items(prefix):
        items["discriminator"] = exporting.read_discriminator(prefix)
    arrays = {
        f"{item}/{name}": variable.numpy()
        for item, layer in items.items()
        for name, variable in _by_name(layer).items()
    }
    if settings.half_precision:
        arrays = {name: archives.to_half(array) for name, array in arrays.items()}
    arguments = {
        "model": model.name,
        "architecture": dataclasses.asdict(model.architecture),
        "step": step,
    }
    if model.learned_scales:
        arguments[LEARNED] = model.learned_scales
    archives.write(settings.output_path, arrays, arguments)
    say(f"Wrote {settings.output_path}: {', '.join(items)} of step {step}.")


def _import(settings):
    """Writes an archive's weights as a checkpoint and checks it."""
    target = Path(settings.output_path)
    exporting.CheckpointFormat.check_target(target, "--output_path")
    origin = run_files.read_weights(settings.input_path, FLAG)
    layers, architecture = _make_layers(origin)
    for item, layer in layers.items():
        found, variables = origin.state[item], _by_name(layer)
        archives.check_fits(origin.path, FLAG, found, variables)
        for name, variable in variables.items():
            variable.assign(found[name])
    kept = {**origin.arguments, "architecture": architecture}
    kept.pop("step", None)
    state = State(kept, StepOptions())
    step = archives.step_of(origin.path)
    state.step.assign(step or 0)
    items = {r: checkpoints.to_tree(layer.weights) for r, layer in layers.items()}
    items["state"] = state.tree()
    exporting.write_items(items, target)
    say(f"Wrote {settings.output_path}: {', '.join(layers)} of step {step or 0}.")


def _make_layers(origin):
    """Makes the networks of an archive, by items' names, and returns the architecture.

    Raises:
        InputError: The archive does not name its model, or holds no generator.
    """
    name = f"{FLAG}={origin.path}"
    load(MODELS, str(origin.arguments.get("model")), f"{name}: its model")
    architecture = origin.read_architecture()
    make = {
        "generator": lambda: Generator(architecture),
        "ema": lambda: Generator(architecture),
        "discriminator": lambda: exporting.make_discriminator(
            {n: array.shape for n, array in origin.state["discriminator"].items()}
        ),
    }
    layers = {item: make[item]() for item in run_files.ITEMS if item in origin.state}
    if "generator" not in layers:
        raise InputError(f"{name}: holds no generator; use another file.")
    return layers, dataclasses.asdict(architecture)


def _by_name(layer):
    """Returns a layer's variables by the names that checkpoints use."""
    return {archives.name_of(variable): variable for variable in layer.weights}


if __name__ == "__main__":
    app.run(main, (ImportSettings,))
