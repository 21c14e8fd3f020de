"""Writes photographs of scikit-image as a small data set, for the demo.

    python misc/sample_images.py --output_path=demo

makes `train/HR` and `validate/HR` in the output folder. They have no photograph in
common.
"""

import dataclasses
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app
from console.errors import InputError
from console.files import check_target
from console.progress import say
from console.settings import PathName, Settings, option
from imaging.files import save_image
from imaging.imresize import imresize

# Divisors of the size: photographs that were JPEG files are reduced, which removes most
# compression artefacts.
TRAIN = {
    "coffee": 1,
    "hubble_deep_field": 2,
    "immunohistochemistry": 1,
    "motorcycle": 1,
    "retina": 2,
}
VALIDATE = {"astronaut": 1, "chelsea": 1, "rocket": 2}


@dataclasses.dataclass(frozen=True)
class SampleSettings(Settings):
    """The folder to write to."""

    output_path: PathName = option("demo", "Folder to write to.")


def main() -> None:
    """Writes both parts of the data set."""
    settings = SampleSettings.from_flags()
    check_target(settings.output_path, "--output_path", is_folder=True)
    for part, names in (("train", TRAIN), ("validate", VALIDATE)):
        folder = Path(settings.output_path) / part / "HR"
        for name, divisor in names.items():
            save_image(folder / f"{name}.png", load(name, divisor))
        say(f"Wrote {len(names)} photographs to {folder}")


def load(name: str, divisor: int) -> np.ndarray:
    """Loads a photograph of `skimage.data`, reduced: uint8 (H, W, 3), RGB.

    Raises:
        InputError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError:
        raise InputError(
            "scikit-image, which has the photographs, is not installed: pip install -r "
            "requirements-dev.txt."
        ) from None
    if name == "motorcycle":
        image = data.stereo_motorcycle()[0]
    else:
        image = getattr(data, name)()
    image = np.ascontiguousarray(image[..., :3])
    return image if divisor == 1 else imresize(image, 1 / divisor)


if __name__ == "__main__":
    app.run(main, (SampleSettings,))
