"""Upscales pictures.

    python test.py --model_name=model.pb --input_path=LR --output_path=SR --scale=4
    python test.py --model=eusr --restore_path=train --input_path=LR --output_path=SR

Takes a picture or a folder of pictures of any size; writes PNG files.
"""

import contextlib
import functools
import math
from pathlib import Path

from absl import flags

from console import app, quiet
from console.choices import Choice
from console.errors import InputError, name_some
from console.files import check_target
from console.flags import define_count, define_path
from console.progress import Progress, say, warn
from imaging import limits, passes
from imaging.files import list_pictures, load_image, read_size, save_image, to_uint8
from imaging.tiles import count_tiles, upscale_image
from models import MODELS

with quiet.imports():
    import numpy as np

    from frozen.upscaler import Upscaler
    from models import opening
    from training import devices
    from training.options import StepOptions, define_precision

FLAGS = flags.FLAGS
MODEL = Choice(
    "model",
    MODELS,
    None,
    "A model to take in place of a .pb file, with --restore_path.",
)


def define_flags():
    """Declares the flags."""
    define_path("model_name", "model.pb", "The .pb file that freeze.py wrote.")
    opening.define_flags()
    define_precision()
    define_path("input_path", "LR", "A picture or a folder of pictures.")
    define_path("output_path", "SR", "Folder to write to.")
    define_count("scale", 4, "Upscaling factor.")
    flags.DEFINE_bool(
        "all_passes",
        False,
        "Average the three ways in which 4PP-EUSR upscales by 4; the model must do x2, "
        "x4 and x8. Takes about seven times as long.",
    )
    limits.define_flag()
    flags.DEFINE_bool("use_gpu", False, "Whether to run on the GPU.")
    define_count(
        "tile_size",
        0,
        "Side of the tiles that large pictures are cut into, in pixels; 0 chooses one "
        "that needs about 2 GB beside the whole result. That does not depend on it.",
        least=0,
    )


def main():
    """Upscales every picture."""
    devices.choose("0" if FLAGS.use_gpu else "-1")
    limits.take_flag()
    check_target(FLAGS.output_path, "--output_path", is_folder=True)
    pairs = _pair_paths(Path(FLAGS.input_path), Path(FLAGS.output_path))
    upscale, count, factor = _make_upscale(_open_from_flags())
    tiles = _count_tiles(count, pairs)
    broken = []
    with Progress(tiles, "Upscaling", "tile") as progress:
        for source, target in pairs:
            try:
                lr = load_image(source)
            except InputError as error:
                warn(f"left out: {error}")
                broken.append(source)
                continue
            sr = upscale(lr, FLAGS.tile_size, after_tile=progress.advance)
            if not np.isfinite([sr.min(), sr.max()]).all():
                raise InputError(
                    f"{source}: the model makes values of it that are not finite; its "
                    "weights are damaged. Use another file or checkpoint."
                )
            save_image(target, to_uint8(sr))
            say(f"{source} ({lr.shape[1]}x{lr.shape[0]}) -> {target}")
    say(f"Upscaled {len(pairs) - len(broken)} of {len(pairs)} pictures by {factor}.")
    return 1 if broken else None


def _make_upscale(model):
    """What a picture is upscaled with.

    Args:
        model: Has `stages(scale)`.

    Returns:
        `upscale_image` and `count_tiles`, or those of all passes, for this model, and
        by how much it enlarges.

    Raises:
        InputError: The model does not upscale by this.
    """
    if FLAGS.all_passes:
        functions, factor = _average_passes(model), passes.SCALE
    else:
        stages = model.stages(FLAGS.scale)
        factor = math.prod(stage.scale for stage in stages)
        functions = [functools.partial(f, stages) for f in (upscale_image, count_tiles)]
    if factor != FLAGS.scale:
        say(
            f"{FLAGS.model_name} takes --scale={FLAGS.scale} for a pass of 4PP-EUSR: "
            f"it enlarges by {factor}."
        )
    return *functions, factor


def _average_passes(model):
    """The first two of `_make_upscale` for --all_passes.

    Raises:
        InputError: Not all passes can be taken with the model.
    """
    if FLAGS.scale != passes.SCALE:
        raise InputError(
            f"--all_passes upscales by {passes.SCALE}, not by --scale={FLAGS.scale}."
        )
    does = model.find_scales(passes.SCALES)
    if model.has_passes():
        functions = passes.average_passes, passes.count_tiles_to_average
    elif set(passes.SCALES) <= set(does):
        functions = passes.upscale_by_all_passes, passes.count_tiles_of_all_passes
    else:
        does = " and ".join(f"x{scale}" for scale in does) or "none of them"
        raise InputError(
            f"--all_passes needs x2, x4 and x8, and the model does {does}. Leave it "
            "out, or take a network that has paths for all three, frozen with "
            "--scales=2,4,8."
        )
    stages = {scale: model.stages(scale) for scale in passes.SCALES}
    return [functools.partial(function, stages) for function in functions]


def _count_tiles(count, pairs):
    """How many tiles all pictures have; one that cannot be read has none."""
    tiles = 0
    for source, _ in pairs:
        with contextlib.suppress(InputError):
            tiles += count(read_size(source), FLAGS.tile_size)
    return tiles


def _pair_paths(source, folder):
    """Pairs each picture with the file that its enlargement goes to."""
    sources = list_pictures(source, "--input_path")
    pairs = [(path, folder / f"{path.stem}.png") for path in sources]
    targets = [target for _, target in pairs]
    twice = sorted({path.name for path in targets if targets.count(path) > 1})
    if twice:
        raise InputError(
            f"--input_path={source}: several pictures would be written to "
            f"{name_some(twice)}; rename or separate them."
        )
    overwritten = [
        target for path, target in pairs if path.resolve() == target.resolve()
    ]
    if overwritten:
        raise InputError(
            f"--output_path={folder}: would overwrite {overwritten[0]}, which is to be "
            "upscaled; give another folder."
        )
    return pairs


def _open_from_flags():
    """The frozen file, or the model where one is asked for."""
    if FLAGS.model is None and FLAGS.restore_path is None:
        return Upscaler(FLAGS.model_name)
    if FLAGS["model_name"].present:
        raise InputError(
            "--model_name is a .pb file; give it, or --restore_path and --model, not "
            "both."
        )
    options = StepOptions(precision=FLAGS.precision)
    devices.warn_if_slow(options.precision)
    model, _ = opening.open_from_flags(FLAGS.model, options)
    if not FLAGS.all_passes:
        app.check_scales([FLAGS.scale], model, "--scale")
    return model


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,))
