"""TID2013: distorted pictures with the mean and deviation of the scores 0 to 9.

Ponomarenko et al., "Image database TID2013: peculiarities, results and perspectives",
Signal Processing: Image Communication, 2015.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
from scipy.stats import norm

from console.errors import InputError
from console.settings import PathName, option
from dataloaders.score_files import find_files, read_number, read_table
from dataloaders.scored import ScoredLoader
from dataloaders.scored_rows import SCORES, Row, ScoredSettings, threads_option

MEANS, DEVIATIONS = "mos_with_names.txt", "mos_std.txt"

# The database's numbers; pictures are named i<reference>_<distortion>_<level>.
DISTORTIONS = {
    1: "Gaussian noise",
    2: "colour noise",
    3: "spatially correlated noise",
    4: "masked noise",
    5: "high frequency noise",
    6: "impulse noise",
    7: "quantisation noise",
    8: "Gaussian blur",
    9: "denoising",
    10: "JPEG",
    11: "JPEG2000",
    12: "JPEG transmission errors",
    13: "JPEG2000 transmission errors",
    14: "non-eccentricity pattern noise",
    15: "local blocks",
    16: "mean shift",
    17: "contrast change",
    18: "colour saturation",
    19: "multiplicative Gaussian noise",
    20: "comfort noise",
    21: "lossy compression of noise",
    22: "colour quantisation with dither",
    23: "chromatic aberrations",
    24: "sparse sampling",
}


@dataclasses.dataclass(frozen=True)
class TID2013Settings(ScoredSettings):
    """Locations of scores and pictures, and how they are used."""

    flag_prefix = "tid2013_"

    image_path: PathName | None = option(None, "Folder of TID2013's distorted images.")
    score_path: PathName | None = option(
        None,
        f"The scores: either of {MEANS} and {DEVIATIONS}, their folder, or a file "
        "with the columns name, mean and standard deviation. If not given, both files "
        "are expected in the folder of the images or in its parent.",
    )
    image_extension: str = option(
        "bmp", "File extension of the images.", choices=("bmp", "png")
    )
    train_range: str = option(
        "360,3000",
        "Rows of the file to train on, start,end as in a Python slice; an end of 0 or "
        "no end includes the last row.",
    )
    validate_range: str = option(
        "0,360",
        "Rows to validate on, in the same form; the default is all rows of the first "
        "three reference images.",
    )
    threads: int = threads_option("tid2013")


class TID2013(ScoredLoader):
    """Loads the rows of the database's score files, and its distorted images."""

    settings: TID2013Settings
    name = "tid2013"
    settings_classes = (TID2013Settings,)
    first_score = 0

    def describe_source(self) -> str:
        """See `ScoredLoader.describe_source`."""
        return f"the scores of --tid2013_image_path={self.settings.image_path}"

    def read_rows(self) -> list[Row]:
        """See `ScoredLoader.read_rows`."""
        paths = find_files(
            self.settings.image_path,
            (f".{self.settings.image_extension}",),
            "--tid2013_image_path",
        )
        return [
            Row(
                name,
                paths.get(Path(name).stem.lower()),
                to_distribution(mean, deviation),
                mean,
                deviation,
                name_distortion(name),
            )
            for name, mean, deviation in self.read_scores()
        ]

    def read_scores(self) -> list[tuple[str, float, float]]:
        """Reads the image's name, mean score and deviation of each row."""
        path = self._find_scores()
        given = self.settings.score_path
        is_given = given is not None and path == Path(given)
        flag = "--tid2013_score_path" if is_given else None
        table = list(read_table(path, flag, ("mean", "name")))
        if len(table[0][1]) == 2:
            other = path.with_name(DEVIATIONS)
            seconds = list(read_table(other, None, ("standard deviation",)))
            if len(seconds) != len(table):
                raise InputError(
                    f"{path} has {len(table)} rows and {other} has {len(seconds)}; "
                    "expected a deviation for each mean."
                )
            names = [words[1] for _, words in table]
            means = [(words[0], path, number) for number, words in table]
            deviations = [(words[0], other, number) for number, words in seconds]
        else:
            columns = ("name", "mean", "standard deviation")
            table = list(read_table(path, flag, columns))
            names = [words[0] for _, words in table]
            means = [(words[1], path, number) for number, words in table]
            deviations = [(words[2], path, number) for number, words in table]
        return [
            (
                name,
                _read_bounded("mean score", *mean),
                _read_bounded("standard deviation", *deviation),
            )
            for name, mean, deviation in zip(names, means, deviations, strict=True)
        ]

    def _find_scores(self):
        """Finds the file of the means, or the file of three columns."""
        if self.settings.score_path is None:
            folder = Path(self.settings.image_path)
            places = [folder, folder.resolve().parent]
            found = [p / MEANS for p in places if (p / MEANS).is_file()]
            if not found:
                raise InputError(
                    f"--tid2013_image_path={folder}: found no {MEANS} in it or in its "
                    "parent; give --tid2013_score_path."
                )
            return found[0]
        path = Path(self.settings.score_path)
        if path.name.lower() == DEVIATIONS:
            return path.with_name(MEANS)
        return path / MEANS if path.is_dir() else path


def _read_bounded(what, word, path, number):
    value = read_number(word, path, number)
    if not 0 <= value <= SCORES - 1:
        raise InputError(
            f"{path}, line {number}: found the {what} {word}; expected 0 to "
            f"{SCORES - 1}."
        )
    return value


def to_distribution(mean: float, deviation: float) -> np.ndarray:
    """Computes the share of each score 0 to 9 under a Gaussian.

    Args:
        mean: Mean score in [0, 9].
        deviation: Standard deviation; 0 gives the nearest score a share of 1.

    Returns:
        float32 (10,), summing to 1.
    """
    edges = np.arange(SCORES + 1) - 0.5
    shares = np.diff(norm.cdf(edges, mean, max(deviation, 1e-10)))
    return (shares / shares.sum()).astype(np.float32)


def name_distortion(name: str) -> str | None:
    """Names the distortion of a picture named like `i01_08_3.bmp`, or returns None."""
    match = re.fullmatch(r"i\d+_(\d+)_\d+", Path(name).stem.lower())
    if match is None:
        return None
    number = int(match[1])
    return f"{number:02d} {DISTORTIONS.get(number, 'unknown')}"
