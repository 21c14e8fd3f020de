"""The decoded pixels of pairs; each file is decoded once, then read by memory map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from console.progress import say
from dataloaders import cache
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import Pair
from dataloaders.sources import Source
from imaging.files import load_image
from imaging.imresize import make_lr


def open_pixels(
    images: Sequence[Pair], sources: Sequence[Source], settings: PairedSettings
) -> tuple[list[np.ndarray], dict[int, list[np.ndarray]]]:
    """Opens the caches of HR and LR images; missing caches are made.

    Args:
        images: The pairs.
        sources: The sources of the pairs.
        settings: The loader's settings.

    Returns:
        hr: uint8 (H, W, 3) for each pair.
        lr: From a scale to uint8 (H, W, 3) for each pair.

    Raises:
        InputError: An image or a cache cannot be read or written.
    """
    folder = Path(settings.cache_path or cache.default_folder())
    parts = []
    for index, source in enumerate(sources):
        own = [pair for pair in images if pair.source == index]
        is_own_input = [other.input for other in sources].count(source.input) == 1
        parts.append(_Part(folder, own, source, is_own_input, settings.scales))
    plans = [plan for part in parts for plan in part.plans()]
    if all(plan.is_made() for plan in plans):
        say(f"{len(images)} images, cached in {folder}")
    cache.check_room(plans)
    opened = [part.open(settings.in_memory) for part in parts]
    lr = {s: _join([lr[s] for _, lr in opened]) for s in settings.scales}
    return _join([hr for hr, _ in opened]), lr


def _join(caches):
    """Concatenates the images of several caches."""
    return [image for images in caches for image in images]


class _Part:
    """The caches of one source."""

    def __init__(self, folder, images, source, is_own_input, scales):
        """Plans the caches.

        Args:
            folder: Folder of the caches.
            images: The source's pairs.
            source: The source.
            is_own_input: Whether no other source uses the same folder of LR images.
            scales: Scales of the LR images.
        """
        self.folder, self.images, self.source = folder, images, source
        self.is_own_input = is_own_input
        self.opened = None  # The HR images, once open; LR images are made from them.
        self.hr = self._plan_hr()
        self.lr = {scale: self._plan_lr(scale) for scale in scales}

    def plans(self):
        """Lists all plans in the order in which they are built."""
        return [self.hr, *self.lr.values()]

    def open(self, in_memory):
        """Opens the caches.

        Returns:
            The HR images, and a dict from a scale to the LR images.
        """
        self.opened = cache.open_cache(self.hr, in_memory)
        lr = {s: cache.open_cache(plan, in_memory) for s, plan in self.lr.items()}
        return self.opened, lr

    def _plan_hr(self):
        paths = [pair.hr_path for pair in self.images]
        return cache.Plan(
            self.folder / cache.name_cache(self.source.place),
            cache.describe_sources(paths),
            [(*pair.hr_size, 3) for pair in self.images],
            lambda index: load_image(paths[index]),
        )

    def _plan_lr(self, scale):
        """Plans the LR images of one scale, from files or made from HR."""
        shapes = [(*pair.lr_sizes[scale], 3) for pair in self.images]
        if self.source.makes_lr:
            return cache.Plan(
                self.folder / cache.name_cache(self.source.place, f"-x{scale}"),
                self.hr.sources,
                shapes,
                lambda index: make_lr(self.opened[index], scale),
            )
        paths = [pair.lr_paths[scale] for pair in self.images]
        first = self.images[0]
        # The same folder may hold HR images or LR images of another scale.
        place, *others = (
            path.parents[first.depth].resolve()
            for path in (
                paths[0],
                first.hr_path,
                *(path for s, path in first.lr_paths.items() if s != scale),
            )
        )
        suffix = f"-lr-x{scale}" if place in others else ""
        if self.source.is_list or not self.is_own_input:
            # Or LR images of another list or source.
            suffix += f"-of-{cache.digest_of(self.source.place)}"
        return cache.Plan(
            self.folder / cache.name_cache(place, suffix),
            cache.describe_sources(paths),
            shapes,
            lambda index: load_image(paths[index]),
        )
