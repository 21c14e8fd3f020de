"""Makes a data set in TID2013's layout from photographs.

    python misc/sample_scores.py --input_path=photographs --output_path=scored
    python misc/sample_scores.py --input_path=Kodak24/HR --output_path=tid2013_like \
        --mos_path=mos_with_names.txt

Each photograph gets distortions of TID2013 at five levels (`misc.distortions`). By
default these are five types, with scores that are made up and fall with the level. With
TID2013's file of scores they are all types but one, and have the scores that people
gave to TID2013's own images; the photographs must be those that TID2013's reference
images were cut from, Kodak's. With --restore_path the scores are those of a trained
predictor, which teaches a smaller one. Rows are sorted by photograph, so that a range
of rows is a set of photographs.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from console import app, quiet
from console.errors import InputError
from console.files import check_target, written_whole
from console.progress import say, track
from console.settings import PathName, Settings, option
from dataloaders import tid2013
from imaging.files import load_image, save_image
from imaging.imresize import imresize
from imaging.listing import find_images
from misc import distortions
from misc.distortions import DISTORTIONS, Distortion

with quiet.imports():
    from metrics.scores import mean_score, score_deviation
    from score_predictors.opening import PredictorSettings
    from score_predictors.predicting import make_predict

# Height and width of TID2013's images; larger photographs are reduced and cropped.
SIZE = (384, 512)

# Mean scores of the levels and their standard deviation, on TID2013's scale of 0 to 9.
MEANS = (7.0, 5.75, 4.5, 3.25, 2.0)
DEVIATION = 0.6


def fill_blocks(image, share, draw):
    """Fills a share of all blocks with random colours."""
    made = image.copy()
    for block in distortions.choose_blocks(made, share, draw, side=16):
        block[:] = draw.integers(0, 256, 3)
    return made


# Five types without a search, each level worse than the one before. Training on them
# takes minutes.
FEW: dict[int, Distortion] = {
    1: Distortion(distortions.add_noise, (4, 9, 16, 27, 45)),
    8: Distortion(distortions.blur, (0.8, 1.3, 2.0, 3.2, 5.0)),
    10: Distortion(distortions.compress, (41, 73, 89, 96, 99)),
    15: Distortion(fill_blocks, (0.02, 0.05, 0.1, 0.2, 0.35)),
    17: Distortion(distortions.change_contrast, (0.75, 0.55, 0.4, 0.27, 0.16)),
}

# Top and left of TID2013's reference images in Kodak's photographs, as far as known.
# The others are cut from the middle.
PLACES = {
    1: (126, 104),
    3: (44, 73),
    4: (206, 0),
    6: (43, 66),
    8: (4, 71),
    19: (255, 0),
}


@dataclasses.dataclass(frozen=True)
class SampleSettings(Settings):
    """The photographs to distort, and the data set to write."""

    input_path: PathName = option(None, "Folder of photographs.", is_required=True)
    output_path: PathName = option(None, "Folder to write to.", is_required=True)
    image_extension: str = option(
        "bmp", "Format of the images.", choices=("bmp", "png")
    )
    seed: int = option(0, "Seed of the distortions.", least=0)
    mos_path: PathName | None = option(
        None,
        f"TID2013's {tid2013.MEANS}, with {tid2013.DEVIATIONS} beside it: people's "
        "scores, for photographs with Kodak's numbers in their names.",
    )
    least_deviation: float = option(
        0.0,
        "Least standard deviation of people's scores. TID2013's deviations are of mean "
        "scores; single votes have about 0.8.",
        least=0.0,
    )
    restore_path: PathName | None = option(
        None, "Weights of a predictor (.h5) that scores the images, for a smaller one."
    )

    def check(self) -> None:
        """See `Settings.check`: the scores have one source."""
        if self.mos_path and self.restore_path:
            raise InputError("found both --mos_path and --restore_path; give only one.")
        if self.least_deviation and not self.mos_path:
            raise InputError("--least_deviation needs --mos_path.")


# From the stem of a name, the rank of the level and the image to a mean score and its
# standard deviation.
Score = Callable[[str, int, np.ndarray], tuple[float, float]]


def main() -> None:
    """Writes images, scores and the strengths of the distortions."""
    settings = SampleSettings.from_flags()
    folder = Path(settings.output_path)
    check_target(folder, "--output_path", is_folder=True)
    found = find_images(settings.input_path, "--input_path", recursive=False)
    sources = found.images
    if len(sources) > 99:
        raise InputError(
            f"--input_path={settings.input_path}: has {len(sources)} photographs; "
            "expected at most 99, because names of TID2013 have two digits."
        )
    score: Score = make_up
    references = dict(enumerate(sources, 1))
    types = FEW
    if settings.mos_path is not None:
        people = read_people(settings.mos_path, settings.least_deviation)
        score = lambda stem, *_: people[stem]  # noqa: E731
        references, types = find_references(sources, people), DISTORTIONS
    elif settings.restore_path is not None:
        score, types = make_judge(settings.restore_path), DISTORTIONS
    rows = []
    strengths: dict[str, dict[str, list[float]]] = {}
    for reference, source in track(references.items(), len(sources), "Distorting"):
        image = load_image(source)
        image = fit(image) if settings.mos_path is None else cut(image, reference)
        for number, distortion in types.items():
            made = strengths.setdefault(tid2013.DISTORTIONS[number], {})
            for level, rank in enumerate(distortion.ranks, 1):
                stem = f"i{reference:02d}_{number:02d}_{level}"
                seed = (settings.seed, reference, number, level)
                distorted, strength = distortion.apply(image, level, seed)
                name = f"{stem}.{settings.image_extension}"
                save_image(folder / "distorted_images" / name, distorted)
                rows.append((name, *score(stem, rank, distorted)))
                made.setdefault(source.name, []).append(strength)
    for name, lines in {
        tid2013.MEANS: [f"{mean:.5f} {name}" for name, mean, _ in rows],
        tid2013.DEVIATIONS: [f"{deviation:.5f}" for *_, deviation in rows],
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


def make_up(stem: str, rank: int, image: np.ndarray) -> tuple[float, float]:
    """Makes up a mean score and its deviation from the rank of a level."""
    return MEANS[rank], DEVIATION


def read_people(path: PathName, least: float) -> dict[str, tuple[float, float]]:
    """Reads people's mean scores and their deviations, by the stem of a name.

    Args:
        path: TID2013's file.
        least: The least deviation to return.

    Raises:
        InputError: A file is missing or of another form.
    """
    rows = tid2013.TID2013(tid2013.TID2013Settings(score_path=path)).read_scores()
    return {
        Path(name).stem.lower(): (mean, max(deviation, least))
        for name, mean, deviation in rows
    }


def make_judge(path: PathName) -> Score:
    """Makes a function that scores whole images by a predictor.

    Raises:
        InputError: The file is missing or damaged.
    """
    predictor = PredictorSettings(restore_path=path).open("mobilenetv2")
    predict = make_predict(predictor.network)

    def score(stem, rank, image):
        distribution = np.asarray(predict(image[None]))
        mean, deviation = mean_score(distribution, 0), score_deviation(distribution)
        return float(mean[0]), float(deviation[0])

    return score


def find_references(
    sources: Sequence[Path], people: Mapping[str, tuple[float, float]]
) -> dict[int, Path]:
    """Finds TID2013's number of each photograph in its name, such as kodim04.png.

    Raises:
        InputError: A name has none, or one without scores.
    """
    references = {}
    for source in sources:
        digits = re.findall(r"\d+", source.stem)
        reference = int(digits[-1]) if digits else 0
        if f"i{reference:02d}_01_1" not in people or reference in references:
            raise InputError(
                f"--input_path: {source}: expected a name with the number of one of "
                "TID2013's reference images, such as Kodak's kodim04.png or 04.png."
            )
        references[reference] = source
    return references


def cut(image: np.ndarray, reference: int) -> np.ndarray:
    """Cuts TID2013's reference image, uint8 (384, 512, 3), from a photograph."""
    middle = [max(0, n - m) // 2 for n, m in zip(image.shape, SIZE, strict=False)]
    top, left = PLACES.get(reference, middle)
    return image[top : top + SIZE[0], left : left + SIZE[1]]


def fit(image: np.ndarray) -> np.ndarray:
    """Reduces and crops uint8 (H, W, 3) to TID2013's size; keeps a smaller one."""
    size = SIZE[::-1] if image.shape[0] > image.shape[1] else SIZE
    scale = max(new / old for new, old in zip(size, image.shape, strict=False))
    if scale < 1:
        image = imresize(image, scale)
    top, left = (max(0, (n - m) // 2) for n, m in zip(image.shape, size, strict=False))
    return image[top : top + size[0], left : left + size[1]]


if __name__ == "__main__":
    app.run(main, (SampleSettings,))
