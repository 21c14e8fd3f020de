"""AVA: photographs and how many people gave each of the scores 1 to 10.

Murray, Marchesotti and Perronnin, "AVA: a large-scale database for aesthetic visual
analysis", CVPR 2012.
"""

import numpy as np
from absl import flags

from console.errors import InputError
from console.flags import define_count, define_path
from dataloaders.score_files import find_files, read_number, read_table
from dataloaders.scored import SCORES, Row, ScoredLoader
from metrics.scores import mean_score, score_deviation

# More people than there are: beyond it, a file is damaged.
MOST_VOTES = 1e10

COLUMNS = ("index", "image id", *(f"votes for {score + 1}" for score in range(SCORES)))


class AVA(ScoredLoader):
    """Rows of AVA.txt, and JPEG files named by image ids."""

    name = "ava"
    within_square = True
    may_change = (
        *("ava_dataset_path", "ava_image_path", "ava_num_threads"),
        *("ava_train_range", "ava_validate_range", "ava_validate_images"),
    )
    hint = "--ava_validate_images finds such pictures beforehand and leaves them out."

    def __init__(self, settings, dataset_path, image_path):
        """Takes where the scores and the pictures are.

        Args:
            settings: `ScoredSettings`.
            dataset_path: AVA.txt.
            image_path: Folder of the pictures, searched with all below it.
        """
        super().__init__(settings)
        self.dataset_path, self.image_path = dataset_path, image_path

    @staticmethod
    def define_flags():
        """Declares where scores and pictures are, and how they are used."""
        define_path("ava_dataset_path", "AVA.txt", "AVA's file of scores.")
        define_path(
            "ava_image_path",
            None,
            "Folder of AVA's images, each named <image id>.jpg; folders in it are "
            "searched, too.",
        )
        flags.DEFINE_string(
            "ava_train_range",
            "0,-5000",
            "Rows of the file to train on, as in a Python slice; an end of 0 or none "
            "means the last row.",
        )
        flags.DEFINE_string(
            "ava_validate_range", "-5000,0", "Rows to validate on, likewise."
        )
        define_count("ava_num_threads", 4, "Threads that load images.")
        flags.DEFINE_bool(
            "ava_validate_images",
            False,
            "Look at every image beforehand and leave out those that cannot be read; "
            "files that do not change are looked at once.",
        )

    @classmethod
    def from_flags(cls, patch_size, batch_size, seed=0):
        """Makes the loader that the flags describe.

        Args:
            patch_size: Side of the patches.
            batch_size: Patches in a batch.
            seed: Of all that is drawn.
        """
        values = flags.FLAGS
        settings = cls.settings_from_flags(
            patch_size=patch_size,
            batch_size=batch_size,
            seed=seed,
            leave_out_broken=values.ava_validate_images,
        )
        return cls(settings, values.ava_dataset_path, values.ava_image_path)

    def describe_source(self):
        """See `ScoredLoader.describe_source`."""
        return f"{self.dataset_path} with --ava_image_path={self.image_path}"

    def read_rows(self):
        """See `ScoredLoader.read_rows`."""
        paths = find_files(self.image_path, (".jpg", ".jpeg"), "--ava_image_path")
        rows = []
        for number, words in read_table(
            self.dataset_path, "--ava_dataset_path", COLUMNS
        ):
            votes = [
                read_number(word, self.dataset_path, number)
                for word in words[2 : 2 + SCORES]
            ]
            if min(votes) < 0 or not 0 < sum(votes) <= MOST_VOTES:
                raise InputError(
                    f"{self.dataset_path}, line {number}: found the votes "
                    f"{' '.join(words[2 : 2 + SCORES])}; expected how many people gave "
                    "each score, at least one of them."
                )
            distribution = np.array(np.array(votes) / sum(votes), np.float32)
            rows.append(
                Row(
                    name=words[1],
                    path=paths.get(words[1].lower()),
                    distribution=distribution,
                    mean=float(mean_score(distribution)),
                    deviation=float(score_deviation(distribution)),
                )
            )
        return rows
