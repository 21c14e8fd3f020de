r"""Trains a score predictor.

    python score_predictors/train.py --dataloader=ava --ava_dataset_path=AVA.txt \
        --ava_image_path=images --train_path=train --weight_filename=ava.h5

The same command resumes a run that was stopped.
"""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from console.choices import Choice
from console.locks import Lock
from console.progress import say
from console.settings import (
    PathName,
    Settings,
    list_changes,
    option,
    record,
    seed_option,
)
from dataloaders import SCORED
from score_predictors import PREDICTORS

with quiet.imports():
    import keras

    from score_predictors import epochs
    from score_predictors.run_files import RunFiles
    from score_predictors.trainee import SCHEDULES, Trainee
    from training import checkpoints, devices, run_folder
    from training.arguments import check_same_run, write_arguments
    from training.options import StepOptions
    from training.replicas import make_team

MODEL = Choice("model", PREDICTORS, "mobilenetv2", "The network to train.")
DATALOADER = Choice("dataloader", SCORED, "ava", "The loader of images and scores.")


@dataclasses.dataclass(frozen=True)
class RunSettings(Settings):
    """How a predictor is trained, and where its files go."""

    batch_size: int = option(32, "Patches in a training step.")
    input_patch_size: int = option(192, "Side of the patches, in pixels.", least=32)
    epochs: int = option(
        5, "Epochs in total, including those of earlier starts.", changes="freely"
    )
    learning_rate: float = option(
        1e-3, "Initial learning rate of Adam.", least=0.0, changes="said"
    )
    learning_rate_schedule: str = option(
        "constant",
        "Whether the learning rate is constant, or falls along half a cosine to zero "
        "at the end of --epochs; if --epochs is raised later, it rises again.",
        choices=tuple(SCHEDULES),
        changes="said",
    )
    train_path: PathName = option("./train/", "Folder to write to.", changes="freely")
    weight_filename: str = option(
        "score_predictor.h5",
        "File of the weights in --train_path; the other files of the run have the same "
        "name with other endings.",
    )
    restore_path: PathName | None = option(
        None, "File of weights that a new run starts from.", changes="freely"
    )
    restart: bool = option(
        False,
        "Start a new run; the files of the old run are renamed.",
        changes="freely",
    )
    cuda_device: str = option(
        "0",
        "GPUs to train on, such as 0,1; -1 or no GPU: the CPU.",
        changes="freely",
    )
    seed: int = seed_option()


SETTINGS: tuple[Any, ...] = (RunSettings, StepOptions)


def main() -> int | None:
    """Trains the predictor that the flags describe; returns the exit status."""
    run, options = (each.from_flags() for each in SETTINGS)
    device = devices.set_up_training(MODEL.load(), run.cuda_device, options)
    team = make_team()
    files = RunFiles(run.train_path, run.weight_filename)
    files.check()
    name = f"--weight_filename={run.weight_filename}"
    lock = Lock(files.folder, name, f".{files.stem}.lock")
    # Only one of several workers writes.
    with team.watching(), lock if team.is_chief else contextlib.nullcontext():
        return _train(team, run, options, files, device)


def _train(team, run, options, files, device):
    """Trains while no other process writes the same files; returns the exit status."""
    team.check_batch_size(run.batch_size)
    predictor_class, loader_class = MODEL.load(), DATALOADER.load()
    loader = loader_class.from_flags(run.input_patch_size, run.batch_size, run.seed)
    loader.select()
    is_new = run.restart or not checkpoints.list_checkpoints(files.state)
    if is_new and not run.restart:
        files.check_new()
    before = {} if is_new else run_folder.read_before(files.state, files.arguments)
    keras.utils.set_random_seed(run.seed)
    # The run of another predictor is refused below.
    is_same = before.get("model") == predictor_class.name
    with team.strategy.scope():
        predictor = predictor_class.from_flags(
            before.get("architecture") if is_same else None,
            run.restore_path,
            options.precision,
        )
    classes = *SETTINGS, *predictor_class.settings_classes
    classes += loader_class.settings_classes
    arguments = record(*classes) | {
        **{choice.flag: choice.name for choice in (MODEL, DATALOADER)},
        "data_set": loader.describe(),
        "architecture": predictor.architecture(),
        # A later start may give another path or none; it does not read the file.
        "first_restore_path": before.get(
            "first_restore_path", before.get("restore_path", run.restore_path)
        ),
    }
    check_same_run(
        files.weights,
        before,
        arguments,
        list_changes(*classes) | {"first_restore_path": "freely"},
    )
    # Errors should come before the pictures are checked, which may take long.
    start = predictor.load_start(run.restore_path) if is_new else None
    loader.prepare()

    schedule = run.learning_rate_schedule
    with team.strategy.scope():
        trainee = Trainee(predictor, run.learning_rate, schedule, run.seed, options)
    if is_new:
        say(f"Starting from {start}.")
        aside = files.set_aside() if run.restart and team.is_chief else None
        if aside is not None:
            say(f"The old run is now {aside}; its other files are renamed likewise.")
    else:
        epochs.resume(trainee, loader, files)
        if schedule == "cosine" and run.epochs != before["epochs"]:
            say(
                "The learning rate now falls to zero over "
                f"--epochs={run.epochs}, not {before['epochs']}."
            )
    if trainee.epoch >= run.epochs:
        say(
            f"Nothing to do: {files.weights} has {trainee.epoch} epochs of "
            f"--epochs={run.epochs}."
        )
        return None
    trainee.state.arguments.values["run"] = arguments
    counts = loader.count()
    say(
        f"Training {predictor.name} on {team.describe(device)} with "
        f"{counts['train']:,} pictures, {counts['validate']:,} to validate; to watch "
        f"it: tensorboard --logdir={files.folder}"
    )
    loop = epochs.make_loop(trainee, loader, files, run.epochs, team)
    return loop.run(lambda: write_arguments(files.arguments, arguments))


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
