"""Small data sets in the layouts of AVA and TID2013, made from a formula."""

import keras
import numpy as np
from PIL import Image

from tests.pictures import draw_picture

REFERENCES, DISTORTIONS, LEVELS = 3, (1, 8), 2


def write_ava(folder, ids=range(100, 112), size=(40, 52)):
    """Writes AVA.txt and `images/sub/<id>.jpg`; returns the two paths."""
    images = folder / "images"
    (images / "sub").mkdir(parents=True)
    lines = []
    for index, number in enumerate(ids, 1):
        votes = [0] * 10
        votes[index % 10], votes[(index + 1) % 10] = 3, 1
        lines.append(f"{index} {number} {' '.join(map(str, votes))} 0 22 1396")
        picture = Image.fromarray(draw_picture(*size, index))
        picture.save(images / "sub" / f"{number}.jpg", quality=95)
    (folder / "AVA.txt").write_text("\n".join(lines) + "\n")
    return folder / "AVA.txt", images


def write_tid2013(folder, extension="bmp", size=(40, 52)):
    """Writes the database's two score files and its images; returns their folder."""
    images = folder / "distorted_images"
    images.mkdir(parents=True)
    means, deviations = [], []
    for reference in range(1, REFERENCES + 1):
        for distortion in DISTORTIONS:
            for level in range(1, LEVELS + 1):
                name = f"i{reference:02d}_{distortion:02d}_{level}"
                picture = draw_picture(*size, 10 * reference + level)
                Image.fromarray(picture).save(images / f"{name}.{extension}")
                # The real list mixes cases, too.
                listed = name.upper() if level == 1 else name
                means.append(f"{7.0 - 2 * level} {listed}.bmp")
                deviations.append("0.5")
    (folder / "mos_with_names.txt").write_text("\n".join(means) + "\n")
    (folder / "mos_std.txt").write_text("\n".join(deviations) + "\n")
    return images


def one_hot(score):
    """A distribution that gives all to one score, 0 to 9."""
    return np.eye(10, dtype=np.float32)[score]


def spoil(predictor):
    """Gives a predictor finite weights whose scores are not finite."""
    network, head = predictor.network, predictor.head
    normalisations = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    beta = normalisations[-1].beta
    # Features of 6 each, times the largest numbers: infinity by infinity.
    beta.assign(np.full(beta.shape, 9.0))
    head.kernel.assign(np.full(head.kernel.shape, 3e38))
