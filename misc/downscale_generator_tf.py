"""Makes LR images with TensorFlow's bicubic. Not what MATLAB gives: for comparison.

    python misc/downscale_generator_tf.py --input_path=HR --output_path=LR/x2 --scale=2

tf.image.resize(method='bicubic', antialias=True) has MATLAB's kernel and widens it
likewise, but drops the part of the kernel that lies outside the image where MATLAB
mirrors the border, and rounds once where MATLAB rounds after each pass: the inside
differs by at most one grey level, the borders by more.
misc/downscale_generator.py gives MATLAB's result.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])


from console import app, quiet  # noqa: E402
from imaging.files import to_uint8  # noqa: E402
from misc.downscaling import define_single_scale_flags, downscale_folder  # noqa: E402

with quiet.imports():
    import tensorflow as tf


def main():
    """Downscales every image."""
    # TensorFlow uses all processors by itself.
    downscale_folder(downscale, num_processes=1)


def downscale(image, scale):
    """TensorFlow's bicubic, from uint8 (H, W, 3) to (H // scale, W // scale, 3)."""
    height, width = (length // scale for length in image.shape[:2])
    image = image[: height * scale, : width * scale]
    resized = tf.image.resize(image, (height, width), method="bicubic", antialias=True)
    return to_uint8(resized.numpy())


if __name__ == "__main__":
    app.run(main, define_single_scale_flags)
