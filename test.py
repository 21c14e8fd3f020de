r"""Upscales pictures.

    python test.py --input_path=photo.jpg --output_path=SR --scale=4
    python test.py --model=4pp_eusr --input_path=photo.jpg --output_path=SR --scale=4
    python test.py --model_name=model.pb --input_path=LR --output_path=SR --scale=4
    python test.py --restore_path=train --output_path=large --scale=2.5 holiday/*.jpg

Takes pictures and folders of pictures, of any kind and size, and writes the same kind;
with the weights that ship (EUSR's, or those of --model), a frozen file or a checkpoint.
"""

from pathlib import Path

from absl import flags

from console import app, quiet
from console.choices import Choice
from console.errors import InputError
from console.files import check_target, identify
from console.flags import define_path, define_paths
from console.progress import say
from imaging import limits
from models import MODELS
from upscaling import choosing, jobs
from upscaling.run import Run

with quiet.imports():
    from frozen import graphs
    from frozen.upscaler import Upscaler
    from models import opening
    from training import checkpoints, devices
    from training.options import StepOptions, define_precision

FLAGS = flags.FLAGS
MODEL = Choice(
    "model",
    MODELS,
    None,
    "The model, where it is not a .pb file; a checkpoint knows its own.",
)
# What freeze.py writes if nothing else is said, and the TF1 code read.
FROZEN = "model.pb"


def define_flags():
    """Declares the flags."""
    define_path(
        "model_name",
        None,
        "The .pb file that freeze.py wrote. If neither it nor a checkpoint is given, "
        "the weights that ship: EUSR's, or those of --model.",
    )
    opening.define_flags()
    define_precision()
    define_paths(
        "input_path",
        ["LR"],
        "A picture, or a folder that is looked through to the bottom; may be given "
        "again. What is no flag is taken for such a path, too.",
    )
    define_path("output_path", "SR", "Folder to write to.")
    jobs.define_flags()
    choosing.define_flags()
    limits.define_flag()
    flags.DEFINE_bool("use_gpu", False, "Whether to run on the GPU.")


def main():
    """Upscales every picture."""
    devices.choose("0" if FLAGS.use_gpu else "-1", "--use_gpu")
    limits.take_flag()
    check_target(FLAGS.output_path, "--output_path", is_folder=True)
    output = jobs.Output.from_flags(FLAGS.output_path)
    found = jobs.find_jobs(FLAGS.input_path, output)
    results = jobs.Results(output, _tell_way())
    waiting = results.find_waiting(found)
    status = 1 if results.kept else None
    if not waiting:
        return status
    enlarger = choosing.enlarger_from_flags(_open_from_flags())
    run = Run(waiting, results, enlarger, choosing.Tiler.from_flags())
    run.take()
    return run.tell() or status


def _tell_way():
    """Says with which weights results are made, and how."""
    _check_flags()
    if FLAGS.model_name is not None:
        graphs.check_file(FLAGS.model_name, "--model_name")
        path = Path(FLAGS.model_name)
        return choosing.tell_way(identify(path.name, [path]))
    prefix = opening.find_from_flags(FLAGS.model)
    weights = FLAGS.model if prefix is None else checkpoints.identify(prefix)
    return choosing.tell_way(weights, "precision", "restore_target", "use_ema")


def _check_flags():
    """Refuses a frozen file and a checkpoint at once."""
    is_named = FLAGS.model is not None or FLAGS.restore_path is not None
    if FLAGS.model_name is not None:
        if is_named:
            raise InputError(
                "--model_name is a .pb file; give it, or --restore_path and --model, "
                "not both."
            )
        if FLAGS["precision"].present:
            raise InputError(
                "--precision is for a checkpoint, with --restore_path; a .pb file "
                "computes as it was frozen. Leave it out."
            )
    elif not is_named and Path(FROZEN).exists():
        say(f"{FROZEN} is here but was not named: --model_name={FROZEN} would take it.")


def _open_from_flags():
    """The frozen file where one is named, or else a checkpoint."""
    if FLAGS.model_name is not None:
        return Upscaler(FLAGS.model_name)
    options = StepOptions(precision=FLAGS.precision)
    model, _ = opening.open_from_flags(FLAGS.model, options)
    devices.warn_if_slow(options.precision)
    return model


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,), paths_flag="input_path")
