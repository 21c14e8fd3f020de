"""Measures models by several processes, on one machine or on a cluster."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from console.cluster import Crew
from console.errors import InputError
from imaging.files import save_image
from metrics.measuring import (
    Images,
    Measurable,
    Metrics,
    measure_image,
    warn_of_missing,
)
from reports.gallery import TRUTH, Gallery, choose

# The most HR pixels and the most images of a batch.
MOST = 4_000_000, 16


class NamedModel(Measurable, Protocol):
    """A model that can be measured and has a name."""

    name: str


# Scale, pair, and whether pictures for the page are wanted instead of values.
Item = tuple[int, Any, bool]


@dataclasses.dataclass
class Measuring:
    """Measures batches of images; see `console.cluster_messages.Worker`.

    Attributes:
        models: The models; images of the first are saved.
        load: From a pair and a scale to its name, LR and HR.
        shave_size: HR pixels dropped at each border.
        save_path: Folder for the images; None to save none.
        more: Further metrics.
        gallery: Makes the pictures for the page.
    """

    models: Sequence[NamedModel]
    load: Callable[[Any, int], tuple[str, np.ndarray, np.ndarray]]
    shave_size: int
    save_path: Path | str | None
    more: Metrics
    gallery: Gallery
    way: str
    note: str = ""

    def take(self, batch: Sequence[Item], done: Callable[[], None]) -> list[Any]:
        """Measures images; returns the values of each model, or an exhibit."""
        rows: list[Any] = []
        for scale, pair, is_shown in batch:
            done()
            name, lr, hr = self.load(pair, scale)
            outputs = [model.make_sr(name, lr, scale) for model in self.models]
            if is_shown:
                pictures = {**name_pictures(self.models, outputs), TRUTH: hr}
                rows.append(self.gallery.make_exhibit(name, pictures))
                continue
            options = name, self.shave_size, self.more
            rows.append([measure_image(sr, hr, *options) for sr in outputs])
            if self.save_path is not None:
                save_output(self.save_path, scale, name, outputs[0])
        return rows


def name_pictures(
    models: Sequence[NamedModel], pictures: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Names the pictures of models for a page: bicubic first, for comparison."""
    pairs = zip(models, pictures, strict=True)
    return dict(reversed({model.name: picture for model, picture in pairs}.items()))


def save_output(folder: Path | str, scale: int, name: str, sr: np.ndarray) -> None:
    """Saves the SR image of a named image."""
    save_image(Path(folder) / f"x{scale}" / f"{name}.png", sr)


def measure_on_cluster(
    crew: Crew,
    pairs: Sequence[Any],
    scales: Sequence[int],
    gallery: Gallery,
) -> dict[int, list[Images]]:
    """Measures all images, of `dataloaders.pairs.Pair`, at all scales.

    Each process of the crew has a `Measuring`; the gallery receives its pictures.

    Returns:
        From a scale to the images of each model; see `measure_scale`.

    Raises:
        InputError: An image cannot be measured.
    """

    def take(items):
        rows = {}
        for (scale, pair, _), row in crew.take(
            items,
            len(items),
            lambda item: math.prod(item[1].hr_size),
            MOST,
            lambda item: item[1].name,
        ):
            if row is None:
                raise InputError(f"{pair.name} cannot be measured; see above.")
            rows[scale, pair.name] = row
        return rows

    found = take([(scale, pair, False) for scale in scales for pair in pairs])
    results: dict[int, list[Images]] = {}
    shown = []
    for scale in scales:
        names = [pair.name for pair in pairs]
        of_models = zip(*(found[scale, name] for name in names), strict=True)
        results[scale] = [dict(zip(names, values, strict=True)) for values in of_models]
        warn_of_missing(results[scale])
        ours = {name: values["psnr_y"] for name, values in results[scale][0].items()}
        shown += [(scale, name) for name in choose(ours, gallery.count)]
    by_name = {pair.name: pair for pair in pairs}
    exhibits = take([(scale, by_name[name], True) for scale, name in shown])
    for scale, name in shown:
        gallery.exhibits.setdefault(scale, {})[name] = exhibits[scale, name]
    return results
