"""Pictures with the distribution of the scores that people gave them.

Pictures are decoded by the project's own loader, in threads, and not by tf.data: a
batch is a function of seed and step, so that a run that was stopped goes on as if it
had not been; training, checking and scoring share one decoder; and a broken file is
named.
"""

import functools
import hashlib

import numpy as np

from console.errors import InputError, name_some
from console.flags import parse_range
from console.progress import warn
from dataloaders.checked import find_broken
from dataloaders.scored_rows import Batch
from imaging.crops import DRAWS, centre_patch, random_patch
from imaging.files import load_image

PARTS = ("train", "validate")


class ScoredLoader:
    """Draws batches; what a batch holds depends on seed and step alone.

    A subclass says where the scores are (`read_rows`) and sets the attributes.

    Attributes:
        parts: From a part's name to its rows that have a picture, once prepared.
        name: Its name in the registry, with which its flags begin.
        first_score: The lowest of the ten scores; the others follow in steps of one.
        within_square: See `imaging.crops.random_patch`.
        hint: What a message about a broken picture advises.
        fills_batches: Whether the last batch of an epoch is filled up with its own
            pictures, so that several devices have equal parts of it.
    """

    name = None
    fills_batches = False
    settings_classes = ()
    first_score = 1
    within_square = False
    hint = "Replace or remove it."

    def __init__(self, settings):
        """Takes the settings; `select` and `prepare` read."""
        self.settings = settings
        self.rows, self.ranges, self.parts = [], {}, {}
        self.epoch, self.first_step = 0, 0

    @classmethod
    def from_flags(cls, patch_size, batch_size, seed=0):
        """Makes the loader that the flags describe.

        Args:
            patch_size: Side of the patches.
            batch_size: Patches in a batch.
            seed: Of all that is drawn.
        """
        others = {"patch_size": patch_size, "batch_size": batch_size, "seed": seed}
        return cls(cls.settings_classes[0].from_flags(**others))

    def read_rows(self):
        """Reads the file of scores.

        Returns:
            list of Row, in the file's order.

        Raises:
            InputError: It is missing or damaged.
        """
        raise NotImplementedError

    def describe_source(self):
        """Says where the scores and the pictures are, for messages."""
        raise NotImplementedError

    def select(self, parts=PARTS):
        """Reads the scores, once, and chooses the rows of each part.

        Args:
            parts: Those needed, of `train` and `validate`.

        Raises:
            InputError: A range selects no row, or the scores cannot be read.
        """
        self.rows = self.rows or self.read_rows()
        self.ranges = {part: self._select(part, self.rows) for part in parts}
        if len(parts) > 1:
            self._warn_of_overlap()

    def prepare(self, parts=PARTS):
        """Finds the pictures of each part, which may take long.

        Args:
            parts: As of `select`, which this calls if nobody has.

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
                    f"--{self.name}_{part}_range={self._range(part)}: of the "
                    f"{len(selected):,} rows that it selects none has a picture; "
                    f"{len(rows) - len(missing):,} of all {len(rows):,} rows have one."
                )
            self.parts[part] = found

    def _range(self, part):
        return getattr(self.settings, f"{part}_range")

    def _select(self, part, rows):
        """Indices of the rows of a part; ranges count rows, with picture or not."""
        flag = f"--{self.name}_{part}_range"
        selected = range(len(rows))[parse_range(self._range(part), flag)]
        if not selected:
            raise InputError(
                f"{flag}={self._range(part)} selects none of the {len(rows):,} rows of "
                f"{self.describe_source()}."
            )
        return selected

    def _warn_of_overlap(self):
        both = sorted(set(self.ranges["train"]) & set(self.ranges["validate"]))
        if both:
            names = name_some([self.rows[index].name for index in both], 3)
            warn(
                f"{len(both):,} rows are both trained and validated on ({names}); "
                "scores on them say little."
            )

    def _find_broken(self):
        """Paths of the pictures that cannot be read, a set."""
        wanted = {index for selected in self.ranges.values() for index in selected}
        paths = [self.rows[i].path for i in sorted(wanted)]
        broken = find_broken([path for path in paths if path], self.settings.image_path)
        if broken:
            names = name_some(sorted(path.name for path in broken))
            warn(f"{len(broken)} pictures cannot be read and are left out: {names}.")
        return broken

    def describe(self):
        """Says which rows these are, wherever their pictures lie or are missing.

        A run goes on when a broken picture was replaced or left out, for it is the same
        run; see `begin` for what becomes of its epoch.

        Returns:
            str: How many, and a digest of their names and scores.
        """
        digest = hashlib.sha256()
        for part, selected in sorted(self.ranges.items()):
            for row in (self.rows[index] for index in selected):
                digest.update(f"{part} {row.name} ".encode())
                digest.update(row.distribution.tobytes())
        counts = ", ".join(
            f"{len(selected)} to {part}" for part, selected in self.ranges.items()
        )
        return f"{counts}, {digest.hexdigest()[:12]}"

    def count(self):
        """Pictures of each part: a dict."""
        return {part: len(rows) for part, rows in self.parts.items()}

    def begin(self, epoch, first_step):
        """Says at which step an epoch begins; it is 0 and 0 if nobody does.

        That is not always a multiple of `steps_per_epoch`, which depends on how many
        pictures there are. Rows are shuffled with and without a picture, so that what
        was drawn of an epoch before its first broken picture stays drawn when that is
        left out, and the rest follows: each other picture once.

        Args:
            epoch: Epochs before it.
            first_step: Steps before it.
        """
        self.epoch, self.first_step = epoch, first_step

    @property
    def batch_size(self):
        """Pictures in a batch; see `ScoredSettings`."""
        return self.settings.batch_size

    @property
    def steps_per_epoch(self):
        """Batches of the training part, the last partial one included."""
        return self._count_batches("train")

    @property
    def validation_batches(self):
        """Batches of the validation part."""
        return self._count_batches("validate")

    def _count_batches(self, part):
        return -(-len(self.parts[part]) // self.batch_size)

    def batch(self, step, share=slice(None)):
        """Draws the training batch of one step.

        Args:
            step: Which step, not before the one that `begin` was told; each epoch has
                `steps_per_epoch` of them and goes through all pictures in an order of
                its own.
            share: Which rows of the batch are wanted; the others are not loaded.

        Returns:
            Batch.

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

    def validation_batch(self, position):
        """Loads one batch of the validation part, in the rows' order.

        Args:
            position: Which, less than `validation_batches`.

        Returns:
            Batch: The patches are the pictures' middles.
        """
        return self._load(
            self._slice(self.parts["validate"], position),
            lambda image, _: centre_patch(image, self.settings.patch_size),
        )

    def _slice(self, things, position):
        size = self.batch_size
        return things[position * size : (position + 1) * size]

    @functools.lru_cache(maxsize=2)  # noqa: B019 - a loader lives as long as the run
    def _shuffle(self, epoch):
        """The rows of the training part that have a picture, in an epoch's order."""
        selected = self.ranges["train"]
        usable = {id(row) for row in self.parts["train"]}
        order = self._make_random(0, epoch).permutation(len(selected))
        rows = [self.rows[selected[index]] for index in order]
        return [row for row in rows if id(row) in usable]

    def _make_random(self, kind, index):
        """The source of what is random in one epoch (`kind` 0) or step (1)."""
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
