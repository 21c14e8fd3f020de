r"""Trains a score predictor.

    python score_predictors/train.py --dataloader=ava --ava_dataset_path=AVA.txt \
        --ava_image_path=images --train_path=train --weight_filename=ava.h5

The same command goes on where it was stopped.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from absl import flags  # noqa: E402

from console import app, quiet  # noqa: E402
from console.choices import Choice  # noqa: E402
from console.flags import (  # noqa: E402
    collect_values,
    define_count,
    define_float,
    define_path,
    define_seed,
)
from console.locks import Lock  # noqa: E402
from console.progress import say  # noqa: E402
from dataloaders import SCORED  # noqa: E402
from score_predictors import PREDICTORS  # noqa: E402

with quiet.imports():
    import keras

    from score_predictors.run_files import RunFiles
    from score_predictors.trainer import SCHEDULES, Trainer
    from training import checkpoints, devices, run_folder
    from training.arguments import check_same_run, write_arguments

FLAGS = flags.FLAGS
MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network to train.")
DATALOADER = Choice("dataloader", SCORED, "ava", "The loader of images and scores.")

# What may differ between two starts of a run without a word; see the root's train.py.
MAY_CHANGE = (
    *("epochs", "restore_path", "first_restore_path", "train_path"),
    *("cuda_device", "restart"),
)
MAY_CHANGE_SAID = ("learning_rate", "learning_rate_schedule")


def define_flags():
    """Declares the flags that are neither the network's nor the loader's."""
    define_count("batch_size", 32, "Patches in a training step.")
    define_count("input_patch_size", 192, "Side of the patches, in pixels.", least=32)
    define_count("epochs", 5, "Passes through the training images, in all.")
    define_float("learning_rate", 1e-3, "Adam's, at the first step.", lower_bound=0.0)
    flags.DEFINE_enum(
        "learning_rate_schedule",
        "constant",
        list(SCHEDULES),
        "Whether the learning rate stays, or falls along half a cosine to zero at the "
        "end of the last of --epochs; more of them make it rise again.",
    )
    define_path("train_path", "./train/", "Folder to write to.")
    flags.DEFINE_string(
        "weight_filename",
        "score_predictor.h5",
        "File of the weights in --train_path; what else belongs to the run has its "
        "name with other endings.",
    )
    define_path("restore_path", None, "File of weights that a new run starts from.")
    flags.DEFINE_bool("restart", False, "Begin anew; the run so far is kept aside.")
    flags.DEFINE_string(
        "cuda_device", "0", "GPU to train on; -1 for the CPU, as without any GPU."
    )
    define_seed()


def main():
    """Trains the predictor that the flags describe."""
    asked = FLAGS["cuda_device"]
    device = devices.choose(
        FLAGS.cuda_device, asked.serialize() if asked.present else None
    )
    files = RunFiles(FLAGS.train_path, FLAGS.weight_filename)
    files.check()
    name = f"--weight_filename={FLAGS.weight_filename}"
    with Lock(files.folder, name, f".{files.stem}.lock"):
        return _train(files, device)


def _train(files, device):
    """Trains, once nobody else writes the same files.

    Args:
        files: `score_predictors.run_files.RunFiles`.
        device: What the devices are called.

    Returns:
        None, or the exit status that a signal asks for.
    """
    predictor_class = MODEL.load(FLAGS.model)
    loader_class = DATALOADER.load(FLAGS.dataloader)
    loader = loader_class.from_flags(
        FLAGS.input_patch_size, FLAGS.batch_size, FLAGS.seed
    )
    loader.select()
    is_new = FLAGS.restart or not checkpoints.list_checkpoints(files.state)
    if is_new and not FLAGS.restart:
        files.check_new()
    before = {} if is_new else run_folder.read_before(files.state, files.arguments)
    keras.utils.set_random_seed(FLAGS.seed)
    predictor = predictor_class.from_flags(before.get("architecture"))
    arguments = collect_values(predictor_class, loader_class)
    arguments |= {
        "data_set": loader.describe(),
        "architecture": predictor.architecture(),
        # A later start may give another, or none, and takes nothing from it.
        "first_restore_path": before.get(
            "first_restore_path", before.get("restore_path", FLAGS.restore_path)
        ),
    }
    check_same_run(
        files.weights,
        before,
        arguments,
        (*MAY_CHANGE, *loader_class.may_change),
        (*MAY_CHANGE_SAID, *predictor_class.may_change),
    )
    # All that may be wrong comes before pictures are looked at, which may take long.
    start = predictor.load_start() if is_new else None
    loader.prepare()

    trainer = Trainer(
        predictor,
        loader,
        files,
        FLAGS.learning_rate,
        FLAGS.seed,
        FLAGS.learning_rate_schedule,
    )
    if is_new:
        say(f"Starting from {start}.")
        aside = files.set_aside() if FLAGS.restart else None
        if aside is not None:
            say(f"The run so far is now {aside}, and what belongs to it likewise.")
    else:
        trainer.resume()
        if (
            FLAGS.learning_rate_schedule == "cosine"
            and FLAGS.epochs != before["epochs"]
        ):
            say(
                "The learning rate now falls to zero over "
                f"--epochs={FLAGS.epochs}, not {before['epochs']}."
            )
    if trainer.epoch >= FLAGS.epochs:
        say(
            f"Nothing to do: {files.weights} has {trainer.epoch} epochs of "
            f"--epochs={FLAGS.epochs}."
        )
        return None
    trainer.state.arguments.values["run"] = arguments
    write_arguments(files.arguments, arguments)
    counts = loader.count()
    say(
        f"Training {predictor.name} on {device} on {counts['train']:,} pictures, "
        f"{counts['validate']:,} to validate; watch it: tensorboard "
        f"--logdir={files.folder}"
    )
    return trainer.run(FLAGS.epochs)


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL, DATALOADER))
