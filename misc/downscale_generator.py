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
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app
from console.cluster_messages import Share
from console.errors import InputError
from console.settings import is_given, option
from console.spread import SpreadSettings
from dataloaders.degradation_settings import BICUBIC
from dataloaders.degradations import Degradation, open_degradation
from dataloaders.paired_settings import PairedSettings
from imaging.imresize import imresize, make_lr
from misc.downscaling import DownscaleSettings, downscale_folders
from misc.downscaling_work import Downscale, Downscaling


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

    def choose(self) -> tuple[Downscale, str]:
        """Chooses the function and the maker for `downscale_folders`.

        Raises:
            InputError: Flags do not fit together.
        """
        downscale = FUNCTIONS[self.rounding]
        maker = f"downscale_generator.py --rounding={self.rounding}"
        degradation = open_degradation(self.degradation)
        if degradation is None:
            if is_given("seed"):
                raise InputError("--seed needs a --degradation; bicubic is not random.")
            return downscale, maker
        if downscale is ceil:
            raise InputError(
                f"--degradation={self.degradation} needs --rounding=floor."
            )
        given = f"--degradation={self.degradation} --seed={self.seed}"
        maker += f" {given} ({degradation.digest})"
        return functools.partial(degrade, degradation, self.seed), maker


SETTINGS: tuple[Any, ...] = (GeneratorSettings, SpreadSettings)


def main() -> None:
    """Downscales every image at every scale."""
    settings, spread = (each.from_flags() for each in SETTINGS)
    if spread.cluster is not None and is_given("num_processes"):
        raise InputError("--num_processes is for one machine, --cluster_cpus for all.")
    scales = settings.scales
    if min(scales) < 2 or len(set(scales)) < len(scales):
        raise InputError(
            f"--scales={','.join(map(str, scales))}: expected different whole numbers "
            "of at least 2, for example 2,4,8."
        )
    downscale, maker = settings.choose()
    folders = {scale: Path(settings.output_path) / f"x{scale}" for scale in scales}
    how = downscale, maker, settings.num_processes, spread, make_worker
    downscale_folders(settings.input_path, folders, *how)


def make_worker(share: Share) -> Downscaling:
    """Chooses the function in a process of --cluster."""
    return Downscaling(*GeneratorSettings.from_flags().choose())


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


FUNCTIONS = {"floor": floor, "ceil": ceil}


if __name__ == "__main__":
    app.run(main, SETTINGS)
