"""Small pictures for tests, made from a formula."""

import numpy as np
from PIL import Image


def draw_picture(height, width, seed=0):
    """A smooth picture with some noise, uint8 (H, W, 3)."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + c + seed % 5) + c) + np.cos(y / (4 + c)) for c in range(3)]
    picture = 128 + 40 * np.stack(waves, -1) + draw.normal(0, 6, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_pictures(folder, sizes, seed=0):
    """Writes one PNG for each (height, width): `0.png`, `1.png` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (height, width) in enumerate(sizes):
        picture = draw_picture(height, width, seed + index)
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


def crop_sample(folder):
    """Leaves of the sample's photographs the corners that demo and tour show."""
    for path in folder.glob("*/HR/*.png"):
        height, width = (456, 320) if path.stem == "astronaut" else (224, 240)
        Image.fromarray(np.asarray(Image.open(path))[:height, :width]).save(path)
