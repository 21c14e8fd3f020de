r"""Trains a model.

    python train.py --data_input_path=LR --data_truth_path=HR --train_path=train \
        --model=eusr --scales=2,4,8

The same command with the same --train_path resumes a stopped run.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target
from console.locks import Lock
from console.progress import say, warn
from console.settings import list_changes, option
from dataloaders import PAIRED
from dataloaders.paired import PairedLoader
from models import BASELINES, MODELS

with quiet.imports():
    import keras

    from metrics.measuring import BASELINE, SHAVE_SIZE
    from metrics.optional import NEEDED, ValidationMetrics
    from metrics.validation import Validation
    from models import opening
    from models.base import Model
    from models.footprint import check_memory
    from training import checkpoints, devices, run_folder
    from training.arguments import (
        ARGUMENTS,
        check_same_run,
        describe_run,
        write_arguments,
    )
    from training.loop import Loop, LoopSettings
    from training.options import RunSettings, StepOptions
    from training.replicas import Team, make_team

MODEL = Choice("model", MODELS, "eusr", "The model to train.", not_offered=BASELINES)
DATALOADER = Choice("dataloader", PAIRED, "div2k", "The loader of the images.")


@dataclasses.dataclass(frozen=True)
class StartSettings(RunSettings):
    """Data, folder and start of a training."""

    cuda_device: str = option(
        "0", "GPUs to train on, such as 0,1; -1 or no GPU: the CPU.", changes="freely"
    )
    sleep_ratio: float = option(
        0.05, "Has no effect; kept for old commands.", changes="freely"
    )
    restore_target: str | None = opening.CheckpointSettings.with_default(
        "restore_target", None, changes="freely"
    )
    restart: bool = option(
        False, "Start a new run; the run in --train_path is kept.", changes="freely"
    )
    global_step: int | None = option(
        None,
        "First step, for rate and data; default: the resumed one or 0.",
        least=0,
        changes="freely",
    )
    use_ema: bool = opening.CheckpointSettings.with_default(
        "use_ema", True, is_shown=False
    )


SETTINGS: tuple[Any, ...] = (
    StartSettings,
    LoopSettings,
    StepOptions,
    ValidationMetrics,
)


def main() -> int | None:
    """Trains the model that the flags describe."""
    start, settings, options, validating = (each.from_flags() for each in SETTINGS)
    device = devices.set_up_training(MODEL.load(), start.cuda_device, options)
    team = make_team()
    folder = Path(start.train_path)
    check_target(folder, "--train_path", is_folder=True)
    lock = Lock(folder, f"--train_path={folder}")
    # Only one of several workers writes.
    with team.watching(), lock if team.is_chief else contextlib.nullcontext():
        return _train(team, folder, lock, device, start, settings, options, validating)


def _train(
    team: Team,
    folder: Path,
    lock: Lock,
    device: str,
    start: StartSettings,
    settings: LoopSettings,
    options: StepOptions,
    validating: ValidationMetrics,
) -> int | None:
    """Trains with a team of devices, whose chief holds the lock of the run's folder."""
    team.check_batch_size(start.batch_size)
    model_class = MODEL.load()
    if not model_class.needs_checkpoint:
        raise InputError(f"--model={model_class.name} has no weights to train.")
    loader_class = DATALOADER.load()
    _take_architecture(model_class, folder, start)
    keras.utils.set_random_seed(start.seed)
    with team.strategy.scope():
        model = model_class.from_flags(options)
    trainable = model.trained_scales or model.scales
    scales = start.scales or trainable
    app.check_scales(scales, model.name, trainable, model.scales_advice)
    model.check_run(settings.max_steps, start.input_patch_size)
    loader = start.make_loader(loader_class, scales)
    classes = (*SETTINGS, *model_class.settings_classes, *loader_class.settings_classes)
    arguments = describe_run(model.name, loader, *classes)
    before = {} if start.restart else run_folder.read_before(folder)
    # After all other checks of the flags, since it prints the changes.
    if not start.restart and checkpoints.list_checkpoints(folder):
        newest = checkpoints.list_checkpoints(folder)[-1]
        more = f"--restore_path={newest} --global_step={checkpoints.step_of(newest)}"
        changes = list_changes(*classes)
        check_same_run(folder, before, arguments, changes, more=more)
    goes_back = _restore(model, folder, before, start)
    # Kept, so that the first command resumes the run after a start without the flag.
    first = arguments["restore_path"] if not before else before.get("restore_path")
    arguments["first_restore_path"] = before.get("first_restore_path", first)
    model.state.arguments.values["run"] = arguments
    model.learn(scales)
    if model.step >= settings.max_steps:
        say(f"Nothing to do: step {model.step} of --max_steps={settings.max_steps}.")
        return None
    validation = _make_validation(model, loader, start, validating)
    if device == devices.CPU:  # A GPU's memory is not the machine's.
        step_bytes = model.count_step_memory(scales)
        check_memory(loader, step_bytes, team.workers, team.replicas)
    loader.prepare()

    if team.is_chief and start.restart:
        aside = run_folder.set_aside(folder)
        if aside is not None:
            lock.follow(aside)
            say(f"Renamed the previous run from {folder} to {aside}.")
    threads = loader.threads
    loop = Loop(model, loader, folder, settings, team, validation, threads=threads)

    def begin():
        if goes_back is not None:
            aside = run_folder.set_later_aside(folder, model.step, goes_back)
            if aside is not None:
                say(f"Moved the checkpoints after step {model.step} to {aside}.")
            # So that the next start resumes here and does not go back again.
            saved = map(checkpoints.step_of, checkpoints.list_checkpoints(folder))
            if model.step not in saved:
                loop.save()
        write_arguments(folder / ARGUMENTS, arguments)

    named = ", ".join(f"x{scale}" for scale in scales)
    say(
        f"Training {model.name} at {named} on {team.describe(device)} from step "
        f"{model.step} to {settings.max_steps} in {folder}; to watch it: tensorboard "
        f"--logdir={folder}"
    )
    return loop.run(begin)


