r"""Trains a model.

    python train.py --data_input_path=LR --data_truth_path=HR --train_path=train \
        --model=eusr --scales=2,4,8

The same command on the same --train_path goes on where it was stopped.
"""

import contextlib
from pathlib import Path

from absl import flags

from console import app, quiet
from console.choices import Choice, only_in_helpfull
from console.errors import InputError, name_some
from console.files import check_target
from console.flags import collect_values, define_count, define_float
from console.locks import Lock
from console.progress import say, warn
from dataloaders import PAIRED
from dataloaders.pairs import warn_of_common
from models import BASELINES, MODELS

with quiet.imports():
    import keras

    from models import judging, opening
    from models.footprint import check_memory
    from models.measuring import BASELINE, SHAVE_SIZE, Validation
    from training import checkpoints, devices, run_folder
    from training.arguments import ARGUMENTS, check_same_run, write_arguments
    from training.loop import Loop, LoopSettings
    from training.options import StepOptions, check_heeded
    from training.replicas import make_team
    from training.run_flags import (
        define_run_flags,
        read_scale_weights,
        refuse_validating,
    )

FLAGS = flags.FLAGS
MODEL = Choice("model", MODELS, "eusr", "The model to train.", not_offered=BASELINES)
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")

# What may differ between two starts of a run without a word: how long and how often,
# where things are and where they run, and what counts for this start alone.
MAY_CHANGE = (
    *("max_steps", "log_freq", "summary_freq", "save_freq", "save_max_keep"),
    *("validate_freq", "validate_truth_path", "validate_input_path"),
    *("best_metric", "niqe_model_path"),
    *("restore_path", "restore_target", "use_ema", "global_step", "restart"),
    "first_restore_path",
    *("train_path", "cache_path", "data_cached", "data_truth_path", "data_input_path"),
    *("cuda_device", "jit_compile", "skip_nonfinite", "sleep_ratio"),
)

# What may differ and is said: it changes how the weights move from here on. A model
# adds its learning rates. Anything else is another run.
MAY_CHANGE_SAID = (
    *("precision", "ema_decay", "gradient_clip_norm", "learning_rate_warmup_steps"),
    "deterministic",
)


def define_flags():
    """Declares the flags that are neither the model's nor the loader's."""
    define_run_flags()
    flags.DEFINE_string(
        "cuda_device", "0", "GPU to train on; -1 for the CPU, as without any GPU."
    )
    define_float("sleep_ratio", 0.05, "Does nothing; kept for old commands.")
    flags.DEFINE_string(
        "restore_target", None, "Part of it to restore, for example generator."
    )
    flags.DEFINE_bool(
        "restart", False, "Begin anew; the run in --train_path is kept aside."
    )
    define_count(
        "global_step",
        None,
        "Step to start at, for the learning rate and the data; 0 for a new run.",
        least=0,
    )
    with only_in_helpfull(but=("max_steps", "save_freq")):
        LoopSettings.define_flags()
        StepOptions.define_flags()
        opening.define_use_ema()
        judging.define_training_flags()


