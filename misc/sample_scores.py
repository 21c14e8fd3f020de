"""Makes a small data set in TID2013's layout from photographs, scores included.

    python misc/sample_scores.py --input_path=photographs --output_path=scored

Each photograph is distorted in five ways at five levels: Gaussian noise, blur, JPEG,
local blocks and a loss of contrast, under the numbers that TID2013 gives them. The
score falls with the level; nobody was asked. It serves to try the training of the score
predictors, and to train one that knows these distortions from their absence. Rows are
sorted by photograph, so that a range of rows is a set of photographs.
"""

import dataclasses
import io
import json
import sys
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

# Height and width of TID2013's images; larger photographs are reduced and cut.
SIZE = (384, 512)

# Scores of the five levels and what people would differ by, on TID2013's scale 0 to 9.
MEANS = (7.0, 5.75, 4.5, 3.25, 2.0)
DEVIATION = 0.6

# Side of the blocks that are replaced.
BLOCK = 16


def add_noise(image, deviation, draw):
    """Adds Gaussian noise of a standard deviation in grey levels."""
    return to_uint8(image + draw.normal(0, deviation, image.shape))


def blur(image, sigma, draw):
    """Blurs with a Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def compress(image, quality, draw):
    """Stores as JPEG of a quality and reads it back."""
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored).convert("RGB"))


def put_blocks(image, share, draw):
    """Replaces this share of all blocks of 16 x 16 pixels by one colour each.

    At least one, so that a small picture is not scored for what it does not show.
    """
    rows, columns = (max(1, length // BLOCK) for length in image.shape[:2])
    count = max(1, round(share * rows * columns))
    chosen = draw.permutation(rows * columns)[:count]
    image = image.copy()
    for top, left in BLOCK * np.stack(np.divmod(chosen, columns), -1):
        image[top : top + BLOCK, left : left + BLOCK] = draw.integers(0, 256, 3)
    return image


def lose_contrast(image, share, draw):
    """Draws all values towards middle grey until this share of the contrast is left."""
    return to_uint8(127.5 + share * (image - 127.5))


# By TID2013's numbers: what is done, and how strongly at each level.
DISTORTIONS = {
    1: ("Gaussian noise", add_noise, (4, 9, 16, 27, 45)),
    8: ("Gaussian blur", blur, (0.8, 1.3, 2.0, 3.2, 5.0)),
    10: ("JPEG", compress, (60, 28, 12, 5, 2)),
    15: ("local blocks", put_blocks, (0.02, 0.05, 0.1, 0.2, 0.35)),
    17: ("contrast change", lose_contrast, (0.75, 0.55, 0.4, 0.27, 0.16)),
}


@dataclasses.dataclass(frozen=True)
class SampleSettings(Settings):
    """What is distorted, and where to."""

    input_path: PathName = option(None, "Folder of photographs.", is_required=True)
    output_path: PathName = option(None, "Folder to write to.", is_required=True)
    image_extension: str = option(
        "bmp", "Format of the images.", choices=("bmp", "png")
    )
    seed: int = option(0, "Of the noise and the blocks.", least=0)


def main():
    """Writes images, scores and strengths."""
    settings = SampleSettings.from_flags()
    folder = Path(settings.output_path)
    check_target(folder, "--output_path", is_folder=True)
    sources = list_images(settings.input_path, "--input_path")
    if len(sources) > 99:
        raise InputError(
            f"--input_path={settings.input_path}: has {len(sources)} photographs; "
            "expected at most 99, as many as names in TID2013's style can tell apart."
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
    if len(sources) > 1:  # Of one alone, nothing is left to validate on.
        text += (
            " To validate on photographs that are not trained on: "
            f"--tid2013_validate_range=0,{held_out} --tid2013_train_range={held_out},0"
        )
    say(text)


def write_distorted(image, reference, folder, settings):
    """Writes all distorted images of one photograph.

    Args:
        image: uint8 (H, W, 3).
        reference: The photograph's number.
        folder: Of the data set.
        settings: `SampleSettings`.

    Returns:
        list of (name, mean score).
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


def fit(image):
    """Reduces and cuts a photograph to TID2013's size; a smaller one stays.

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
