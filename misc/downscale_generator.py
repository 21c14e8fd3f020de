"""Makes LR images exactly as MATLAB's imresize does, without MATLAB.

    python misc/downscale_generator.py --input_path=HR --output_path=LR --scales=2,4,8

writes LR/x2/NAME.png, LR/x4/NAME.png and so on. Started again, it keeps what it has
finished and makes again what has changed since; a file that something else made is
never overwritten.
"""

import dataclasses
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app
from console.errors import InputError
from console.settings import option
from imaging.imresize import imresize, make_lr
from misc.downscaling import DownscaleSettings, downscale_folders


@dataclasses.dataclass(frozen=True)
class GeneratorSettings(DownscaleSettings):
    """By how much is downscaled, and how."""

    scales: tuple[int, ...] = option((2, 4, 8), "By how much to downscale.")
    rounding: str = option(
        "floor",
        "floor: the HR image is first cut, at the bottom and the right, to a multiple "
        "of the scale, as the benchmark sets were. ceil: what imresize(image, 1/scale) "
        "gives uncut, as DIV2K's own LR images were made.",
        choices=("floor", "ceil"),
    )
    num_processes: int | None = option(
        None, "How many processes; all processors if not given."
    )


def main():
    """Downscales every image at every scale."""
    settings = GeneratorSettings.from_flags()
    scales = settings.scales
    if min(scales) < 2 or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={','.join(map(str, scales))}: expected whole numbers from 2 on, "
            "each once, for example 2,4,8."
        )
    downscale = make_lr if settings.rounding == "floor" else ceil
    folders = {scale: Path(settings.output_path) / f"x{scale}" for scale in scales}
    maker = f"downscale_generator.py --rounding={settings.rounding}"
    processes = settings.num_processes
    downscale_folders(settings.input_path, folders, downscale, maker, processes)


def ceil(image, scale):
    """Downscales; the size is rounded up."""
    return imresize(image, 1 / scale)


if __name__ == "__main__":
    app.run(main, (GeneratorSettings,))
