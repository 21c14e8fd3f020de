"""The worst and the best few images of a measurement, kept while it goes on."""

import dataclasses

import numpy as np

from reports.encoding import Encoded, encode, encode_to_fit
from reports.regions import Region, find_regions

TRUTH = "truth"
# Sides of the region that is enlarged, in HR pixels: about a fifth of the picture's.
REGION_SIDES = (96, 64, 48, 32)


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """One image that is shown.

    Attributes:
        name: Of the image.
        size: (height, width) of its pictures.
        region: Where ours is furthest from the truth.
        encoded: All of its pictures; None where there is no room.
        crops: The region of each, from a name to a data URI; likewise empty.
    """

    name: str
    size: tuple
    region: Region
    encoded: Encoded | None
    crops: dict


class Gallery:
    """Keeps the pictures of the images that are shown, and of no others.

    Attributes:
        count: At most how many images of a scale: half the worst, half the best.
        room: Characters for the pictures of each image.
        shave: HR pixels at each border that do not count.
        exhibits: From a scale to a dict from a name to its Exhibit, worst first.
    """

    def __init__(self, count, room, shave):
        """Nothing is shown yet; see the attributes."""
        self.count, self.room, self.shave = count, room, shave
        self.exhibits, self.values = {}, {}

    def offer(self, scale, name, value, pictures, hr):
        """Keeps an image if it is among the worst or the best by now.

        Args:
            scale: Upscaling factor.
            name: Of the image.
            value: What decides; more is better.
            pictures: From a model's name to its output, uint8 (H, W, 3), ours last.
            hr: uint8 (H', W', 3), the truth; all are cut to their common size.
        """
        values = self.values.setdefault(scale, {})
        values[name] = value
        chosen = choose(values, self.count)
        self.values[scale] = {name: values[name] for name in chosen}
        kept = self.exhibits.setdefault(scale, {})
        if name in chosen:
            kept[name] = self._make_exhibit(name, pictures | {TRUTH: hr})
        self.exhibits[scale] = {name: kept[name] for name in chosen}

    def _make_exhibit(self, name, pictures):
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
        """The region that differs most, of what is measured."""
        inner = slice(self.shave, -self.shave or None)
        size = min(ours[inner, inner].shape[:2])
        side = next((s for s in REGION_SIDES if s * 5 <= size), REGION_SIDES[-1])
        (region,) = find_regions(ours[inner, inner], hr[inner, inner], side)
        return dataclasses.replace(
            region, top=region.top + self.shave, left=region.left + self.shave
        )


def choose(values, count):
    """Chooses the worst and the best.

    Args:
        values: From a name to its value.
        count: How many; of an odd number one more of the worst.

    Returns:
        list of names, from the worst to the best.
    """
    names = sorted(values, key=lambda name: (values[name], name))
    best = min(count // 2, max(0, len(names) - (count - count // 2)))
    return names[: count - count // 2] + names[len(names) - best :]
