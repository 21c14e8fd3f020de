"""Makes LR images exactly as MATLAB's imresize does, without MATLAB.

    python misc/downscale_generator.py --input_path=HR --output_path=LR --scales=2,4,8

writes LR/x2/NAME.png, LR/x4/NAME.png and so on. A second run keeps finished images and
makes images again whose source has changed. Files of other programs are never
overwritten.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app
from console.cluster_messages import Share
from console.errors import InputError
from console.settings import option
from console.spread import SpreadSettings
from imaging.imresize import imresize, make_lr
from misc.downscaling import DownscaleSettings, downscale_folders
from misc.downscaling_work import Downscaling


@dataclasses.dataclass(frozen=True)
class GeneratorSettings(DownscaleSettings):
    """The downscaling factors and the method."""

    scales: tuple[int, ...] = option((2, 4, 8), "Downscaling factors.")
    rounding: str = option(
        "floor",
        "floor: crop the HR image first, at the bottom and the right, to a multiple of "
        "the scale, as for the benchmark sets. ceil: imresize(image, 1/scale) without "
        "cropping, as for DIV2K's own LR images.",
        choices=("floor", "ceil"),
    )
    num_processes: int | None = option(
        None, "Number of processes; if not given, the number of processors."
    )


SETTINGS: tuple[Any, ...] = (GeneratorSettings, SpreadSettings)


def main() -> None:
    """Downscales every image at every scale."""
    settings, spread = (each.from_flags() for each in SETTINGS)
    scales = settings.scales
    if min(scales) < 2 or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={','.join(map(str, scales))}: expected different whole numbers "
            "of at least 2, for example 2,4,8."
        )
    folders = {scale: Path(settings.output_path) / f"x{scale}" for scale in scales}
    downscale_folders(
        settings.input_path,
        folders,
        FUNCTIONS[settings.rounding],
        f"downscale_generator.py --rounding={settings.rounding}",
        settings.num_processes,
        spread,
        make_worker,
    )


def make_worker(_: Share) -> Downscaling:
    """Chooses the function in a process of --cluster."""
    return Downscaling(FUNCTIONS[GeneratorSettings.from_flags().rounding])


def ceil(image: np.ndarray, scale: int) -> np.ndarray:
    """Downscales uint8 (H, W, 3); the size is rounded up."""
    return imresize(image, 1 / scale)


FUNCTIONS = {"floor": make_lr, "ceil": ceil}

if __name__ == "__main__":
    app.run(main, SETTINGS)
