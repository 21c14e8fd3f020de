"""Finds the LR images of each HR image and checks that their sizes agree."""

import dataclasses
import filecmp
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from console.errors import InputError, name_some
from console.progress import say, warn
from dataloaders.sources import Source
from imaging.decoding import read_size
from imaging.files import load_image
from imaging.imresize import make_lr


@dataclasses.dataclass(frozen=True)
class Pair:
    """One HR image and its LR images.

    Attributes:
        name: Path of the HR file below the source's folder, without its ending; with
            several sources, it begins with `1/` and so on.
        hr_path: The HR file.
        hr_size: (height, width).
        lr_paths: From a scale to the LR file; empty where LR is made from HR.
        lr_sizes: From a scale to (height, width).
        source: Index of the image's source.
        depth: Number of folders between the source's folder and the file.
    """

    name: str
    hr_path: Path
    hr_size: tuple[int, int]
    lr_paths: dict[int, Path]
    lr_sizes: dict[int, tuple[int, int]]
    source: int = 0
    depth: int = 0

    @property
    def file(self) -> str:
        """The image's name with its ending, for messages."""
        return f"{self.name}{self.hr_path.suffix}"


def find_pairs(sources: Sequence[Source], scales: Iterable[int]) -> list[Pair]:
    """Finds and checks all pairs; reports omitted files and the number of images.

    They are sorted by source, then by name. LR images made from HR have the size of
    imresize's output for HR cut to a multiple of the scale.

    Raises:
        InputError: A folder or an LR image is missing, or a size does not fit.
    """
    pairs, counts = [], []
    for index, source in enumerate(sources):
        hr_paths = source.find_hr()
        if not hr_paths:
            raise InputError(f"{source.truth}: found no HR images.")
        lr_paths = {
            scale: {} if source.makes_lr else source.find_lr(hr_paths, scale)
            for scale in scales
        }
        pairs += [
            _make_pair(name, index, source, hr_paths, lr_paths) for name in hr_paths
        ]
        counts.append(f"{len(hr_paths)} of {source.truth} ({source.prefix}...)")
    _check_sizes(pairs)
    if len(sources) > 1:
        say(f"{len(pairs)} images: {', '.join(counts)}.")
        _warn_of_twice(pairs)
    return pairs


def _warn_of_twice(pairs):
    """Warns of images that belong to several sources."""
    first, twice = {}, []
    for pair in pairs:
        if first.setdefault(pair.hr_path.resolve(), pair) is not pair:
            twice.append(pair.name)
    if twice:
        warn(f"{len(twice)} images are given twice and used twice: {name_some(twice)}.")


def find_common(images: Iterable[Pair], others: Iterable[Pair]) -> list[Pair]:
    """Finds the `images` whose HR file also belongs to `others`, under any name.

    The file may be the same by its path, by a link, or byte for byte.
    """
    paths = {pair.hr_path.resolve() for pair in others}
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        by_size.setdefault(path.stat().st_size, []).append(path)

    def is_among(path):
        same_size = by_size.get(path.stat().st_size, ())
        return path.resolve() in paths or any(
            filecmp.cmp(path, other, shallow=False) for other in same_size
        )

    return [pair for pair in images if is_among(pair.hr_path)]


def warn_of_common(images: Iterable[Pair], trained: Iterable[Pair]) -> None:
    """Warns of images that are in both the validation set and the training set."""
    common = [pair.name for pair in find_common(images, trained)]
    if common:
        warn(
            f"{len(common)} of the images to validate on are also trained on "
            f"({name_some(common)}); their metrics are too optimistic."
        )


def _make_pair(name, index, source, hr_paths, lr_paths):
    """Reads the sizes of one HR image and its LR images; see `find_pairs`."""
    height, width = size = read_size(hr_paths[name])
    paths, sizes = {}, {}
    for scale, by_name in lr_paths.items():
        if name in by_name:
            paths[scale] = by_name[name]
            sizes[scale] = read_size(paths[scale])
        else:
            sizes[scale] = (height // scale, width // scale)
    return Pair(
        f"{source.prefix}{name}",
        hr_paths[name],
        size,
        paths,
        sizes,
        index,
        name.count("/"),
    )


def _check_sizes(pairs):
    """Checks that LR sizes are HR sizes over the scale, rounded down or up."""
    wrong = []
    for pair in pairs:
        for scale, path in pair.lr_paths.items():
            allowed = [{n // scale, -(-n // scale)} for n in pair.hr_size]
            size = pair.lr_sizes[scale]
            if any(n not in ok for n, ok in zip(size, allowed, strict=True)):
                wrong.append((path, size, pair, scale))
    if wrong:
        path, size, pair, scale = wrong[0]
        height, width = pair.hr_size
        others = name_some([f"{p.parent.name}/{p.name}" for p, *_ in wrong[1:]])
        more = f" ({len(wrong)} do not fit, also {others})" if others else ""
        raise InputError(
            f"{path} is {size[1]}x{size[0]}, but {pair.hr_path} is {width}x{height}: "
            f"at x{scale} expected {width // scale}x{height // scale}, or rounded up"
            f"{more}. Make the LR images again from these HR images."
        )


class WholePairs:
    """An iterable of whole pictures, decoded from their files one at a time."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        scale: int,
        degrade: Callable[[str, np.ndarray, int], np.ndarray] | None = None,
    ):
        """Takes the pairs and the scale.

        LR images without a file are made by `degrade`, from a name, HR and the scale,
        or else by MATLAB's imresize.
        """
        self.found, self.scale, self.degrade = pairs, scale, degrade

    def __len__(self) -> int:
        """Returns the number of pictures."""
        return len(self.found)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yields (name, lr, hr): a str and two uint8 (H, W, 3) arrays."""
        return map(self.load, self.found)

    def load(self, pair: Pair) -> tuple[str, np.ndarray, np.ndarray]:
        """Decodes one of the pictures; see `__iter__`."""
        hr = load_image(pair.hr_path)
        if self.scale in pair.lr_paths:
            lr = load_image(pair.lr_paths[self.scale])
        elif self.degrade is not None:
            lr = self.degrade(pair.name, hr, self.scale)
        else:
            lr = make_lr(hr, self.scale)
        return pair.name, lr, hr
