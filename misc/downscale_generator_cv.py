"""Makes LR images with OpenCV's bicubic. Not what MATLAB gives: for comparison only.

    python misc/downscale_generator_cv.py --input_path=HR --output_path=LR/x2 --scale=2

cv2.resize(INTER_CUBIC) does not widen its kernel when it shrinks an image (no
antialiasing), and its kernel has a = -0.75 where MATLAB's has -0.5. Its LR images are
sharper and aliased; a network that is trained on them does worse on the benchmark
sets. misc/downscale_generator.py gives MATLAB's result.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2  # noqa: E402

from console import app  # noqa: E402
from misc.downscaling import define_single_scale_flags, downscale_folder  # noqa: E402


def main():
    """Downscales every image."""
    downscale_folder(downscale)


def downscale(image, scale):
    """OpenCV's bicubic, from uint8 (H, W, 3) to (H // scale, W // scale, 3)."""
    height, width = (length // scale for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    app.run(main, define_single_scale_flags)