def _take_architecture(
    model_class: type[Model], folder: Path, start: StartSettings
) -> None:
    """Sets flags of the network that were not given, from the first checkpoint."""
    saved = [] if start.restart else checkpoints.list_checkpoints(folder)
    takes_network = start.restore_target in (None, "generator")
    if not saved and start.restore_path is not None and takes_network:
        saved = [Path(checkpoints.find(start.restore_path))]
    run_folder.take_architecture(model_class, saved)


def _make_validation(
    model: Model,
    trained: PairedLoader,
    start: StartSettings,
    settings: ValidationMetrics,
) -> Validation | None:
    """Makes the validation; None without --validate_truth_path."""
    if start.validate_truth_path is None:
        start.refuse_validating(*(f.name for f in dataclasses.fields(settings)))
        return None
    more = settings.make()
    best = settings.best_metric
    if best not in (*Validation.METRICS, *more):
        raise InputError(f"--best_metric={best} needs {NEEDED[best]}.")
    paths = start.validate_truth_path, start.validate_input_path
    loader = trained.validating(*paths, SHAVE_SIZE, more)
    baseline: Any = opening.open_model(None, BASELINE)
    return Validation(model, baseline, loader, SHAVE_SIZE, more, best)


def _restore(
    model: Model, folder: Path, before: dict[str, Any], start: StartSettings
) -> str | None:
    """Resumes a run, or starts a new one from --restore_path or from scratch.

    Returns:
        For a run that goes back to an earlier step, the checkpoint of that step, or ""
        if there is none; None for other runs.
    """
    newest = back = None
    if not start.restart and checkpoints.list_checkpoints(folder):
        back = run_folder.find_return(folder, start.restore_path, before)
        if back is not None and start.restore_target is not None:
            raise InputError(
                f"--restore_path={start.restore_path} is a checkpoint of the run in "
                f"--train_path={folder}, so all of it is restored: leave out "
                "--restore_target, or give another --train_path."
            )
        newest = run_folder.restore_newest(model, folder, only=back)
    if newest is not None:
        say(f"{'Resuming from' if back is None else 'Going back to'} {newest}.")
    elif start.restore_path is not None:
        prefix = checkpoints.find(start.restore_path)
        model.restore(prefix, start.restore_target, use_ema=start.use_ema)
        say(f"Starting from the weights of {prefix}.")
    is_scratch = newest is None and (
        start.restore_path is None or start.restore_target not in (None, "generator")
    )
    if is_scratch and model.advice_for_scratch is not None:
        warn(model.advice_for_scratch)
    # The same command must resume the run, not set it to --global_step again.
    is_new = newest is None or start.global_step != before.get("global_step")
    if start.global_step is not None and is_new:
        is_other = model.step != start.global_step
        model.state.step.assign(start.global_step)
        if newest is not None and is_other:
            return ""
    return back


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL, DATALOADER))
