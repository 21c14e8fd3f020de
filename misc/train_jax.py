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
from console.errors import InputError, name_some
from console.files import check_target
from console.locks import Lock
from console.progress import say
from console.settings import (
    is_given,
    list_changes,
    record,
    take_missing,
)
from dataloaders import PAIRED, cache
from dataloaders.pairs import warn_of_common
from misc.jax_training import MODELS
from models.generator_settings import FLAG_PREFIX
from training.run_settings import RunSettings

with quiet.imports():
    import jax

    from metrics.measuring import SHAVE_SIZE
    from misc.jax_training import archives, log, run_files
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
    """Trains while no other process writes to the folder.

    Args:
        folder: The run's folder.
        start: `training.run_settings.RunSettings`.
        settings: `misc.jax_training.settings.LengthSettings`.
        options: `misc.jax_training.settings.JaxOptions`.

    Returns:
        None, or the exit status that a signal asks for.
    """
    model_class = MODEL.load()
    loader_class = DATALOADER.load()
    found, origin = run_files.read_newest(folder), None
    if found is None and start.restore_path is not None:
        origin = run_files.read_weights(start.restore_path, "--restore_path")
    _take_architecture(folder, found, origin)
    # Keras draws its seeds from `random`; its own function would import TensorFlow.
    random.seed(start.seed)
    model = model_class.from_flags(options)
    _check_schedule(model, settings)
    scales = start.scales or model.trained_scales or model.scales
    app.check_scales(scales, model, does=model.trained_scales)
    loader = loader_class.from_flags(
        scales=scales,
        lr_patch_size=start.input_patch_size,
        batch_size=start.batch_size,
        seed=start.seed,
        scale_weights=start.weigh(scales),
    )
    _remember_compilations(loader)
    stepper = Stepper(model, options, settings.steps_per_call)
    _check_shares(stepper, start.batch_size)
    classes = (*SETTINGS, *model_class.settings_classes, *loader_class.settings_classes)
    arguments = _collect(model, loader, scales, record(*classes))
    _note_learned(model, scales, arguments, found or origin, start.train_path)
    step, seconds, state = 0, 0.0, start_state(model, options)
    if found is not None:
        step, stored, before = found
        changes = list_changes(*classes)
        check_same_run(folder, before["run"], arguments["run"], changes, None)
        say(f"Going on from step {step} of {folder}.")
        seconds = float(stored.pop("seconds"))
        state = run_files.take_state(state, stored, folder)
    elif origin is not None:
        path, arrays, _ = origin
        say(f"Starting from the weights of {path}.")
        state = run_files.take_weights(state, arrays, path)
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
    run = Loop(stepper, state, loader, folder, settings, arguments)
    return run.run(step, seconds, validation, log.read(folder, step))


def _remember_compilations(loader):
    """Caches compilations for an accelerator beside the cached pixels.

    They take a minute or two, and a resumed run needs the same.
    """
    if jax.default_backend() != "cpu":
        folder = Path(loader.settings.cache_path or cache.default_folder()) / "jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _take_architecture(folder, found, start):
    """Takes flags of the network that were not given from the files to start from.

    Args:
        folder: The run's folder.
        found: The result of `run_files.read_newest`.
        start: The result of `run_files.read_weights`; None for a run from scratch.
    """
    if found is None and start is None:
        return
    path, _, arguments = (folder, *found[1:]) if found is not None else start
    flag = "--restore_path" if found is None else "--train_path"
    fields = vars(archives.read_architecture(path, flag, arguments))
    known = {f"{FLAG_PREFIX}{name}": value for name, value in fields.items()}
    if taken := take_missing(known):
        say(f"The network is that of {path}: {' '.join(taken)}.")


def _check_schedule(model, settings):
    """Refuses a decay of the learning rate that follows both the steps and the time.

    Args:
        model: The model to train.
        settings: `misc.jax_training.settings.LengthSettings`.

    Raises:
        InputError: Both flags are given.
    """
    is_cosine = model.training.learning_rate_schedule == "cosine"
    is_timed = settings.max_seconds is not None
    if is_cosine and is_timed and is_given("eusr_learning_rate_decay_steps"):
        raise InputError(
            "--eusr_learning_rate_decay_steps and --max_seconds both say when the "
            "cosine ends; give one of them."
        )


def _check_shares(stepper, batch_size):
    """Refuses batches that the devices cannot share.

    Raises:
        InputError: The batch size is not a multiple of the number of devices.
    """
    devices = stepper.mesh.size
    if batch_size % devices:
        raise InputError(
            f"--batch_size={batch_size}: cannot be shared by {devices} devices; "
            "give a multiple."
        )


def _collect(model, loader, scales, recorded):
    """The arguments of the run, for its files and to compare when it is resumed."""
    run = recorded | {"model": model.name, "dataloader": type(loader).__name__}
    run |= {"data_set": loader.describe(), "scales": list(scales)}
    return {"model": model.name, "architecture": vars(model.architecture), "run": run}


def _note_learned(model, scales, arguments, origin, folder):
    """Adds the scales that the weights were ever trained at to the arguments.

    Args:
        model: The model to train.
        scales: The scales to train.
        arguments: Arguments for the run's files; changed in place.
        origin: The files to start from, with their arguments last; None for none.
        folder: The run's folder, for messages.

    Raises:
        InputError: A pass uses a scale that was never trained.
    """
    before, path = (), folder
    if origin is not None:
        before = origin[-1].get(LEARNED)
        has = origin[-1]["architecture"].get("model_scales", model.scales)
        if before is None and set(model.scales) - set(has):
            before = has  # At most the scales of its network.
        path = origin[0] if isinstance(origin[0], Path) else path
    passes = getattr(model.training, "passes", scales)
    if passes is not scales:
        check_learned(passes, before, path)
    learned = add_learned(before, passes)
    if learned is not None:
        arguments[LEARNED] = learned


def _make_validation(model, trained, start):
    """Makes the validation; None if --validate_truth_path is not given.

    Args:
        model: The model to measure, at the scales that are trained.
        trained: The loader of the training images.
        start: `training.run_settings.RunSettings`.
    """
    if start.validate_truth_path is None:
        start.refuse_validating()
        return None
    loader = trained.validating(start.validate_truth_path, start.validate_input_path)
    loader.check_whole(SHAVE_SIZE)
    where = name_some(start.validate_truth_path)
    say(f"Validating on {len(loader.images)} images of {where}.")
    warn_of_common(loader.images, trained.images)
    return Validation(model.architecture, loader)


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
