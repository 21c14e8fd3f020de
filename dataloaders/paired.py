"""LR and HR images of the same name, and the patches that are drawn from them."""

import dataclasses
import functools
import hashlib

import numpy as np

from console.errors import InputError, name_some
from console.flags import to_list
from console.progress import warn
from dataloaders.checked import find_broken
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import WholePairs, check_measurable, find_pairs
from dataloaders.patches import VARIANTS, turn_into
from dataloaders.pixels import open_pixels
from dataloaders.sources import Source, make_sources
from imaging.files import load_image


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one training step is made of.

    Attributes:
        step: Which step.
        scale: Upscaling factor.
        lr: uint8 (N, P, P, 3), RGB.
        hr: uint8 (N, P * scale, P * scale, 3), RGB, the same places.
        names: Of the images, N of them.
    """

    step: int
    scale: int
    lr: np.ndarray
    hr: np.ndarray
    names: list


class PairedLoader:
    """Draws batches of patches; a batch depends on seed and step alone.

    A loader of another data set is a subclass with its own settings or sources.

    Attributes:
        settings_classes: One, `PairedSettings` or a subclass.
        source_class: What finds the HR and LR images of a path.
        images: list of `dataloaders.pairs.Pair`, once they were looked at.
    """

    settings_classes = (PairedSettings,)
    source_class = Source

    def __init__(self, settings):
        """Takes the settings; `prepare` looks at the images."""
        self.settings = settings
        self.scales = tuple(settings.scales)
        weights = settings.scale_weights or (1,) * len(self.scales)
        # Each scale as often as it is to be drawn.
        self.urn = [
            s for s, w in zip(self.scales, weights, strict=True) for _ in range(w)
        ]
        self.images, self.hr, self.lr, self.usable = [], None, {}, {}

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

    @property
    def batch_size(self):
        """Patches in a batch."""
        return self.settings.batch_size

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
            self.images = self._find(self.scales)

    @functools.cached_property
    def sources(self):
        """What the paths of the settings are, a list of `source_class`."""
        paths = self.settings.truth_path, self.settings.input_path
        return make_sources(*paths, self.settings.of, self.source_class)

    def _find(self, scales):
        return find_pairs(self.sources, scales)

    def prepare(self):
        """Checks the pairs and opens the caches; those not there yet are made.

        Raises:
            InputError: Something is wrong with the images or the cache.
        """
        self._look()
        self.usable = {s: self._find_usable(s) for s in self.scales}
        self.hr, self.lr = open_pixels(self.images, self.sources, self.settings)

    def _find_usable(self, scale):
        """Indices of the images that a patch of one scale fits into."""
        fits = [min(self._count_offsets(i, scale)) > 0 for i in range(len(self.images))]
        small = [
            pair.file for pair, fit in zip(self.images, fits, strict=True) if not fit
        ]
        side = self.settings.lr_patch_size * scale
        if all(not fit for fit in fits):
            raise InputError(
                f"{self._name_truth()}: all {len(small)} images are smaller than a "
                f"patch, {side}x{side} at x{scale}; take larger images or a smaller "
                "--input_patch_size."
            )
        if small:
            warn(
                f"x{scale} leaves out {name_some(small)}, smaller than a patch "
                f"({side}x{side}); {sum(fits)} images remain."
            )
        return np.flatnonzero(fits)

    def _name_truth(self):
        """What the HR images are of, with its flag, for messages."""
        paths = name_some(to_list(self.settings.truth_path))
        return f"{self.settings.of}_truth_path={paths}"

    def _count_offsets(self, index, scale):
        """How many rows and columns a patch may start at; 0 or less for none.

        An LR side that was rounded up has a last pixel whose HR pixels are not all
        there; no patch includes it.
        """
        lr, hr = self.images[index].lr_sizes[scale], self.images[index].hr_size
        side = self.settings.lr_patch_size
        return [min(lr[axis], hr[axis] // scale) - side + 1 for axis in (0, 1)]

    def _make_random(self, step):
        """The source of all that is random in one step."""
        return np.random.Generator(np.random.PCG64((self.settings.seed, step)))

    def scale_of(self, step):
        """The scale of a step."""
        return self._draw_scale(self._make_random(step))

    def _draw_scale(self, random):
        """Draws the scale: the first thing drawn in a step, so that it is cheap."""
        return self.urn[random.integers(len(self.urn))]

    def batch(self, step, scale=None, share=slice(None)):
        """Draws the batch of one step.

        Args:
            step: Which step; the same step of the same seed gives the same batch.
            scale: In place of the scale that the step would draw.
            share: Which of the patches to cut; the same as of the whole batch.

        Returns:
            Batch.
        """
        scale, drawn = self._draw(step, scale)
        drawn = drawn[share]
        lr = self._cut(drawn, self.lr[scale], 1)
        hr = self._cut(drawn, self.hr, scale)
        names = [self.images[index].name for index, *_ in drawn]
        return Batch(step, scale, lr, hr, names)

    def _draw(self, step, scale=None):
        """Draws what one step is made of; no pixel is touched.

        Returns:
            scale: The one asked for, or else the one drawn.
            drawn: (image, top, left, variant) of each patch, in LR pixels.
        """
        random = self._make_random(step)
        own_scale = self._draw_scale(random)
        scale = own_scale if scale is None else scale
        usable, count = self.usable[scale], self.settings.batch_size
        indices = usable[random.integers(len(usable), size=count)]
        places = random.random((count, 2))
        variants = random.integers(VARIANTS, size=count).tolist()
        offsets = [self._count_offsets(index, scale) for index in indices]
        corners = (places * offsets).astype(int)
        return scale, list(zip(indices, *corners.T, variants, strict=True))

    def _cut(self, drawn, images, times):
        """Cuts drawn patches, turned.

        Args:
            drawn: As `_draw` gives them.
            images: The cache to cut from.
            times: How many of its pixels make an LR pixel, along one side.

        Returns:
            uint8 (N, P * times, P * times, 3).
        """
        side = self.settings.lr_patch_size * times
        patches = np.empty((len(drawn), side, side, 3), np.uint8)
        for out, (index, top, left, variant) in zip(patches, drawn, strict=True):
            y, x = top * times, left * times
            turn_into(images[index][y : y + side, x : x + side], variant, out)
        return patches

    def draw_patches(self, step, scale):
        """Draws the LR/HR patch pairs of one step at one scale.

        Args:
            step: Which step; the same step of the same seed gives the same patches.
            scale: Upscaling factor, one of `self.scales`.

        Returns:
            lr: uint8 (N, P, P, 3), RGB.
            hr: uint8 (N, P * scale, P * scale, 3), RGB, the same places.
        """
        batch = self.batch(step, scale)
        return batch.lr, batch.hr

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
        pairs = self.images if scale in self.scales else self._find((scale,))
        for pair in pairs:
            if min(pair.lr_sizes[scale]) == 0:
                height, width = pair.hr_size
                raise InputError(
                    f"{self._name_truth()}: {pair.file}: {width}x{height} is "
                    f"too small for x{scale}; remove it or leave out x{scale}."
                )
        return WholePairs(pairs, scale)
