"""Makes LR images exactly as MATLAB's imresize does, without MATLAB.

    python misc/downscale_generator.py --input_path=HR --output_path=LR --scales=2,4,8

writes LR/x2/NAME.png, LR/x4/NAME.png and so on. A second run keeps finished images and
makes images again whose source has changed. Files of other programs are never
overwritten.

With --degradation=photo, the images are blurred, noisy and compressed as photographs
are, each in a way that its name and --seed choose. `validate.py --degradation=photo`
makes the same images; its flag for the seed is --degradation_seed.
"""

import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app
from console.errors import InputError
from console.settings import is_given, option
from dataloaders.degradation_settings import BICUBIC
from dataloaders.degradations import Degradation, open_degradation
from dataloaders.paired_settings import PairedSettings
from imaging.imresize import imresize, make_lr
from misc.downscaling import DownscaleSettings, downscale_folders


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
    degradation: str = PairedSettings.with_default("degradation", BICUBIC)
    seed: int = option(0, "Seed of the degradations.", least=0)
    num_processes: int | None = option(
        None, "Number of processes; if not given, the number of processors."
    )


def main() -> None:
    """Downscales every image at every scale."""
    settings = GeneratorSettings.from_flags()
    scales = settings.scales
    if min(scales) < 2 or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={','.join(map(str, scales))}: expected different whole numbers "
            "of at least 2, for example 2,4,8."
        )
    downscale: Callable = floor if settings.rounding == "floor" else ceil
    folders = {scale: Path(settings.output_path) / f"x{scale}" for scale in scales}
    maker = f"downscale_generator.py --rounding={settings.rounding}"
    degradation = open_degradation(settings.degradation)
    if degradation is not None:
        if downscale is ceil:
            raise InputError(
                f"--degradation={settings.degradation} needs --rounding=floor."
            )
        downscale = functools.partial(degrade, degradation, settings.seed)
        maker += f" --degradation={settings.degradation} --seed={settings.seed}"
        values = json.dumps(degradation.strength.to_json()).encode()
        maker += f" ({hashlib.sha256(values).hexdigest()[:12]})"
    elif is_given("seed"):
        raise InputError("--seed needs a --degradation; bicubic is not random.")
    processes = settings.num_processes
    downscale_folders(settings.input_path, folders, downscale, maker, processes)


def floor(image: np.ndarray, scale: int, name: str) -> np.ndarray:
    """Downscales uint8 (H, W, 3); the size is rounded down."""
    return make_lr(image, scale)


def ceil(image: np.ndarray, scale: int, name: str) -> np.ndarray:
    """Downscales uint8 (H, W, 3); the size is rounded up."""
    return imresize(image, 1 / scale)


def degrade(
    degradation: Degradation, seed: int, image: np.ndarray, scale: int, name: str
) -> np.ndarray:
    """Downscales and degrades uint8 (H, W, 3), in a way that name and seed choose."""
    return degradation.apply_to(name, image, scale, seed)


if __name__ == "__main__":
    app.run(main, (GeneratorSettings,))
