r"""Upscales pictures.

    python test.py --input_path=photo.jpg --output_path=SR --scale=4
    python test.py --model=4pp_eusr --input_path=photo.jpg --output_path=SR --scale=4
    python test.py --model_name=model.pb --input_path=LR --output_path=SR --scale=4
    python test.py --restore_path=train --output_path=large --scale=2.5 holiday/*.jpg
    python test.py --input_path=- --output_path=- --scale=2 < small.png > large.png

Takes pictures and folders of pictures of any type and size, and writes the same type.
The weights are those in pretrained/ (EUSR's, or --model's), a frozen file's or a
checkpoint's.
"""

import dataclasses
from pathlib import Path
from typing import Any

from console import app, quiet
from console.choices import Choice
from console.cluster_messages import Share
from console.errors import InputError
from console.files import identify
from console.progress import lines_caught, say
from console.settings import PathName, Settings, is_given, option
from console.spread import SpreadSettings
from imaging import limits, mending
from models import MODELS
from upscaling import choosing, jobs, pipes, sharing
from upscaling.output import Output
from upscaling.results import Results
from upscaling.run import Run

with quiet.imports():
    from frozen import engines, graphs
    from frozen.upscaler import Upscaler
    from models import opening
    from training import devices
    from training.options import Precision, StepOptions

MODEL = Choice(
    "model",
    MODELS,
    None,
    "The model, unless it is a .pb file; if not given, the checkpoint's.",
)
# Default output of freeze.py, and default model of the TF1 code.
FROZEN = "model.pb"


@dataclasses.dataclass(frozen=True)
class TestSettings(Settings):
    """The model and the pictures to upscale."""

    model_name: PathName | None = option(
        None,
        "A .pb file written by freeze.py. Without it and without a checkpoint, the "
        "model is EUSR, or --model, with its weights in pretrained/.",
    )
    input_path: tuple[PathName, ...] = option(
        ("LR",),
        "A picture, or a folder that is searched at all depths; may be given several "
        "times. Positional arguments are input paths, too. - is the standard input: a "
        "picture, or several PNG or PPM behind one another, as of a video.",
    )
    skip_larger_than: int | None = option(
        None,
        "Skip pictures with a longer side of more pixels than this; they count as "
        "done, not as mistakes.",
    )
    use_gpu: bool = option(False, "Whether to run on the GPU.")


SETTINGS: tuple[Any, ...] = (
    *(TestSettings, opening.CheckpointSettings, Precision, Output),
    engines.EngineSettings,
    *(choosing.EnlargingSettings, limits.LimitSettings, mending.DamageSettings),
    SpreadSettings,
)


def main() -> int | None:
    """Upscales every picture."""
    settings, output, enlarging, spread, weights = _read_flags()
    if pipes.are_given(settings.input_path, output):
        spread.refuse("a pipe is read by one process")
        with pipes.opened() as standard:
            way, enlargers = weights.identify(), weights.open()
            tiler, looks = enlarging.make_tiler(), weights.looks_for_faults()
            pipes.run(standard, output, way, enlargers, tiler, looks)
            return None
    is_alone = spread.cluster is None
    every = jobs.Jobs(settings.input_path, output, in_order=is_alone)
    found = spread.take_share(list(every) if is_alone else every, output.name_result)
    found = jobs.skip_large(found, settings.skip_larger_than)
    results = Results(output, weights.identify(), every.is_taken, spread.writer)
    waiting = results.find_waiting(found)
    status = 1 if results.is_kept else None
    if not waiting:
        return status
    if not is_alone:
        shared = sharing.enlarge(
            spread, make_worker, waiting, results, settings.use_gpu
        )
        return shared or status
    enlargers, looks = weights.open(), weights.looks_for_faults()
    run = Run(list(waiting), results, enlargers, enlarging.make_tiler(), looks)
    run.take()
    return run.tell() or status


def make_worker(share: Share) -> sharing.Enlarging:
    """Opens the model in a process of --cluster."""
    _, output, enlarging, _, weights = _read_flags(False)
    with lines_caught():  # The driver says them.
        way = weights.identify()
    enlargers = weights.open()
    # The driver reads the records, and knows what is taken.
    results = Results(output, way, lambda _: False, share.writer, reads=False)
    tiler = enlarging.make_tiler(share.memory)
    return sharing.Enlarging(results, enlargers, tiler, weights.looks_for_faults())


def _read_flags(is_driver=True):
    """Reads the settings, and applies those that concern the whole process."""
    settings, checkpoint, precision, output, engine, enlarging, most, damage, spread = (
        each.from_flags() for each in SETTINGS
    )
    needs_gpu = settings.use_gpu and not (is_driver and spread.cluster)
    devices.choose("0" if needs_gpu else "-1", "--use_gpu")
    most.take()
    damage.take()
    weights = _Weights(settings.model_name, checkpoint, precision, engine, enlarging)
    return settings, output, enlarging, spread, weights


class _Weights:
    """A frozen file or a checkpoint, and the settings of its use."""

    def __init__(self, frozen, checkpoint, precision, engine, enlarging):
        self.frozen, self.checkpoint = frozen, checkpoint
        self.precision, self.engine, self.enlarging = precision, engine, enlarging

    def identify(self):
        """Finds the checkpoint; tells how results are made: the weights and the flags.

        Raises:
            InputError: There is no such file, or not only one.
        """
        how = self.precision, self.engine
        if self.frozen is not None:
            self._check_frozen()
            path = Path(self.frozen)
            return self.enlarging.tell_way(identify(path.name, [path]), *how)
        is_named = MODEL.name is not None or self.checkpoint.restore_path is not None
        if not is_named and Path(FROZEN).exists():
            say(f"{FROZEN} exists but is not used; --model_name={FROZEN} uses it.")
        self.checkpoint = self.checkpoint.find(MODEL.name)
        weights = self.checkpoint.identify() or MODEL.name
        return self.enlarging.tell_way(weights, *how, self.checkpoint)

    def _check_frozen(self):
        """Refuses a file that is no frozen network, and flags of a checkpoint."""
        if MODEL.name is not None or self.checkpoint.restore_path is not None:
            raise InputError(
                "--model_name (a .pb file) cannot be used with --restore_path or "
                "--model; leave one out."
            )
        names = [*opening.CheckpointSettings.options()]
        if self.engine.engine != engines.OPENVINO:
            names.insert(0, "precision")
        for name in names:
            if is_given(name):
                raise InputError(
                    f"--{name} is for checkpoints (--restore_path); a .pb file "
                    "computes as it was frozen. Leave it out."
                )
        graphs.check_file(self.frozen, "--model_name")

    def looks_for_faults(self):
        """Whether to name degraded pictures: weights for these need no advice."""
        return self.frozen is not None or not self.checkpoint.knows_faults()

    def open(self):
        """Opens the model and gives it its engine; returns its `Enlargers`."""
        openvino = self.engine.make(self.precision.precision)
        if self.frozen is not None:
            model = Upscaler(self.frozen)
        else:
            # OpenVINO lowers the precision itself.
            by_network = self.precision.precision if openvino is None else "float32"
            options = StepOptions(precision=by_network)
            model, _ = self.checkpoint.open(MODEL.name, options)
            devices.warn_if_slow(by_network)
            if model.step_options:  # Else it has no network, and so no precision.
                devices.advise_bfloat16()
        if openvino is not None:
            openvino.run_parts_of(model)
        return self.enlarging.make_enlargers(model)


if __name__ == "__main__":
    app.run(main, SETTINGS, (MODEL,), paths_flag="input_path")
