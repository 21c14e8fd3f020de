"""The LR and HR images of a data set, and their whole pictures."""

import functools
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

from console.errors import InputError, name_some
from console.flags import to_list
from console.progress import say
from dataloaders.checked import find_broken
from dataloaders.degradations import Degradation, open_degradation
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import Pair, WholePairs, find_pairs, warn_of_common
from dataloaders.sources import Paths, Source, make_sources
from imaging.files import load_image
from metrics.full_reference import WINDOW
from metrics.grid import LEAST_SIDE
from metrics.niqe import BLOCK, is_large_enough


class ImageSet:
    """HR images and their LR images.

    Attributes:
        settings_classes: A tuple of one class, `PairedSettings` or a subclass.
        source_class: Finds the HR and LR images of a path.
        images: The pairs; empty until they are needed.
    """

    settings_classes: tuple[type[PairedSettings], ...] = (PairedSettings,)
    source_class: type[Source] = Source

    def __init__(self, settings: PairedSettings):
        """Takes the settings; no file is read yet."""
        self.settings = settings
        self.scales: tuple[int, ...] = tuple(settings.scales)
        self.images: list[Pair] = []

    @classmethod
    def from_flags(cls, **others: Any) -> Self:
        """Makes a loader from the flags; `others` are settings without a flag."""
        return cls(cls.settings_classes[0].from_flags(**others))

    def validating(
        self,
        truth_path: Paths,
        input_path: Paths | None,
        shave_size: int,
        metrics: Collection[str] = (),
    ) -> Self:
        """Makes a loader of whole pictures for validation; see `check_whole`."""
        of_whole = {"of": "--validate", "lr_patch_size": None, "batch_size": None}
        loader = type(self)(self.settings.at(truth_path, input_path, **of_whole))
        loader.check_whole(shave_size, metrics)
        where = name_some(to_list(truth_path))
        say(f"Validating on {len(loader.images)} images of {where}.")
        warn_of_common(loader.images, self.images)
        return loader

    def describe(self) -> str:
        """Returns the number of images and a digest of their names and sizes."""
        self._look()
        known = [(pair.name, pair.hr_size, pair.lr_sizes) for pair in self.images]
        digest = hashlib.sha256(repr(known).encode()).hexdigest()[:12]
        how = "made from HR" if self.sources[0].makes_lr else "from files"
        return f"{len(known)} images, LR {how}, {digest}"

    def check_whole(self, shave_size: int, metrics: Collection[str] = ()) -> None:
        """Reads all pictures, and checks as `check_measurable` does.

        Raises:
            InputError: A picture cannot be read or measured.
        """
        self.check_measurable(shave_size, metrics)
        by_folder: dict[Path, set[Path]] = {}
        for pair in self.images:
            for path in (pair.hr_path, *pair.lr_paths.values()):
                by_folder.setdefault(path.parents[pair.depth], set()).add(path)
        for folder, there in sorted(by_folder.items()):
            for path in sorted(find_broken(sorted(there), folder)):
                load_image(path)  # Raises the error of the damaged file.

    def folders(self) -> set[Path]:
        """Returns all folders that hold images of this set."""
        self._look()
        paths = {p for pair in self.images for p in pair.lr_paths.values()}
        return {p.parent for p in (*paths, *(pair.hr_path for pair in self.images))}

    def _look(self):
        """Finds and checks the pairs, once."""
        if not self.images:
            self.images = find_pairs(self.sources, self.scales)

    @functools.cached_property
    def sources(self) -> list[Source]:
        """The sources that the settings' paths describe."""
        paths = self.settings.truth_path, self.settings.input_path
        sources = make_sources(*paths, self.settings.of, self.source_class)
        is_trained = self.settings.of == PairedSettings.of
        if self.degradation and is_trained and not sources[0].makes_lr:
            raise InputError(
                f"--degradation={self.settings.degradation} makes LR images from HR; "
                f"leave out {self.settings.of}_input_path, or choose a --dataloader "
                "without LR images."
            )
        return sources

    @functools.cached_property
    def degradation(self) -> Degradation | None:
        """Makes LR images from HR; None for MATLAB's imresize."""
        return open_degradation(self.settings.degradation)

    def _name_truth(self):
        """Names the flag and paths of the HR images, for messages."""
        paths = name_some(to_list(self.settings.truth_path))
        return f"{self.settings.of}_truth_path={paths}"

    def check_measurable(self, shave_size: int, metrics: Collection[str] = ()) -> None:
        """Checks that all pictures are large enough to be measured at all scales.

        Args:
            shave_size: HR pixels that are dropped at each border.
            metrics: Names of further metrics; NIQE and the grid need larger pictures.

        Raises:
            InputError: A picture is too small.
        """
        self._look()
        least = max(WINDOW, LEAST_SIDE if "grid" in metrics else 0)
        needed = f"at least {2 * shave_size + least} pixels a side"
        with_niqe = "niqe" in metrics
        if with_niqe:
            needed = f"two blocks of {BLOCK}x{BLOCK} for NIQE and {needed}"
        small: dict[Path, int] = {}
        for pair in self.images:
            for scale in self.scales:
                both = zip(pair.lr_sizes[scale], pair.hr_size, strict=True)
                size = [min(lr * scale, hr) - 2 * shave_size for lr, hr in both]
                if min(size) < least or (with_niqe and not is_large_enough(size)):
                    small.setdefault(pair.hr_path, scale)
        if small:
            (path, scale), *others = small.items()
            more = name_some([other.name for other, _ in others])
            raise InputError(
                f"{self.settings.of}_truth_path: {path}: too small to be measured at "
                f"x{scale}, which needs {needed} ({shave_size} are shaved at each "
                f"border){f', as are {more}' if more else ''}. Remove it, or shave "
                "less."
            )

    def pairs(self, scale: int) -> WholePairs:
        """Returns the whole pictures of one scale, decoded one at a time.

        Raises:
            InputError: A picture is smaller than the scale.
        """
        self._look()
        pairs = (
            self.images if scale in self.scales else find_pairs(self.sources, (scale,))
        )
        for pair in pairs:
            if min(pair.lr_sizes[scale]) == 0:
                height, width = pair.hr_size
                raise InputError(
                    f"{self._name_truth()}: {pair.file}: {width}x{height} is "
                    f"too small for x{scale}; remove it or leave out x{scale}."
                )
        if self.degradation is None:
            return WholePairs(pairs, scale)
        seed = self.settings.degradation_seed
        apply = functools.partial(self.degradation.apply_to, seed=seed)
        return WholePairs(pairs, scale, apply)

    def describe_degradation(self) -> str | None:
        """Describes how the LR images of whole pictures are degraded; None if not."""
        if self.degradation is None:
            return None
        return f"{self.settings.degradation}, seed {self.settings.degradation_seed}"
