"""AVA: photographs and the number of votes for each of the scores 1 to 10.

Murray, Marchesotti and Perronnin, "AVA: a large-scale database for aesthetic visual
analysis", CVPR 2012.
"""

import dataclasses

import numpy as np

from console.errors import InputError
from console.settings import PathName, option
from dataloaders.score_files import find_files, read_number, read_table
from dataloaders.scored import ScoredLoader
from dataloaders.scored_rows import SCORES, Row, ScoredSettings, threads_option
from metrics.scores import mean_score, score_deviation

# More people than exist: a file with more votes is damaged.
MOST_VOTES = 1e10

COLUMNS = ("index", "image id", *(f"votes for {score + 1}" for score in range(SCORES)))


@dataclasses.dataclass(frozen=True)
class AVASettings(ScoredSettings):
    """Locations of scores and pictures, and how they are used."""

    flag_prefix = "ava_"

    dataset_path: PathName = option("AVA.txt", "AVA's score file.")
    image_path: PathName | None = option(
        None,
        "Folder of AVA's images, each named <image id>.jpg; subfolders are searched.",
    )
    train_range: str = option(
        "0,-5000",
        "Rows of the file to train on, start,end as in a Python slice; an end of 0 or "
        "no end includes the last row.",
    )
    validate_range: str = option("-5000,0", "Rows to validate on, in the same form.")
    threads: int = threads_option("ava")
    leave_out_broken: bool = option(
        False,
        "Check all images before the start and leave out unreadable images; unchanged "
        "files are checked only once.",
        flag="ava_validate_images",
    )


class AVA(ScoredLoader):
    """Loads the rows of AVA.txt and JPEG files named by image id."""

    settings: AVASettings
    name = "ava"
    settings_classes = (AVASettings,)
    within_square = True
    hint = "--ava_validate_images finds and leaves out such pictures beforehand."

    def describe_source(self) -> str:
        """See `ScoredLoader.describe_source`."""
        settings = self.settings
        return f"{settings.dataset_path} with --ava_image_path={settings.image_path}"

    def read_rows(self) -> list[Row]:
        """See `ScoredLoader.read_rows`."""
        paths = find_files(
            self.settings.image_path, (".jpg", ".jpeg"), "--ava_image_path"
        )
        rows, path = [], self.settings.dataset_path
        for number, words in read_table(path, "--ava_dataset_path", COLUMNS):
            name, counts = words[1], words[2 : 2 + SCORES]
            votes = [read_number(word, path, number) for word in counts]
            if min(votes) < 0 or not 0 < sum(votes) <= MOST_VOTES:
                raise InputError(
                    f"{path}, line {number}: found the votes {' '.join(counts)}; "
                    "expected the number of votes for each score, at least one in "
                    "total."
                )
            distribution = np.array(np.array(votes) / sum(votes), np.float32)
            rows.append(
                Row(
                    name,
                    paths.get(name.lower()),
                    distribution,
                    mean=float(mean_score(distribution)),
                    deviation=float(score_deviation(distribution)),
                )
            )
        return rows