def main():
    """Trains the model that the flags describe."""
    asked = FLAGS["cuda_device"]
    device = devices.choose(
        FLAGS.cuda_device, asked.serialize() if asked.present else None
    )
    settings, options = LoopSettings.from_flags(), StepOptions.from_flags()
    check_heeded(MODEL.load(FLAGS.model))
    if options.deterministic:
        devices.make_deterministic()
    devices.warn_if_slow(options.precision)
    team = make_team()
    folder = Path(FLAGS.train_path)
    check_target(folder, "--train_path", is_folder=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(team.watching())
        # Of several workers, one writes.
        lock = Lock(folder, f"--train_path={folder}") if team.is_chief else None
        if lock is not None:
            stack.enter_context(lock)
        return _train(team, folder, lock, device, settings, options)


def _train(team, folder, lock, device, settings, options):
    """Trains, once it is known who does.

    Args:
        team: `training.replicas.Team`.
        folder: The run's.
        lock: `console.locks.Lock` of it; None for a worker that does not write.
        device: What the devices are called.
        settings: `LoopSettings`.
        options: `StepOptions`.

    Returns:
        None, or the exit status that a signal asks for.
    """
    team.check_batch_size(FLAGS.batch_size)
    model_class = MODEL.load(FLAGS.model)
    if not model_class.needs_checkpoint:
        raise InputError(f"--model={model_class.name} has nothing to train.")
    loader_class = DATALOADER.load(FLAGS.dataloader)
    _take_architecture(model_class, folder)
    scales = FLAGS.scales or model_class.list_trained_scales()
    loader = loader_class.from_flags(
        scales=scales,
        lr_patch_size=FLAGS.input_patch_size,
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
        scale_weights=read_scale_weights(scales),
    )
    arguments = collect_values(
        LoopSettings, StepOptions, opening, judging, model_class, loader_class
    )
    # Which may have two names.
    arguments |= {"dataloader": loader_class.__name__, "data_set": loader.describe()}
    arguments["scales"] = list(scales)
    before = {} if FLAGS.restart else run_folder.read_before(folder)

    keras.utils.set_random_seed(FLAGS.seed)
    with team.strategy.scope():
        model = model_class.from_flags(options)
    app.check_scales(scales, model, does=model.trained_scales)
    # Once all flags are known to be right: it says what changes from here on.
    if not FLAGS.restart and checkpoints.list_checkpoints(folder):
        said = (*MAY_CHANGE_SAID, *model_class.may_change)
        newest = checkpoints.list_checkpoints(folder)[-1]
        more = f"--restore_path={newest} --global_step={checkpoints.step_of(newest)}"
        check_same_run(folder, before, arguments, MAY_CHANGE, said, more=more)
    goes_back = _restore(model, folder, before)
    # A later start may give none, and the command of the first one still goes on.
    first = arguments["restore_path"] if not before else before.get("restore_path")
    arguments["first_restore_path"] = before.get("first_restore_path", first)
    model.state.arguments.values["run"] = arguments
    model.learn(scales)
    if model.step >= settings.max_steps:
        say(f"Nothing to do: step {model.step} of --max_steps={settings.max_steps}.")
        return None
    validation = _make_validation(model, loader, scales)
    if device == devices.CPU:  # A GPU's memory is not the machine's.
        step_bytes = model.count_step_memory(scales)
        check_memory(loader, step_bytes, team.workers, team.replicas)
    loader.prepare()

    if team.is_chief and FLAGS.restart:
        aside = run_folder.set_aside(folder)
        if aside is not None:
            lock.follow(aside)
            say(f"The run in {folder} is now in {aside}.")
    loop = Loop(model, loader, folder, settings, team, validation)

    def begin():
        if goes_back is not None:
            aside = run_folder.set_later_aside(folder, model.step, goes_back)
            if aside is not None:
                say(f"The checkpoints that come after it are now in {aside}.")
            # So that the step that was asked for counts once, whatever comes.
            saved = map(checkpoints.step_of, checkpoints.list_checkpoints(folder))
            if model.step not in saved:
                loop.save()
        write_arguments(folder / ARGUMENTS, arguments)

    named = ", ".join(f"x{scale}" for scale in scales)
    say(
        f"Training {model.name} at {named} on {team.describe(device)} from step "
        f"{model.step} to {settings.max_steps} in {folder}; watch it: tensorboard "
        f"--logdir={folder}"
    )
    return loop.run(begin)


def _take_architecture(model_class, folder):
    """Makes flags of the network that were not given those of what is gone on from.

    Args:
        model_class: What is trained.
        folder: The run's folder: if it holds checkpoints, it is gone on from these,
            and otherwise from --restore_path.
    """
    saved = [] if FLAGS.restart else checkpoints.list_checkpoints(folder)
    takes_network = FLAGS.restore_target in (None, "generator")
    if not saved and FLAGS.restore_path is not None and takes_network:
        saved = [checkpoints.find(FLAGS.restore_path)]
    run_folder.take_architecture(model_class, saved)


def _make_validation(model, trained, scales):
    """What measures the model meanwhile; None if nothing is to be measured.

    Args:
        model: What is measured.
        trained: The loader of the images that are trained on.
        scales: At which it is measured.
    """
    if FLAGS.validate_truth_path is None:
        refuse_validating("niqe_model_path", "best_metric")
        return None
    judges = judging.judges_from_flags()
    if FLAGS.best_metric not in (*Validation.METRICS, *judges):
        raise InputError(
            f"--best_metric={FLAGS.best_metric} needs --niqe_model_path, too."
        )
    loader = type(trained).from_flags(scales=scales, flag_prefix="--validate")
    # So that anything wrong is met before the training.
    loader.check_whole(SHAVE_SIZE, with_niqe="niqe" in judges)
    where = name_some(FLAGS.validate_truth_path)
    say(f"Validating on {len(loader.images)} images of {where}.")
    warn_of_common(loader.images, trained.images)
    return Validation(
        model,
        opening.open_model(BASELINE)[0],
        loader,
        SHAVE_SIZE,
        judges,
        FLAGS.best_metric,
    )


def _restore(model, folder, before):
    """Goes on with a run, or starts one from --restore_path or from scratch.

    Args:
        model: What to restore.
        folder: The run's folder.
        before: The arguments of the run's last start; empty for a new one.

    Returns:
        str: Of a run that goes back, the checkpoint in its folder that it goes back to,
        or "" where the state is no checkpoint's; None for any other.

    Raises:
        InputError: --restore_path is that of another run than the one in the folder.
    """
    newest = back = None
    if not FLAGS.restart and checkpoints.list_checkpoints(folder):
        back = run_folder.find_return(folder, FLAGS.restore_path, before)
        if back is not None and FLAGS.restore_target is not None:
            raise InputError(
                f"--restore_path={FLAGS.restore_path} is a checkpoint of the run in "
                f"--train_path={folder}, which goes back to it with all that it holds: "
                "leave --restore_target out, or give another --train_path."
            )
        newest = run_folder.restore_newest(model, folder, only=back)
    if newest is not None:
        say(f"Going {'on with' if back is None else 'back to'} {newest}.")
    elif FLAGS.restore_path is not None:
        prefix = checkpoints.find(FLAGS.restore_path)
        model.restore(prefix, FLAGS.restore_target, use_ema=FLAGS.use_ema)
        say(f"Starting from the weights of {prefix}.")
    is_scratch = newest is None and (
        FLAGS.restore_path is None or FLAGS.restore_target not in (None, "generator")
    )
    if is_scratch and model.advice_for_scratch is not None:
        warn(model.advice_for_scratch)
    # The same command must go on from where it is, not from where it once began.
    is_new = newest is None or FLAGS.global_step != before.get("global_step")
    if FLAGS.global_step is not None and is_new:
        is_other = model.step != FLAGS.global_step
        model.state.step.assign(FLAGS.global_step)
        if newest is not None and is_other:
            return ""
    return back


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL, DATALOADER))
