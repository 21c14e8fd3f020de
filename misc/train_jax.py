r"""Trains EUSR or 4PP-EUSR under JAX, where TensorFlow does not reach.

    python misc/train_jax.py --data_truth_path=HR --train_path=train/jax \
        --precision=bfloat16 --ema_decay=0.999 --max_seconds=32400

The same command on the same --train_path goes on where it was stopped.
`misc/import_weights.py` makes checkpoints of what it writes.
"""

import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from absl import flags  # noqa: E402

from console import app, quiet  # noqa: E402

quiet.backend = "jax"
# Keras would import it for some seconds, where it is installed, and use nothing of it.
sys.modules["tensorflow"] = None

from console.choices import Choice, only_in_helpfull  # noqa: E402
from console.errors import InputError, name_some  # noqa: E402
from console.files import check_target  # noqa: E402
from console.flags import collect_values, take_missing  # noqa: E402
from console.locks import Lock  # noqa: E402
from console.progress import say  # noqa: E402
from dataloaders import PAIRED, cache  # noqa: E402
from dataloaders.pairs import warn_of_common  # noqa: E402
from misc.jax_training import MODELS  # noqa: E402
from models.generator_settings import FLAG_PREFIX  # noqa: E402
from training.options import BasicOptions  # noqa: E402
from training.run_flags import (  # noqa: E402
    define_run_flags,
    read_scale_weights,
    refuse_validating,
)

with quiet.imports():
    import jax

    from misc.jax_training import archives, log, run_files
    from misc.jax_training.loop import Loop
    from misc.jax_training.settings import Settings
    from misc.jax_training.steps import Stepper, start_state
    from misc.jax_training.validation import Validation
    from models.footprint import check_memory
    from models.four_pass_settings import check_learned
    from models.measuring import SHAVE_SIZE
    from training.arguments import (
        ARGUMENTS,
        LEARNED,
        add_learned,
        check_same_run,
        write_arguments,
    )

FLAGS = flags.FLAGS
PRECISIONS = ("float32", "bfloat16")
MODEL = Choice("model", MODELS, "eusr", "The model to train.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")

# As in train.py: what may differ between two starts without a word, and with one.
MAY_CHANGE = (
    *("max_steps", "max_seconds", "log_freq", "save_freq", "save_seconds"),
    *("save_max_keep", "validate_freq", "validate_truth_path", "validate_input_path"),
    *("half_precision", "max_file_megabytes", "restore_path"),
    *("train_path", "cache_path", "data_cached", "data_truth_path", "data_input_path"),
)
MAY_CHANGE_SAID = (
    *("precision", "ema_decay", "gradient_clip_norm", "learning_rate_warmup_steps"),
)


def define_flags():
    """Declares the flags that are neither the model's nor the loader's."""
    define_run_flags()
    with only_in_helpfull(but=("max_steps", "max_seconds", "save_seconds")):
        Settings.define_flags()
        BasicOptions.define_flags(PRECISIONS)


def main():
    """Trains the model that the flags describe."""
    options, settings = BasicOptions.from_flags(), Settings.from_flags()
    folder = Path(FLAGS.train_path)
    check_target(folder, "--train_path", is_folder=True)
    check_target(folder / log.NAME, "--train_path")
    with Lock(folder, f"--train_path={folder}"):
        return _train(folder, options, settings)


def _train(folder, options, settings):
    """Trains, once nobody else writes to the folder.

    Args:
        folder: The run's.
        options: `training.options.BasicOptions`.
        settings: `misc.jax_training.settings.Settings`.

    Returns:
        None, or the exit status that a signal asks for.
    """
    model_class = MODEL.load(FLAGS.model)
    loader_class = DATALOADER.load(FLAGS.dataloader)
    found = run_files.read_newest(folder)
    start = None
    if found is None and FLAGS.restore_path is not None:
        start = run_files.read_weights(FLAGS.restore_path, "--restore_path")
    _take_architecture(model_class, folder, found, start)
    _check_schedule()
    # What Keras draws its seeds from; its own function would import TensorFlow.
    random.seed(FLAGS.seed)
    model = model_class.from_flags(options)
    scales = FLAGS.scales or model.trained_scales or model.scales
    app.check_scales(scales, model, does=model.trained_scales)
    loader = loader_class.from_flags(
        scales=scales,
        lr_patch_size=FLAGS.input_patch_size,
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
        scale_weights=read_scale_weights(scales),
    )
    _remember_compilations()
    stepper = Stepper(model, options, settings.steps_per_call)
    _check_shares(stepper)
    arguments = _collect(model, loader, loader_class, scales)
    _note_learned(model, scales, arguments, found or start)
    step, seconds, state = 0, 0.0, start_state(model, options)
    if found is not None:
        step, stored, before = found
        said = (*MAY_CHANGE_SAID, *model.may_change)
        check_same_run(folder, before["run"], arguments["run"], MAY_CHANGE, said, None)
        say(f"Going on from step {step} of {folder}.")
        seconds = float(stored.pop("seconds"))
        state = run_files.take_state(state, stored, folder)
    elif start is not None:
        path, arrays, _ = start
        say(f"Starting from the weights of {path}.")
        state = run_files.take_weights(state, arrays, path)
    if step >= settings.max_steps or seconds >= (settings.max_seconds or float("inf")):
        say(f"Nothing to do: step {step} of {settings.max_steps}, {seconds:.0f} s.")
        return None
    validation = _make_validation(model, loader, scales)
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


