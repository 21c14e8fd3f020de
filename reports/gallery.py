"""Keeps the worst and the best images of a measurement while it runs."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from reports.encoding import Encoded, encode, encode_to_fit
from reports.regions import Region, find_regions

TRUTH = "truth"
# Sides of the enlarged region, in HR pixels: the largest that is at most a fifth of the
# picture's side is used.
REGION_SIDES = (96, 64, 48, 32)


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """One image that is shown."""

    name: str
    # (height, width) of its pictures.
    size: tuple[int, int]
    # Where our picture differs most from the truth.
    region: Region
    # All its pictures; None if there is no room.
    encoded: Encoded | None
    # The region of each picture, from a name to a data URI; empty if there is no room.
    crops: dict[str, str]


class Gallery:
    """Keeps the pictures of the images that are shown."""

    def __init__(self, count: int, room: int, shave: int) -> None:
        """Makes an empty gallery.

        Args:
            count: Largest number of images of each scale: half worst, half best images.
            room: Largest number of characters of the pictures of each image.
            shave: HR pixels at each border that are not measured.
        """
        self.count, self.room, self.shave = count, room, shave
        # From a scale to a dict from a name to its exhibit, worst first.
        self.exhibits: dict[int, dict[str, Exhibit]] = {}
        self.values: dict[int, dict[str, float]] = {}

    def offer(
        self,
        scale: int,
        name: str,
        value: float,
        pictures: Mapping[str, np.ndarray],
        hr: np.ndarray,
    ) -> None:
        """Keeps an image if it is among the worst or the best so far.

        Args:
            scale: Upscaling factor.
            name: Name of the image.
            value: Value that ranks the image; higher is better.
            pictures: From a model's name to its output, uint8 (H, W, 3), ours last.
            hr: uint8 (H', W', 3), the truth. All pictures are cut to their common size.
        """
        values = self.values.setdefault(scale, {})
        values[name] = value
        chosen = choose(values, self.count)
        self.values[scale] = {name: values[name] for name in chosen}
        kept = self.exhibits.setdefault(scale, {})
        if name in chosen:
            kept[name] = self.make_exhibit(name, {**pictures, TRUTH: hr})
        self.exhibits[scale] = {name: kept[name] for name in chosen}

    def make_exhibit(self, name: str, pictures: Mapping[str, np.ndarray]) -> Exhibit:
        """Makes the exhibit of an image; `pictures` ends with ours and the truth."""
        height, width = np.min([p.shape[:2] for p in pictures.values()], axis=0)
        pictures = {key: p[:height, :width] for key, p in pictures.items()}
        *_, ours, hr = pictures.values()
        region = self._find_worst(ours, hr)
        crops = {key: encode(region.cut(p)) for key, p in pictures.items()}
        room = self.room - sum(map(len, crops.values()))
        if room < 0:
            crops, encoded = {}, None
        else:
            encoded = encode_to_fit(pictures, region, room)
        return Exhibit(name, (int(height), int(width)), region, encoded, crops)

    def _find_worst(self, ours, hr):
        """Returns the measured region that differs most from the truth."""
        inner = slice(self.shave, -self.shave or None)
        ours, hr = ours[inner, inner], hr[inner, inner]
        size = min(ours.shape[:2])
        side = next((s for s in REGION_SIDES if s * 5 <= size), REGION_SIDES[-1])
        (found,) = find_regions(lambda a, b: (ours[a:b], hr[a:b]), ours.shape[:2], side)
        top, left = found.top + self.shave, found.left + self.shave
        return dataclasses.replace(found, top=top, left=left)


def choose(values: Mapping[str, float], count: int) -> list[str]:
    """Chooses `count` images by their values: half the worst, half the best.

    Of an odd number, one more is of the worst. Names are ordered from the worst on.
    """
    names = sorted(values, key=lambda name: (values[name], name))
    worst = count - count // 2
    best = min(count // 2, max(0, len(names) - worst))
    return names[:worst] + names[len(names) - best :]
