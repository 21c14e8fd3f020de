"""Makes LR images with TensorFlow's bicubic, which differs from MATLAB's.

    python misc/downscale_generator_tf.py --input_path=HR --output_path=LR/x2 --scale=2

The script is for comparison. tf.image.resize(method='bicubic', antialias=True) has
MATLAB's kernel and antialiasing, but two differences. It drops the part of the kernel
outside the image, while MATLAB mirrors the border: the two pixels along each border
differ by up to 23 grey levels on Kodak24. It rounds and clips once, MATLAB after each
axis: other pixels differ by at most one grey level, or by up to 9 beside black and
white edges (one pixel in two thousand by more than one). HR images are first cropped,
at the bottom and the right, to a multiple of the scale. misc/downscale_generator.py
gives MATLAB's result.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app, quiet
from imaging.files import to_uint8
from imaging.imresize import cut_to_multiple
from misc.downscaling import SingleScaleSettings, downscale_folders


def main() -> None:
    """Downscales every image."""
    settings = SingleScaleSettings.from_flags()
    # Not at the top, so that --help is fast.
    with quiet.imports():
        import tensorflow  # noqa: F401
    folders = {settings.scale: settings.output_path}
    maker = "downscale_generator_tf.py"
    # In one process, because TensorFlow uses all processors by itself.
    downscale_folders(settings.input_path, folders, downscale, maker, 1)


def downscale(image: np.ndarray, scale: int, name: str = "") -> np.ndarray:
    """Downscales uint8 (H, W, 3) to (H // scale, W // scale, 3) with TensorFlow."""
    import tensorflow as tf

    image = cut_to_multiple(image, scale)
    size = image.shape[0] // scale, image.shape[1] // scale
    resized = tf.image.resize(image, size, method="bicubic", antialias=True)
    return to_uint8(resized.numpy())


if __name__ == "__main__":
    app.run(main, (SingleScaleSettings,))
