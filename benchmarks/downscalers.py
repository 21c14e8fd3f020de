r"""What it costs to make LR images with something else than MATLAB.

    python benchmarks/downscalers.py --data_truth_path=B100/HR \
        --data_input_path=B100/LR --scales=2,4 --octave_path=B100/LR_octave

Compares the LR images of the helpers in `misc/` with those of `--data_input_path`,
which MATLAB has made, and says by how much psnr_y of bicubic upscaling differs when it
starts from them. `--octave_path` has LR images that
`misc/downscale_generator_matlab.m` made under GNU Octave, in folders `x2` and so on.
"""

import dataclasses
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.progress import say, track  # noqa: E402
from console.settings import PathName, Settings, option  # noqa: E402

with quiet.imports():
    import numpy as np

    from benchmarks.rows import align
    from dataloaders.pairs import find_pairs
    from dataloaders.sources import make_sources
    from imaging.files import load_image, to_uint8
    from imaging.imresize import imresize, make_lr
    from metrics import psnr_y
    from misc import downscale_generator_cv, downscale_generator_tf
    from training import devices

HELPERS = {
    "downscale_generator.py": make_lr,
    "downscale_generator_cv.py": downscale_generator_cv.downscale,
    "downscale_generator_tf.py": downscale_generator_tf.downscale,
}
OCTAVE = "downscale_generator_matlab.m, Octave"
TITLES = ("helper", "scale", "mean", "largest", "psnr_y", "change")


@dataclasses.dataclass(frozen=True)
class CompareSettings(Settings):
    """What is compared."""

    data_truth_path: PathName = option(
        None, "Folder of the HR images.", is_required=True
    )
    data_input_path: PathName = option(
        None, "Folder of MATLAB's LR images.", is_required=True
    )
    octave_path: PathName | None = option(
        None, "Folder of Octave's; if not given they are not."
    )
    scales: tuple[int, ...] = option((2, 4), "Scales to compare.")
    shave_size: int = option(4, "HR pixels dropped at each border.", least=0)


def main():
    """Compares, and prints a table."""
    settings = CompareSettings.from_flags()
    devices.choose("-1")
    sources = make_sources(settings.data_truth_path, settings.data_input_path)
    pairs = find_pairs(sources, settings.scales)
    lines = [TITLES]
    for scale in settings.scales:
        images = [
            compare_image(pair, scale, settings)
            for pair in track(pairs, f"x{scale}", "image")
        ]
        lines += [to_line(name, scale, images) for name in images[0]]
    say(align(lines, {"helper"}))


def compare_image(pair, scale, settings):
    """Compares what each helper makes of one image.

    Args:
        pair: `dataloaders.pairs.Pair`.
        scale: By how much to downscale.
        settings: `CompareSettings`.

    Returns:
        dict: From a helper to the mean and the largest difference from MATLAB's LR in
        grey levels, psnr_y of bicubic, and that of MATLAB's LR.
    """
    hr, matlab = load_image(pair.hr_path), load_image(pair.lr_paths[scale])
    made = {name: helper(hr, scale) for name, helper in HELPERS.items()}
    if settings.octave_path is not None:
        path = Path(settings.octave_path) / f"x{scale}" / f"{pair.name}.png"
        made[OCTAVE] = load_image(path)
    expected = measure_bicubic(matlab, hr, scale, settings.shave_size)
    results = {}
    for name, lr in made.items():
        # Octave's have a row or a column more where HR is no multiple of the scale.
        lr = lr[: matlab.shape[0], : matlab.shape[1]]
        if lr.shape != matlab.shape:
            raise InputError(
                f"{pair.lr_paths[scale]} is of {matlab.shape[1]}x{matlab.shape[0]} "
                f"pixels; {name} makes {lr.shape[1]}x{lr.shape[0]} of {pair.hr_path}."
            )
        difference = np.abs(lr.astype(int) - matlab)
        measured = measure_bicubic(lr, hr, scale, settings.shave_size)
        results[name] = (difference.mean(), difference.max(), measured, expected)
    return results


def measure_bicubic(lr, hr, scale, shave_size):
    """psnr_y of bicubic upscaling, in dB."""
    sr = to_uint8(imresize(lr, scale))
    return psnr_y(sr, hr[: sr.shape[0], : sr.shape[1]], shave_size)


def to_line(name, scale, images):
    """A line of the table: means over the images, and the largest of all."""
    means, largest, measured, expected = zip(*(i[name] for i in images), strict=True)
    dropped = np.mean(measured) - np.mean(expected)
    return (
        *(name, f"x{scale}", f"{np.mean(means):.4f}", str(max(largest))),
        *(f"{np.mean(measured):.3f}", f"{dropped:+.3f}"),
    )


if __name__ == "__main__":
    app.run(main, (CompareSettings,))
