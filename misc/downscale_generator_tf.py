"""Makes LR images with TensorFlow's bicubic. Not what MATLAB gives: for comparison.

    python misc/downscale_generator_tf.py --input_path=HR --output_path=LR/x2 --scale=2

tf.image.resize(method='bicubic', antialias=True) has MATLAB's kernel and widens it
likewise, but drops the part of the kernel that lies outside the image where MATLAB
mirrors the border, and rounds and clips once where MATLAB does after each pass. So the
two pixels along each border differ, by up to 23 grey levels on Kodak24; the others by
at most one, or by up to 9 beside edges in black or white, where MATLAB clips (one pixel
in two thousand by more than one). HR images are first cut, at the bottom and the right,
to a multiple of the scale. misc/downscale_generator.py gives MATLAB's result.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet
from imaging.files import to_uint8
from imaging.imresize import cut_to_multiple
from misc.downscaling import SingleScaleSettings, downscale_folders


def main():
    """Downscales every image."""
    settings = SingleScaleSettings.from_flags()
    # Not at the top, so that the help need not wait for it.
    with quiet.imports():
        import tensorflow  # noqa: F401
    folders = {settings.scale: settings.output_path}
    maker = "downscale_generator_tf.py"
    # In one process: TensorFlow uses all processors by itself.
    downscale_folders(settings.input_path, folders, downscale, maker, 1)


def downscale(image, scale):
    """TensorFlow's bicubic, from uint8 (H, W, 3) to (H // scale, W // scale, 3)."""
    import tensorflow as tf

    image = cut_to_multiple(image, scale)
    size = image.shape[0] // scale, image.shape[1] // scale
    resized = tf.image.resize(image, size, method="bicubic", antialias=True)
    return to_uint8(resized.numpy())


if __name__ == "__main__":
    app.run(main, (SingleScaleSettings,))
