"""The decoded pixels of pairs; each file is decoded once, then read by memory map."""

import functools
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

    Returns:
        hr: uint8 (H, W, 3) for each pair.
        lr: From a scale to uint8 (H, W, 3) for each pair.

    Raises:
        InputError: An image or a cache cannot be read or written.
    """
    folder = Path(settings.cache_path or cache.default_folder())
    inputs, parts = [source.input for source in sources], []
    for index, source in enumerate(sources):
        own = [pair for pair in images if pair.source == index]
        is_own_input = inputs.count(source.input) == 1
        parts.append(_Part(folder, own, source, is_own_input, settings))
    # In the order in which they are built.
    plans = [part.hr for part in parts]
    plans += [part.lr[scale] for scale in settings.scales for part in parts]
    if all(plan.is_made() for plan in plans):
        say(f"{len(images)} images, cached in {folder}")
    cache.check_room(plans)
    hr = [image for part in parts for image in part.hr_images]
    lr = {s: [x for part in parts for x in part.open_lr(s)] for s in settings.scales}
    return hr, lr


class _Part:
    """The caches of one source."""

    def __init__(self, folder, images, source, is_own_input, settings):
        """Plans the caches; `is_own_input` if no other source has its folder of LR."""
        self.folder, self.images, self.source = folder, images, source
        self.is_own_input, self.in_memory = is_own_input, settings.in_memory
        self.hr = self._plan_files(
            cache.name_cache(source.place),
            [pair.hr_path for pair in images],
            [(*pair.hr_size, 3) for pair in images],
        )
        self.lr = {scale: self._plan_lr(scale) for scale in settings.scales}

    @functools.cached_property
    def hr_images(self):
        """The HR images, which LR images are made from."""
        return cache.open_cache(self.hr, self.in_memory)

    def open_lr(self, scale):
        """Opens the LR images of one scale."""
        return cache.open_cache(self.lr[scale], self.in_memory)

    def _plan_files(self, name, paths, shapes):
        return cache.Plan(
            self.folder / name,
            cache.describe_sources(paths),
            shapes,
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
                lambda index: make_lr(self.hr_images[index], scale),
            )
        paths, first = [pair.lr_paths[scale] for pair in self.images], self.images[0]
        # The same folder may hold HR images or LR images of another scale.
        others = [path for s, path in first.lr_paths.items() if s != scale]
        place, *others = (
            path.parents[first.depth].resolve()
            for path in (paths[0], first.hr_path, *others)
        )
        suffix = f"-lr-x{scale}" if place in others else ""
        if self.source.is_list or not self.is_own_input:
            # Or LR images of another list or source.
            suffix += f"-of-{cache.digest_of(self.source.place)}"
        return self._plan_files(cache.name_cache(place, suffix), paths, shapes)
