"""Makes LR images exactly as MATLAB's imresize does, without MATLAB.

    python misc/downscale_generator.py --input_path=HR --output_path=LR --scales=2,4,8

writes LR/x2/NAME.png, LR/x4/NAME.png and so on. Started again, it keeps what it has
finished and makes again what has changed since; a file that something else made is
never overwritten.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from absl import flags  # noqa: E402

from console import app  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.flags import define_count, define_numbers  # noqa: E402
from imaging.imresize import imresize, make_lr  # noqa: E402
from misc.downscaling import (  # noqa: E402
    define_path_flags,
    downscale_all,
    plan_jobs,
)

FLAGS = flags.FLAGS


def define_flags():
    """Declares the flags."""
    define_path_flags()
    define_numbers("scales", (2, 4, 8), "By how much to downscale.")
    flags.DEFINE_enum(
        "rounding",
        "floor",
        ["floor", "ceil"],
        "floor: the HR image is first cut, at the bottom and the right, to a multiple "
        "of the scale, as the benchmark sets were. ceil: what imresize(image, 1/scale) "
        "gives uncut, as DIV2K's own LR images were made.",
    )
    define_count(
        "num_processes", None, "How many processes; all processors if not given."
    )


def main():
    """Downscales every image at every scale."""
    app.require("input_path", "output_path")
    scales = FLAGS.scales
    if min(scales) < 2 or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={','.join(map(str, scales))}: expected whole numbers from 2 on, "
            "each once, for example 2,4,8."
        )
    downscale = make_lr if FLAGS.rounding == "floor" else ceil
    folders = {scale: Path(FLAGS.output_path) / f"x{scale}" for scale in scales}
    jobs = plan_jobs(FLAGS.input_path, folders)
    maker = f"downscale_generator.py --rounding={FLAGS.rounding}"
    downscale_all(jobs, downscale, maker, FLAGS.num_processes)


def ceil(image, scale):
    """Downscales; the size is rounded up."""
    return imresize(image, 1 / scale)


if __name__ == "__main__":
    app.run(main, define_flags)
