"""Finds the LR images of each HR image and checks that their sizes agree."""

import dataclasses
import filecmp
from pathlib import Path

from console.errors import InputError, name_some
from console.progress import say, warn
from imaging.files import load_image, read_size
from imaging.imresize import make_lr
from metrics.full_reference import WINDOW
from metrics.niqe import BLOCK, is_large_enough


@dataclasses.dataclass(frozen=True)
class Pair:
    """One HR image and its LR images.

    Attributes:
        name: The HR file's name without its ending, behind the folders that it is in
            below the one that was given; of several sources behind `1/` and so on.
        hr_path: The HR file.
        hr_size: (height, width).
        lr_paths: From a scale to the LR file; empty where LR is made from HR.
        lr_sizes: From a scale to (height, width).
        source: Which of the sources it is of, from 0.
        depth: How many folders below its source's it lies.
    """

    name: str
    hr_path: Path
    hr_size: tuple
    lr_paths: dict
    lr_sizes: dict
    source: int = 0
    depth: int = 0

    @property
    def file(self):
        """The HR file as messages name it: its name with its ending."""
        return f"{self.name}{self.hr_path.suffix}"


def find_pairs(sources, scales):
    """Finds and checks all pairs; says what is left out, and what is where.

    Args:
        sources: list of `dataloaders.sources.Source`. LR images that are made have the
            size of imresize on HR cut to a multiple.
        scales: The scales wanted.

    Returns:
        list of Pair, source after source, sorted by name.

    Raises:
        InputError: A folder or an LR image is missing, or a size does not fit.
    """
    pairs, counts = [], []
    for index, source in enumerate(sources):
        hr_paths = source.find_hr()
        if not hr_paths:
            raise InputError(f"{source.truth}: found no HR images in it.")
        lr_paths = {scale: {} for scale in scales}
        if not source.makes_lr:
            lr_paths = {scale: source.find_lr(hr_paths, scale) for scale in scales}
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
    """Says which images more than one source gives."""
    first, twice = {}, []
    for pair in pairs:
        if first.setdefault(pair.hr_path.resolve(), pair) is not pair:
            twice.append(pair.name)
    if twice:
        warn(
            f"{len(twice)} images are given twice, and count twice: {name_some(twice)}."
        )


def find_common(images, others):
    """Finds images that two sets have in common, whatever these call them.

    Args:
        images: list of Pair.
        others: Likewise.

    Returns:
        list of Pair: Those of `images` whose HR file is also one of `others`: by its
        path, by a link, or byte for byte.
    """
    paths = {pair.hr_path.resolve() for pair in others}
    by_size = {}
    for path in paths:
        by_size.setdefault(path.stat().st_size, []).append(path)

    def is_among(path):
        same_size = by_size.get(path.stat().st_size, ())
        return path.resolve() in paths or any(
            filecmp.cmp(path, other, shallow=False) for other in same_size
        )

    return [pair for pair in images if is_among(pair.hr_path)]


def warn_of_common(images, trained):
    """Says which of the images that a model is measured on it is trained on, too.

    Args:
        images: list of Pair.
        trained: Likewise.
    """
    common = [pair.name for pair in find_common(images, trained)]
    if common:
        warn(
            f"{len(common)} of the images to validate on are trained on, too "
            f"({name_some(common)}): what is measured on them flatters the model."
        )


def _make_pair(name, index, source, hr_paths, lr_paths):
    """Reads the sizes of one HR image and its LR images.

    Args:
        name: Of the image, within its source.
        index: Which source that is.
        source: `dataloaders.sources.Source`.
        hr_paths: From the names of the source to HR files.
        lr_paths: From a scale to the same of LR files; empty where they are made.
    """
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
    """Refuses LR images that are not HR's size over the scale, rounded either way."""
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


def check_measurable(pairs, scales, shave_size, flag, with_niqe=False):
    """Refuses pictures that are too small to be measured.

    Args:
        pairs: Of `Pair`.
        scales: At which they would be measured.
        shave_size: HR pixels that are dropped at each border.
        flag: What gave the folder of the HR images, for the message.
        with_niqe: Whether NIQE is measured, too.

    Raises:
        InputError: At least one is.
    """
    needed = f"at least {2 * shave_size + WINDOW} pixels a side are"
    if with_niqe:
        needed = f"two blocks of {BLOCK}x{BLOCK} for NIQE and {needed}"
    small = {}
    for pair in pairs:
        for scale in scales:
            both = zip(pair.lr_sizes[scale], pair.hr_size, strict=True)
            size = [min(lr * scale, hr) - 2 * shave_size for lr, hr in both]
            if min(size) < WINDOW or (with_niqe and not is_large_enough(size)):
                small.setdefault(pair.hr_path, scale)
    if small:
        path, scale = next(iter(small.items()))
        more = name_some([other.name for other in list(small)[1:]])
        raise InputError(
            f"{flag}: {path}: too small to be measured at x{scale}, for which "
            f"{needed} needed ({shave_size} are shaved at each border)"
            f"{f', as are {more}' if more else ''}. Remove it, or shave less."
        )


class WholePairs:
    """Whole pictures, straight from their files."""

    def __init__(self, pairs, scale):
        """Takes what `find_pairs` found."""
        self.found, self.scale = pairs, scale

    def __len__(self):
        """How many pictures there are."""
        return len(self.found)

    def __iter__(self):
        """Yields (name, lr, hr): a str and two uint8 (H, W, 3) arrays."""
        for pair in self.found:
            hr = load_image(pair.hr_path)
            if self.scale in pair.lr_paths:
                lr = load_image(pair.lr_paths[self.scale])
            else:
                lr = make_lr(hr, self.scale)
            yield pair.name, lr, hr
