r"""Trains a model.

    python train.py --data_input_path=LR --data_truth_path=HR --train_path=train \
        --model=eusr --scales=2,4,8

The same command on the same --train_path goes on where it was stopped.
"""

import sys
from pathlib import Path

from absl import flags

from console import app, quiet
from console.errors import InputError
from console.flags import Choice, define_count, define_numbers
from console.progress import say
from dataloaders import PAIRED
from models import MODELS

with quiet.imports():
    import keras

    from training import checkpoints, devices, run_folder
    from training.loop import Loop, LoopSettings

FLAGS = flags.FLAGS
MODEL = Choice("model", MODELS, "eusr", "The model to train.")
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")

# What a run may change between two starts: how long and how often, not what is
# trained; where it starts from counts once.
MAY_CHANGE = (
    *("max_steps", "log_freq", "summary_freq", "save_freq", "save_max_keep"),
    *("restore_path", "restore_target", "global_step", "restart", "sleep_ratio"),
    *("train_path", "cache_path", "data_cached", "data_input_path", "data_truth_path"),
    *("cuda_device", "skip_nonfinite"),
)


def define_flags():
    """Declares the flags that are neither the model's nor the loader's."""
    define_count("batch_size", 16, "Patches in a training step.")
    define_count("input_patch_size", 48, "Side of the LR patches, in LR pixels.")
    define_numbers("scales", (2, 4, 8), "Scales to train; each step draws one.")
    flags.DEFINE_string(
        "cuda_device", "0", "GPU to train on; -1 for the CPU, as without any GPU."
    )
    flags.DEFINE_string(
        "train_path", "./train/", "Folder of checkpoints and TensorBoard's files."
    )
    flags.DEFINE_float("sleep_ratio", 0.05, "Does nothing; kept for old commands.")
    flags.DEFINE_string(
        "restore_path",
        None,
        "Checkpoint that a new run starts from; a folder means its newest. A "
        "--train_path that holds a run goes on with it instead.",
    )
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
    define_count(
        "seed", 0, "Of weights and data: the same seed, the same run.", least=0
    )
    LoopSettings.define_flags()
    # --helpshort shows these too; --helpfull shows all.
    for name in ("max_steps", "log_freq", "summary_freq", "save_freq", "save_max_keep"):
        flags.declare_key_flag(name)


def main():
    """Trains the model that the flags describe."""
    device = devices.choose(FLAGS.cuda_device)
    folder = Path(FLAGS.train_path)
    arguments = _collect_arguments()
    run_folder.check_writable(folder)
    if not FLAGS.restart and checkpoints.list_checkpoints(folder):
        run_folder.check_same_run(folder, arguments, MAY_CHANGE)

    settings = LoopSettings.from_flags()
    if settings.deterministic:
        devices.make_deterministic()
    keras.utils.set_random_seed(FLAGS.seed)
    model = MODEL.load(FLAGS.model).from_flags()
    if model.state is None:
        raise InputError(f"--model={model.name} has nothing to train.")
    model.state.tolerated = settings.skip_nonfinite
    app.check_scales(FLAGS.scales, model)
    loader = DATALOADER.load(FLAGS.dataloader).from_flags(
        scales=FLAGS.scales,
        lr_patch_size=FLAGS.input_patch_size,
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
    )
    _restore(model, folder)
    if model.step >= settings.max_steps:
        say(f"Nothing to do: step {model.step} of --max_steps={settings.max_steps}.")
        return None
    loader.prepare()

    if FLAGS.restart:
        aside = run_folder.set_aside(folder)
        if aside is not None:
            say(f"The run in {folder} is now in {aside}.")
    checkpoints.write_arguments(folder, arguments)
    scales = ", ".join(f"x{scale}" for scale in FLAGS.scales)
    say(
        f"Training {model.name} at {scales} on {device} from step {model.step} to "
        f"{settings.max_steps} in {folder}; watch it: tensorboard --logdir={folder}"
    )
    return Loop(model, loader, folder, settings).run()


def _collect_arguments():
    """The values of the flags that say what and how to train, for JSON."""
    model, loader = MODEL.load(FLAGS.model), DATALOADER.load(FLAGS.dataloader)
    # absl calls the script's own module by the name it was started with.
    modules = {sys.argv[0], *_modules_of(LoopSettings, model, loader)}
    by_module = FLAGS.flags_by_module_dict()
    named = {flag.name: flag.value for m in modules for flag in by_module.get(m, ())}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in named.items()
    }


def _modules_of(*classes):
    """Names of the modules in which the classes and their bases declare flags."""
    return [base.__module__ for each in classes for base in each.__mro__]


def _restore(model, folder):
    """Goes on with a run, or starts one from --restore_path or from scratch."""
    newest = None if FLAGS.restart else run_folder.restore_newest(model, folder)
    if newest is not None:
        say(f"Going on with {newest}.")
    elif FLAGS.restore_path is not None:
        prefix = checkpoints.find(FLAGS.restore_path)
        model.restore(prefix, FLAGS.restore_target)
        say(f"Starting from the weights of {prefix}.")
    if FLAGS.global_step is not None:
        model.state.step.assign(FLAGS.global_step)


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL, DATALOADER))