def _remember_compilations():
    """Keeps what was compiled for an accelerator beside the cached pixels.

    There it takes a minute or two, and a run that goes on needs the very same.
    """
    if jax.default_backend() != "cpu":
        folder = Path(FLAGS.cache_path or cache.default_folder()) / "jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _take_architecture(model_class, folder, found, start):
    """Gives flags of the network that were not given those of what is gone on from.

    Args:
        model_class: What is trained.
        folder: The run's.
        found: As `run_files.read_newest` returns it.
        start: As `run_files.read_weights` returns it; None for a run from scratch.
    """
    if found is None and start is None:
        return
    path, _, arguments = (folder, *found[1:]) if found is not None else start
    flag = "--restore_path" if found is None else "--train_path"
    fields = vars(archives.read_architecture(path, flag, arguments))
    known = {f"{FLAG_PREFIX}{name}": value for name, value in fields.items()}
    taken = take_missing(model_class.architecture_flags, known)
    if taken:
        say(f"The network is that of {path}: {' '.join(taken)}.")


def _check_schedule():
    """Refuses a fall of the learning rate that follows both the steps and the time.

    Raises:
        InputError: With what to give.
    """
    is_cosine = FLAGS.eusr_learning_rate_schedule == "cosine"
    given = FLAGS["eusr_learning_rate_decay_steps"].present
    if is_cosine and given and FLAGS.max_seconds is not None:
        raise InputError(
            "--eusr_learning_rate_decay_steps and --max_seconds both say when the "
            "cosine ends; give one of them."
        )


def _check_shares(stepper):
    """Refuses batches that the devices cannot share.

    Raises:
        InputError: With what would do.
    """
    devices = stepper.mesh.size
    if FLAGS.batch_size % devices:
        raise InputError(
            f"--batch_size={FLAGS.batch_size}: cannot be shared by {devices} devices; "
            "give a multiple."
        )


def _collect(model, loader, loader_class, scales):
    """What the run is started with: for its files, and to compare when it goes on."""
    run = collect_values(BasicOptions, type(model), loader_class)
    run |= {"dataloader": loader_class.__name__, "data_set": loader.describe()}
    run["scales"] = list(scales)
    return {"model": model.name, "architecture": vars(model.architecture), "run": run}


def _note_learned(model, scales, arguments, origin):
    """Adds to the arguments at which scales the weights were ever trained.

    Args:
        model: What is trained.
        scales: At which.
        arguments: Of the run's files; changed in place.
        origin: What is gone on from, whose arguments come last; None for nothing.

    Raises:
        InputError: A pass goes through a scale that was never trained.
    """
    before, path = (), FLAGS.train_path
    if origin is not None:
        before = origin[-1].get(LEARNED)
        has = origin[-1]["architecture"].get("model_scales", model.scales)
        if before is None and set(model.scales) - set(has):
            before = has  # At most at those that its network has.
        path = origin[0] if isinstance(origin[0], Path) else path
    passes = getattr(model.training, "passes", scales)
    if passes is not scales:
        check_learned(passes, before, path)
    learned = add_learned(before, passes)
    if learned is not None:
        arguments[LEARNED] = learned


def _make_validation(model, trained, scales):
    """What measures the model meanwhile; None if nothing is to be measured.

    Args:
        model: What is measured.
        trained: The loader of the images that are trained on.
        scales: At which it is measured.
    """
    if FLAGS.validate_truth_path is None:
        refuse_validating()
        return None
    loader = type(trained).from_flags(scales=scales, flag_prefix="--validate")
    loader.check_whole(SHAVE_SIZE)
    where = name_some(FLAGS.validate_truth_path)
    say(f"Validating on {len(loader.images)} images of {where}.")
    warn_of_common(loader.images, trained.images)
    return Validation(model.architecture, loader)


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL, DATALOADER))
