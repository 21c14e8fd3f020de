r"""Trains EUSR or 4PP-EUSR under JAX, for devices that TensorFlow does not support.

    python misc/train_jax.py --data_truth_path=HR --train_path=train/jax \
        --precision=bfloat16 --ema_decay=0.999 --max_seconds=32400

The same command with the same --train_path resumes a run that was stopped.
`misc/import_weights.py` converts its files to checkpoints.
"""

import random
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from console import app, quiet

quiet.backend = "jax"
# Keras would import an installed TensorFlow for seconds without using it.
sys.modules["tensorflow"] = None  # type: ignore[assignment]

from console.choices import Choice
from console.errors import InputError
from console.files import check_target
from console.locks import Lock
from console.progress import say
from console.settings import is_given, list_changes
from dataloaders import PAIRED, cache
from misc.jax_training import MODELS
from models.generator_settings import FLAG_PREFIX
from training.options import RunSettings

with quiet.imports():
    import jax

    from metrics.measuring import SHAVE_SIZE
    from misc.jax_training import log, run_files
    from misc.jax_training.loop import Loop
    from misc.jax_training.settings import JaxOptions, LengthSettings
    from misc.jax_training.steps import Stepper, start_state
    from misc.jax_training.validation import Validation
    from models.footprint import check_memory
    from models.four_pass_settings import check_learned
    from training.arguments import (
        ARGUMENTS,
        LEARNED,
        add_learned,
        check_same_run,
        describe_run,
        take_network,
        write_arguments,
    )

MODEL = Choice("model", MODELS, "eusr", "The model to train.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")

SETTINGS: tuple[Any, ...] = (RunSettings, LengthSettings, JaxOptions)


def main() -> int | None:
    """Trains the model that the flags describe; returns the exit status."""
    start, settings, options = (each.from_flags() for each in SETTINGS)
    folder = Path(start.train_path)
    check_target(folder, "--train_path", is_folder=True)
    check_target(folder / log.NAME, "--train_path")
    with Lock(folder, f"--train_path={folder}"):
        return _train(folder, start, settings, options)


def _train(folder, start, settings, options):
    """Trains while no other process writes to the folder; see `main`."""
    model_class, loader_class = MODEL.load(), DATALOADER.load()
    origin = run_files.find_origin(folder, start.restore_path)
    if origin is not None:
        fields = vars(origin.read_architecture())
        take_network(origin.path, {f"{FLAG_PREFIX}{n}": v for n, v in fields.items()})
    # Keras draws its seeds from `random`; its own function would import TensorFlow.
    random.seed(start.seed)
    model = model_class.from_flags(options)
    _check_schedule(model, settings)
    scales = start.scales or model.trained_scales or model.scales
    app.check_scales(scales, model.name, model.trained_scales or model.scales)
    loader = start.make_loader(loader_class, scales)
    _remember_compilations(loader)
    stepper = Stepper(model, settings.steps_per_call)
    stepper.check_batch_size(start.batch_size)
    classes = (*SETTINGS, *model_class.settings_classes, *loader_class.settings_classes)
    arguments = {
        "model": model.name,
        "architecture": vars(model.architecture),
        "run": describe_run(model.name, loader, *classes),
        **_list_learned(model, scales, origin, folder),
    }
    step, seconds, state = 0, 0.0, start_state(model)
    if origin is not None:
        if origin.step is None:
            say(f"Starting from the weights of {origin.path}.")
        else:
            changes, before = list_changes(*classes), origin.arguments["run"]
            check_same_run(folder, before, arguments["run"], changes, None)
            say(f"Resuming from step {origin.step} of {folder}.")
            step = origin.step
        state = run_files.take_state(state, origin)
        seconds = float(state.pop("seconds", 0.0))
    if step >= settings.max_steps or seconds >= (settings.max_seconds or float("inf")):
        say(f"Nothing to do: step {step} of {settings.max_steps}, {seconds:.0f} s.")
        return None
    validation = _make_validation(model, loader, start)
    if jax.default_backend() == "cpu":
        check_memory(loader, model.count_step_memory(scales))
    loader.prepare()
    write_arguments(folder / ARGUMENTS, arguments["run"])
    devices = stepper.mesh.devices
    named = ", ".join(f"x{scale}" for scale in scales)
    say(
        f"Training {model.name} at {named} on {devices.size} x "
        f"{devices.flat[0].device_kind} from step {step} in {folder}"
    )
    loop = Loop(stepper, loader, folder, settings, arguments, validation)
    return loop.run(state, step, seconds, log.read(folder, step))


def _remember_compilations(loader):
    """Caches compilations for an accelerator, of a minute or two, beside the pixels."""
    if jax.default_backend() != "cpu":
        folder = Path(loader.settings.cache_path or cache.default_folder()) / "jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _check_schedule(model, settings):
    """Refuses a decay of the learning rate that follows both the steps and the time."""
    if (
        model.training.learning_rate_schedule == "cosine"
        and settings.max_seconds is not None
        and is_given("eusr_learning_rate_decay_steps")
    ):
        raise InputError(
            "--eusr_learning_rate_decay_steps and --max_seconds both say when the "
            "cosine ends; give one of them."
        )


def _list_learned(model, scales, origin, folder):
    """Lists the scales that the weights were ever trained at, for the arguments.

    Raises:
        InputError: A pass uses a scale that was never trained.
    """
    before, path = (), folder
    if origin is not None:
        before, path = origin.list_learned(model.scales), origin.path
    passes = getattr(model.training, "passes", None)
    if passes is not None:
        check_learned(passes, before, path)
    learned = add_learned(before, passes or scales)
    return {} if learned is None else {LEARNED: learned}


def _make_validation(model, trained, start):
    """Makes the validation; None if --validate_truth_path is not given."""
    if start.validate_truth_path is None:
        start.refuse_validating()
        return None
    paths = start.validate_truth_path, start.validate_input_path
    return Validation(model.architecture, trained.validating(*paths, SHAVE_SIZE))


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
