"""Finds the LR images of each HR image and checks that their sizes agree."""

import dataclasses
import filecmp
from pathlib import Path

from console.errors import InputError, name_some
from console.progress import warn
from imaging.files import load_image, read_size
from imaging.imresize import make_lr
from imaging.listing import list_images
from metrics.full_reference import WINDOW
from metrics.niqe import BLOCK, is_large_enough


@dataclasses.dataclass(frozen=True)
class Pair:
    """One HR image and its LR images.

    Attributes:
        name: The HR file's name without its ending.
        hr_path: The HR file.
        hr_size: (height, width).
        lr_paths: From a scale to the LR file; empty where LR is made from HR.
        lr_sizes: From a scale to (height, width).
    """

    name: str
    hr_path: Path
    hr_size: tuple
    lr_paths: dict
    lr_sizes: dict


def find_pairs(truth_path, input_path, scales, flag_prefix="--data"):
    """Finds and checks all pairs.

    Args:
        truth_path: Folder of the HR images.
        input_path: Folder with `x2/`, `x4/`, ... of LR images; None if there are
            none, then the LR sizes are those of imresize on HR cut to a multiple.
        scales: The scales wanted.
        flag_prefix: What the flags that gave the folders begin with, for messages.

    Returns:
        list of Pair, sorted by name.

    Raises:
        InputError: A folder or an LR image is missing, or a size does not fit.
    """
    hr_paths = list_by_name(truth_path, f"{flag_prefix}_truth_path")
    lr_paths = {scale: {} for scale in scales}
    if input_path is not None:
        lr_paths = {s: _find_lr(input_path, hr_paths, s, flag_prefix) for s in scales}
    pairs = [_make_pair(path, lr_paths) for path in hr_paths.values()]
    _check_sizes(pairs)
    return pairs


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


def list_by_name(folder, flag):
    """Lists the images of a folder by their names without ending.

    Args:
        folder: Where to look.
        flag: What gave the folder, for messages.

    Returns:
        dict: From a name to a path, sorted.

    Raises:
        InputError: There is no such folder, no image in it, or two of one name.
    """
    by_stem = {}
    for path in list_images(folder, flag):
        if path.stem in by_stem:
            raise InputError(
                f"{flag}={folder}: {by_stem[path.stem].name} and {path.name} have one "
                "name; rename or remove one."
            )
        by_stem[path.stem] = path
    return by_stem


def _find_lr(input_path, hr_paths, scale, flag_prefix):
    """From each HR name to its LR file at one scale."""
    flag = f"{flag_prefix}_input_path"
    folder = _find_folder(Path(input_path), scale, flag)
    by_stem = list_by_name(folder, flag)
    # `0001.png`, or as DIV2K's own archives name them.
    endings = ("", f"x{scale}", f"X{scale}")
    found = {}
    for stem in hr_paths:
        names = [stem + ending for ending in endings if stem + ending in by_stem]
        if names:
            found[stem] = by_stem[names[0]]
    missing = [path.name for stem, path in hr_paths.items() if stem not in found]
    if missing:
        raise InputError(
            f"{flag}={input_path}: {folder.name}/ has no image for "
            f"{name_some(missing)} of {flag_prefix}_truth_path ({len(missing)} of "
            f"{len(hr_paths)} missing); expected the same name, or with x{scale} "
            "behind it."
        )
    _check_each_its_own(found, hr_paths)
    return found


def _check_each_its_own(lr_paths, hr_paths):
    """Refuses an LR image that two HR images would take, as `a` and `ax2` may."""
    taken = {}
    for stem, path in lr_paths.items():
        if path in taken:
            raise InputError(
                f"{path} would be the LR image of both {hr_paths[taken[path]].name} "
                f"and {hr_paths[stem].name}; rename one of these."
            )
        taken[path] = stem


def _find_folder(input_path, scale, flag):
    """The folder of one scale."""
    for name in (f"x{scale}", f"X{scale}"):
        if (input_path / name).is_dir():
            return input_path / name
    if not input_path.is_dir():
        raise InputError(
            f"{flag}={input_path}: no such folder. Without this flag the LR "
            "images are made from HR."
        )
    there = sorted(path.name for path in input_path.iterdir() if path.is_dir())
    scales = [name[1:] for name in there if name[0] in "xX" and name[1:].isdigit()]
    or_these = f" --scales={','.join(scales)} does without it;" if scales else ""
    raise InputError(
        f"{flag}={input_path}: no folder x{scale} in it (folders there: "
        f"{name_some(there) or 'none'}).{or_these} misc/downscale_generator.py makes "
        "it; without this flag the LR images are made from HR."
    )


def _make_pair(hr_path, lr_paths):
    """Reads the sizes of one HR image and its LR images."""
    height, width = read_size(hr_path)
    paths, sizes = {}, {}
    for scale, by_stem in lr_paths.items():
        if hr_path.stem in by_stem:
            paths[scale] = by_stem[hr_path.stem]
            sizes[scale] = read_size(paths[scale])
        else:
            sizes[scale] = (height // scale, width // scale)
    return Pair(hr_path.stem, hr_path, (height, width), paths, sizes)


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
