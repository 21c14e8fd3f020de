"""Makes LR images with OpenCV's bicubic, which differs from MATLAB's: for comparison.

    python misc/downscale_generator_cv.py --input_path=HR --output_path=LR/x2 --scale=2

cv2.resize(INTER_CUBIC) downscales without antialiasing, and its kernel has a = -0.75,
while MATLAB's has -0.5. Its LR images are sharper and aliased: on Kodak24 they differ
by 3.3, 6.9 and 9.8 grey levels on average at x2, x4 and x8. HR images are first
cropped, at the bottom and the right, to a multiple of the scale.
misc/downscale_generator.py gives MATLAB's result.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2
import numpy as np

from console import app
from imaging.imresize import cut_to_multiple
from misc.downscaling import SingleScaleSettings, downscale_folders


def main() -> None:
    """Downscales every image."""
    settings = SingleScaleSettings.from_flags()
    folders = {settings.scale: settings.output_path}
    maker = "downscale_generator_cv.py"
    downscale_folders(settings.input_path, folders, downscale, maker)


def downscale(image: np.ndarray, scale: int, name: str = "") -> np.ndarray:
    """Downscales uint8 (H, W, 3) to (H // scale, W // scale, 3) with OpenCV."""
    image = cut_to_multiple(image, scale)
    size = image.shape[1] // scale, image.shape[0] // scale
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    app.run(main, (SingleScaleSettings,))
