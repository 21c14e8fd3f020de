"""Makes a small data set in TID2013's layout from photographs, scores included.

    python misc/sample_scores.py --input_path=photographs --output_path=scored

Each photograph gets five distortions at five levels: Gaussian noise, blur, JPEG, local
blocks and a loss of contrast, with their numbers in TID2013. The scores are made up:
they fall with the level. The data set serves to try out the training of score
predictors, which learn to recognise these distortions. Rows are sorted by photograph,
so that a range of rows is a set of photographs.
"""

import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2
import numpy as np
from PIL import Image

from console import app
from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say, track
from console.settings import PathName, Settings, option
from imaging.files import load_image, save_image, to_uint8
from imaging.imresize import imresize
from imaging.listing import list_images

# Height and width of TID2013's images; larger photographs are reduced and cropped.
SIZE = (384, 512)

# Mean scores of the levels and their standard deviation, on TID2013's scale of 0 to 9.
MEANS = (7.0, 5.75, 4.5, 3.25, 2.0)
DEVIATION = 0.6

# Side of the blocks that are replaced.
BLOCK = 16


def add_noise(
    image: np.ndarray, deviation: float, draw: np.random.Generator
) -> np.ndarray:
    """Adds Gaussian noise with a standard deviation in grey levels."""
    return to_uint8(image + draw.normal(0, deviation, image.shape))


def blur(image: np.ndarray, sigma: float, draw: np.random.Generator) -> np.ndarray:
    """Blurs with a Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def compress(image: np.ndarray, quality: int, draw: np.random.Generator) -> np.ndarray:
    """Compresses as JPEG of a quality."""
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored).convert("RGB"))


def put_blocks(
    image: np.ndarray, share: float, draw: np.random.Generator
) -> np.ndarray:
    """Fills a share of all blocks of 16 x 16 pixels with random colours.

    At least one block is filled, so that small pictures are distorted, too.
    """
    rows, columns = (max(1, length // BLOCK) for length in image.shape[:2])
    count = max(1, round(share * rows * columns))
    chosen = draw.permutation(rows * columns)[:count]
    image = image.copy()
    for top, left in BLOCK * np.stack(np.divmod(chosen, columns), -1):
        image[top : top + BLOCK, left : left + BLOCK] = draw.integers(0, 256, 3)
    return image


def lose_contrast(
    image: np.ndarray, share: float, draw: np.random.Generator
) -> np.ndarray:
    """Reduces the contrast to a share."""
    return to_uint8(127.5 + share * (image - 127.5))


# From a number of TID2013 to a name, a function, and its argument at each level.
DISTORTIONS: dict[int, tuple[str, Callable[..., np.ndarray], tuple]] = {
    1: ("Gaussian noise", add_noise, (4, 9, 16, 27, 45)),
    8: ("Gaussian blur", blur, (0.8, 1.3, 2.0, 3.2, 5.0)),
    10: ("JPEG", compress, (60, 28, 12, 5, 2)),
    15: ("local blocks", put_blocks, (0.02, 0.05, 0.1, 0.2, 0.35)),
    17: ("contrast change", lose_contrast, (0.75, 0.55, 0.4, 0.27, 0.16)),
}


@dataclasses.dataclass(frozen=True)
class SampleSettings(Settings):
    """The photographs to distort, and the data set to write."""

    input_path: PathName = option(None, "Folder of photographs.", is_required=True)
    output_path: PathName = option(None, "Folder to write to.", is_required=True)
    image_extension: str = option(
        "bmp", "Format of the images.", choices=("bmp", "png")
    )
    seed: int = option(0, "Seed of the noise and the blocks.", least=0)


def main() -> None:
    """Writes images, scores and the levels of the distortions."""
    settings = SampleSettings.from_flags()
    folder = Path(settings.output_path)
    check_target(folder, "--output_path", is_folder=True)
    sources = list_images(settings.input_path, "--input_path")
    if len(sources) > 99:
        raise InputError(
            f"--input_path={settings.input_path}: has {len(sources)} photographs; "
            "expected at most 99, because names of TID2013 have two digits."
        )
    rows = []
    for reference, source in enumerate(track(sources, len(sources), "Distorting"), 1):
        rows += write_distorted(fit(load_image(source)), reference, folder, settings)
    strengths = {name: list(levels) for name, _, levels in DISTORTIONS.values()}
    for name, lines in {
        "mos_with_names.txt": [f"{mean:.5f} {name}" for name, mean in rows],
        "mos_std.txt": [f"{DEVIATION:.5f}"] * len(rows),
        "distortions.json": [json.dumps(strengths, indent=2)],
    }.items():
        with written_whole(folder / name) as aside:
            aside.write_text("\n".join(lines) + "\n")
    each = len(rows) // len(sources)
    text = f"Wrote {len(rows)} images, {each} of each photograph, to {folder}."
    held_out = max(1, len(sources) // 4) * each
    if len(sources) > 1:  # A single photograph leaves none to validate on.
        text += (
            " To hold out photographs for validation: "
            f"--tid2013_validate_range=0,{held_out} --tid2013_train_range={held_out},0"
        )
    say(text)


def write_distorted(
    image: np.ndarray, reference: int, folder: Path, settings: SampleSettings
) -> list[tuple[str, float]]:
    """Writes all distorted images of one photograph.

    Args:
        image: uint8 (H, W, 3).
        reference: Number of the photograph.
        folder: Folder of the data set.
        settings: The settings.

    Returns:
        (name, mean score) of each image.
    """
    rows = []
    for number, (_, distort, levels) in DISTORTIONS.items():
        for level, (strength, mean) in enumerate(zip(levels, MEANS, strict=True), 1):
            draw = np.random.default_rng((settings.seed, reference, number, level))
            name = f"i{reference:02d}_{number:02d}_{level}.{settings.image_extension}"
            distorted = distort(image, strength, draw)
            save_image(folder / "distorted_images" / name, distorted)
            rows.append((name, mean))
    return rows


def fit(image: np.ndarray) -> np.ndarray:
    """Reduces and crops a photograph to TID2013's size; keeps a smaller photograph.

    Args:
        image: uint8 (H, W, 3).

    Returns:
        uint8 (H', W', 3).
    """
    size = SIZE[::-1] if image.shape[0] > image.shape[1] else SIZE
    scale = max(new / old for new, old in zip(size, image.shape, strict=False))
    if scale < 1:
        image = imresize(image, scale)
    top, left = (max(0, (n - m) // 2) for n, m in zip(image.shape, size, strict=False))
    return image[top : top + size[0], left : left + size[1]]


if __name__ == "__main__":
    app.run(main, (SampleSettings,))
