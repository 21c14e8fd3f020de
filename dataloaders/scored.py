"""Pictures with the distribution of the scores that people gave them.

Unlike with tf.data, a stopped run continues exactly, training, checking and scoring
share one decoder, and errors name the broken file.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Self

import numpy as np

from console.errors import InputError, name_some
from console.flags import parse_range
from console.progress import warn
from dataloaders.checked import find_broken
from dataloaders.scored_rows import Batch, Row, ScoredSettings
from imaging.crops import DRAWS, centre_patch, random_patch
from imaging.files import load_image

PARTS = ("train", "validate")


class ScoredLoader:
    """Draws batches; a batch depends only on the seed and the step.

    A subclass implements `read_rows` and `describe_source` and sets the attributes.

    Attributes:
        rows: All rows, once selected.
        ranges: From a part's name to the indices of its rows, once selected.
        parts: From a part's name to its rows that have a picture, once prepared.
        name: Name in the registry, and prefix of the flags.
        first_score: The lowest of the ten scores; the others follow in steps of 1.
        within_square: See `imaging.crops.random_patch`.
        hint: Advice in a message about a broken picture.
        fills_batches: Whether the last batch of an epoch is filled with its own
            pictures, so that several devices get equal parts.
    """

    name: str
    fills_batches = False
    settings_classes: tuple[type[ScoredSettings], ...] = ()
    first_score = 1
    within_square = False
    hint = "Replace or remove it."

    def __init__(self, settings: ScoredSettings):
        """Takes the settings; `select` and `prepare` read files."""
        self.settings = settings
        self.rows: list[Row] = []
        self.ranges: dict[str, range] = {}
        self.parts: dict[str, list[Row]] = {}
        self.epoch, self.first_step = 0, 0

    @classmethod
    def from_flags(cls, patch_size: int, batch_size: int, seed: int = 0) -> Self:
        """Makes a loader from the flags; see `ScoredSettings`."""
        others = {"patch_size": patch_size, "batch_size": batch_size, "seed": seed}
        return cls(cls.settings_classes[0].from_flags(**others))

    def read_rows(self) -> list[Row]:
        """Reads the file of scores, in its order.

        Raises:
            InputError: The file is missing or damaged.
        """
        raise NotImplementedError

    def describe_source(self) -> str:
        """Names the files of the scores and the pictures, for messages."""
        raise NotImplementedError

    def select(self, parts: Sequence[str] = PARTS) -> None:
        """Reads the scores, once, and chooses the rows of each part.

        Raises:
            InputError: A range selects no row, or the scores cannot be read.
        """
        self.rows = self.rows or self.read_rows()
        self.ranges = {part: self._select(part) for part in parts}
        if len(parts) == 1:
            return
        both = set.intersection(*map(set, self.ranges.values()))
        if both:
            names = name_some([self.rows[index].name for index in sorted(both)], 3)
            warn(
                f"{len(both):,} rows are both trained and validated on ({names}); "
                "their metrics are too optimistic."
            )

    def prepare(self, parts: Sequence[str] = PARTS) -> None:
        """Finds the pictures of each part, which may take long; selects rows first.

        Raises:
            InputError: A part has no picture, or the scores cannot be read.
        """
        if not self.ranges:
            self.select(parts)
        rows = self.rows
        missing = [row.name for row in rows if row.path is None]
        if len(missing) == len(rows):
            raise InputError(
                f"{self.describe_source()}: none of the {len(rows):,} rows has a "
                f"picture (looked for {name_some(missing, 3)})."
            )
        if missing:
            warn(
                f"{self.describe_source()}: {len(missing):,} of {len(rows):,} rows "
                f"have no picture and are left out: {name_some(missing)}."
            )
        unusable = {None}
        if self.settings.leave_out_broken:
            unusable |= self._find_broken()
        for part, selected in self.ranges.items():
            found = [rows[i] for i in selected if rows[i].path not in unusable]
            if not found:
                raise InputError(
                    f"--{self.name}_{part}_range={self._range(part)}: none of the "
                    f"{len(selected):,} selected rows has a picture; "
                    f"{len(rows) - len(missing):,} of all {len(rows):,} rows have one."
                )
            self.parts[part] = found

    def _range(self, part):
        return getattr(self.settings, f"{part}_range")

    def _select(self, part):
        """Indices of a part's rows; ranges include rows without a picture."""
        flag, rows = f"--{self.name}_{part}_range", range(len(self.rows))
        selected = rows[parse_range(self._range(part), flag)]
        if not selected:
            raise InputError(
                f"{flag}={self._range(part)} selects none of the {len(rows):,} rows of "
                f"{self.describe_source()}."
            )
        return selected

    def _find_broken(self):
        """Finds the paths of pictures that cannot be read."""
        wanted = {index for selected in self.ranges.values() for index in selected}
        paths = [self.rows[i].path for i in sorted(wanted)]
        broken = find_broken([path for path in paths if path], self.settings.image_path)
        if broken:
            names = name_some(sorted(path.name for path in broken))
            warn(f"{len(broken)} pictures cannot be read and are left out: {names}.")
        return broken

    def describe(self) -> str:
        """Returns the number of rows and a digest of their names and scores.

        Pictures do not matter, so a run may continue after a broken picture was
        replaced or left out; see `begin` for the order of its epoch.
        """
        digest = hashlib.sha256()
        for part, selected in sorted(self.ranges.items()):
            for row in (self.rows[index] for index in selected):
                digest.update(f"{part} {row.name} ".encode())
                digest.update(row.distribution.tobytes())
        counts = [f"{len(rows)} to {part}" for part, rows in self.ranges.items()]
        return f"{', '.join(counts)}, {digest.hexdigest()[:12]}"

    def count(self) -> dict[str, int]:
        """Counts the pictures of each part."""
        return {part: len(rows) for part, rows in self.parts.items()}

    def begin(self, epoch: int, first_step: int) -> None:
        """Sets the number of steps before an epoch; at first, 0 before epoch 0.

        The step need not be a multiple of `steps_per_epoch`, which depends on the
        number of pictures. Rows without a picture are shuffled, too. So an epoch keeps
        its order when a broken picture is left out: pictures drawn before it are not
        drawn again, and every other picture is drawn once.
        """
        self.epoch, self.first_step = epoch, first_step

    @property
    def batch_size(self) -> int:
        """Pictures in a batch."""
        return self.settings.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training part, including a partial last batch."""
        return self._count_batches("train")

    @property
    def validation_batches(self) -> int:
        """Batches of the validation part."""
        return self._count_batches("validate")

    def _count_batches(self, part):
        return -(-len(self.parts[part]) // self.batch_size)

    def batch(self, step: int, share: slice = slice(None)) -> Batch:
        """Draws the training batch of one step, or the rows of it in `share`.

        Each epoch has `steps_per_epoch` steps and draws every picture once, in its own
        order. No step may be before `begin`'s `first_step`.

        Raises:
            InputError: A picture cannot be read.
        """
        epochs, position = divmod(step - self.first_step, self.steps_per_epoch)
        chosen = self._slice(self._shuffle(self.epoch + epochs), position)
        count = len(chosen)
        rows = np.arange(self.batch_size if self.fills_batches else count)[share]
        draws = self._make_random(1, step).random((count, DRAWS))[rows % count]
        return self._load(
            [chosen[row % count] for row in rows],
            lambda image, index: random_patch(
                image, self.settings.patch_size, draws[index], self.within_square
            ),
            weights=np.float32(rows < count) / np.float32(count),
            count=count,
        )

    def validation_batch(self, position: int) -> Batch:
        """Loads a batch of the centres of the validation part, in the rows' order."""
        return self._load(
            self._slice(self.parts["validate"], position),
            lambda image, _: centre_patch(image, self.settings.patch_size),
        )

    def _slice(self, things, position):
        size = self.batch_size
        return things[position * size : (position + 1) * size]

    @functools.lru_cache(maxsize=2)  # noqa: B019 - a loader lives as long as the run
    def _shuffle(self, epoch):
        """Lists the training rows that have a picture, in an epoch's order."""
        selected = self.ranges["train"]
        usable = {id(row) for row in self.parts["train"]}
        order = self._make_random(0, epoch).permutation(len(selected))
        rows = [self.rows[selected[index]] for index in order]
        return [row for row in rows if id(row) in usable]

    def _make_random(self, kind, index):
        """Makes the random generator of one epoch (`kind` 0) or step (`kind` 1)."""
        return np.random.Generator(np.random.PCG64((self.settings.seed, kind, index)))

    def _load(self, rows, cut, **of_batch):
        side = self.settings.patch_size
        patches = np.empty((len(rows), side, side, 3), np.uint8)
        for index, row in enumerate(rows):
            try:
                patches[index] = cut(load_image(row.path), index)
            except InputError as error:
                raise InputError(f"{error} {self.hint}") from None
        distributions = np.stack([row.distribution for row in rows])
        names = [row.name for row in rows]
        return Batch(patches, distributions, names, **of_batch)
