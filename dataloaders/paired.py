"""LR and HR images of the same name, and the patches that are drawn from them."""

import dataclasses
import hashlib

import numpy as np

from console.errors import InputError, name_some
from console.flags import one_or_all, to_list
from console.progress import warn
from console.settings import PathName, Settings, option
from dataloaders.checked import find_broken
from dataloaders.pairs import WholePairs, check_measurable, find_pairs
from dataloaders.patches import VARIANTS, turn_into
from dataloaders.pixels import open_pixels
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


@dataclasses.dataclass(frozen=True)
class PairedSettings(Settings):
    """Where the images are and how patches are drawn.

    Attributes:
        scales: Scales to draw.
        lr_patch_size: Side of the LR patches; None for whole pictures only.
        batch_size: Patches in a batch.
        seed: Of all that is drawn.
        of: What the flags that gave the folders begin with, for messages.
        scale_weights: How often each of the scales is drawn, relative to the others,
            whole numbers; None for equally.
    """

    changes = "freely"

    truth_path: tuple[PathName, ...] = option(
        ("HR",),
        "Folder of HR images, or @ and a list; may be given again.",
        flag="data_truth_path",
    )
    input_path: tuple[PathName, ...] | None = option(
        None,
        "Folder with x2/, x4/, x8/ of LR images, named like the HR images or, as "
        "in DIV2K's archives, with x2 behind the name. If not given, they are made "
        "from HR as MATLAB's imresize does.",
        flag="data_input_path",
    )
    scales: tuple = (2, 4, 8)
    lr_patch_size: int | None = None
    batch_size: int | None = None
    seed: int = 0
    cache_path: PathName | None = option(
        None,
        "Folder for the decoded images; the user's cache folder if not given.",
        flag="cache_path",
    )
    in_memory: bool = option(
        False, "Keep all decoded images in memory.", flag="data_cached"
    )
    of: str = "--data"
    scale_weights: tuple | None = None

    @classmethod
    def from_flags(cls, **others):
        """See `Settings.from_flags`."""
        settings = super().from_flags(**others)
        return settings.at(settings.truth_path, settings.input_path)

    def at(self, truth_path, input_path, **others):
        """The same of other images.

        Args:
            truth_path: Of HR images; see the flags.
            input_path: Of LR images.
            **others: Other fields.
        """
        paths = {"truth_path": truth_path, "input_path": input_path}
        paths = {name: one_or_all(path) for name, path in paths.items()}
        return dataclasses.replace(self, **paths, **others)


class PairedLoader:
    """Draws batches of patches; a batch depends on seed and step alone."""

    settings_classes = (PairedSettings,)

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
        made = self.settings.input_path is None
        digest = hashlib.sha256(repr(known).encode()).hexdigest()[:12]
        where = "LR made from HR" if made else "LR from files"
        return f"{len(known)} images, {where}, {digest}"

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

    def _find(self, scales):
        settings = self.settings
        return find_pairs(settings.truth_path, settings.input_path, scales, settings.of)

    def prepare(self):
        """Checks the pairs and opens the caches; those not there yet are made.

        Raises:
            InputError: Something is wrong with the images or the cache.
        """
        self._look()
        self.usable = {s: self._find_usable(s) for s in self.scales}
        self.hr, self.lr = open_pixels(self.images, self.settings)

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
