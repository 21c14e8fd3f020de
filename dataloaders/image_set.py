"""The LR and HR images that a loader draws from, and all of them whole."""

import functools
import hashlib

from console.errors import InputError, name_some
from console.flags import to_list
from dataloaders.checked import find_broken
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import WholePairs, check_measurable, find_pairs
from dataloaders.sources import Source, make_sources
from imaging.files import load_image


class ImageSet:
    """HR images and the LR images that belong to them.

    Attributes:
        settings_classes: One, `PairedSettings` or a subclass.
        source_class: What finds the HR and LR images of a path.
        settings: Of that class.
        scales: Upscaling factors, a tuple.
        images: list of `dataloaders.pairs.Pair`, once they were looked at.
    """

    settings_classes = (PairedSettings,)
    source_class = Source

    def __init__(self, settings):
        """Takes the settings; nothing is looked at yet."""
        self.settings = settings
        self.scales, self.images = tuple(settings.scales), []

    @classmethod
    def from_flags(cls, **others):
        """Makes the loader that the flags describe.

        Args:
            **others: Settings that are no flags of the loader.
        """
        return cls(cls.settings_classes[0].from_flags(**others))

    def validating(self, truth_path, input_path):
        """A loader of the whole pictures that a training is validated on.

        Args:
            truth_path: The value of --validate_truth_path.
            input_path: That of --validate_input_path.
        """
        of_whole = {"of": "--validate", "lr_patch_size": None, "batch_size": None}
        return type(self)(self.settings.at(truth_path, input_path, **of_whole))

    def describe(self):
        """Says which images these are, wherever they lie.

        Returns:
            str: How many, and a digest of their names and sizes.

        Raises:
            InputError: Something is wrong with the images.
        """
        self._look()
        known = [(pair.name, pair.hr_size, pair.lr_sizes) for pair in self.images]
        digest = hashlib.sha256(repr(known).encode()).hexdigest()[:12]
        how = "made from HR" if self.sources[0].makes_lr else "from files"
        return f"{len(known)} images, LR {how}, {digest}"

    def check_whole(self, shave_size, with_niqe=False):
        """Makes sure that all pictures can be read and measured.

        Args:
            shave_size: HR pixels that are dropped at each border.
            with_niqe: Whether NIQE is measured, too.

        Raises:
            InputError: At least one cannot.
        """
        self.check_measurable(shave_size, with_niqe)
        by_folder = {}
        for pair in self.images:
            for path in (pair.hr_path, *pair.lr_paths.values()):
                by_folder.setdefault(path.parents[pair.depth], set()).add(path)
        for folder, there in sorted(by_folder.items()):
            for path in sorted(find_broken(sorted(there), folder)):
                load_image(path)  # Tells what is wrong.

    def folders(self):
        """All folders that the images lie in, a set of Path."""
        self._look()
        paths = {p for pair in self.images for p in pair.lr_paths.values()}
        return {p.parent for p in (*paths, *(pair.hr_path for pair in self.images))}

    def _look(self):
        """Checks the pairs, once."""
        if not self.images:
            self.images = find_pairs(self.sources, self.scales)

    @functools.cached_property
    def sources(self):
        """What the paths of the settings are, a list of `source_class`."""
        paths = self.settings.truth_path, self.settings.input_path
        return make_sources(*paths, self.settings.of, self.source_class)

    def _name_truth(self):
        """What the HR images are of, with its flag, for messages."""
        paths = name_some(to_list(self.settings.truth_path))
        return f"{self.settings.of}_truth_path={paths}"

    def check_measurable(self, shave_size, with_niqe=False):
        """Refuses pictures that are too small to be measured, before any is.

        Args:
            shave_size: HR pixels that are dropped at each border.
            with_niqe: Whether NIQE is measured, too.

        Raises:
            InputError: At least one is, at one of the scales.
        """
        self._look()
        flag = f"{self.settings.of}_truth_path"
        check_measurable(self.images, self.scales, shave_size, flag, with_niqe)

    def pairs(self, scale):
        """Whole pictures of one scale, decoded one at a time.

        Returns:
            WholePairs: Of (name, lr, hr), sorted by name.

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
        return WholePairs(pairs, scale)
