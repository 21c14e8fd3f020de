"""SR pictures made by another program, found by the names of the HR images."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from console.errors import InputError, name_some
from console.progress import warn
from dataloaders.pairs import Pair
from dataloaders.sources import name_images, scale_of_folder
from imaging.decoding import read_size
from imaging.files import load_image
from imaging.listing import find_images

FLAG = "--data_sr_path"
EXPECTED = "a folder with SR pictures, or with SR pictures in x2/, x4/, x8/"
# Suffixes that programs add to the HR image's name, in lower or upper case.
ENDINGS = ("", "{x}", "_{x}", "-{x}", "_sr", "-sr", "{x}_sr", "_{x}_sr", "_sr_{x}")
# Names of other pictures in reports.
TAKEN_NAMES = ("bicubic", "truth")


class SRPictures:
    """Replaces the model in `metrics.measuring`; loads SR pictures from files.

    Attributes:
        name: Name of the folder, for reports.
        scales, default_scales, usable_scales: Scales of the pictures.
    """

    def __init__(
        self,
        folder: Path | str,
        scales: Sequence[int] | None = None,
        input_paths: Iterable[Path | str] | None = None,
    ):
        """Finds the scales; `find` finds the pictures.

        Args:
            folder: Folder with `x2/`, `x4/`, ... or with pictures of one scale.
            scales: The scales wanted; None for all.
            input_paths: Folders of LR images. They determine the scale if neither
                `scales` nor the folder's name does.

        Raises:
            InputError: The folder does not exist or lacks a scale.
        """
        self.folder = Path(folder)
        self.paths: dict[int, dict[str, Path]] = {}
        place = Path(os.path.abspath(folder))
        self.folders = _list_scales(folder)
        if self.folders:
            self._check_folders(scales)
        else:
            find_images(folder, FLAG, EXPECTED, recursive=False)  # Or raises an error.
            own, known = scale_of_folder(place.name), set(scales or ())
            if own:
                known = {own}
            elif not scales:
                known.update(*map(_list_scales, input_paths or ()))
            self.folders = {self._take_scale(known, scales): self.folder}
            place = place.parent if own else place
        taken = place.name.lower() in TAKEN_NAMES
        self.name = f"{place.name} (pictures)" if taken else place.name
        self.scales = self.default_scales = self.usable_scales = tuple(self.folders)

    def _check_folders(self, scales):
        there = ", ".join(f"x{scale}" for scale in self.folders)
        missing = [scale for scale in scales or () if scale not in self.folders]
        if missing:
            raise InputError(
                f"{FLAG}={self.folder}: has no folder x{missing[0]} (its folders: "
                f"{there}); use --scales={','.join(map(str, self.folders))}."
            )
        try:
            beside = find_images(self.folder, recursive=False).images
        except InputError:  # There are none, as expected.
            return
        self._warn_of_left_out(beside, f"beside {there}")

    def _take_scale(self, known, scales):
        """Returns the scale of pictures that are not in a folder of one scale."""
        if len(known) == 1 and min(known) > 1 and set(scales or known) == known:
            return known.pop()
        found = ",".join(map(str, scales or sorted(known)))
        raise InputError(
            f"{FLAG}={self.folder}: has no x2/, x4/, x8/, so its pictures are of one "
            f"scale, but found {found or 'no scale'}; give that scale, for example "
            "--scales=4."
        )

    def find(self, pairs: Sequence[Pair], scales: Iterable[int]) -> None:
        """Finds the picture of each HR image at some of `scales`, and checks sizes.

        Raises:
            InputError: An HR image has no picture or several pictures, or a picture has
                another size.
        """
        hr_paths = {pair.name: pair.hr_path for pair in pairs}
        for scale in scales:
            self.paths[scale] = self._find(hr_paths, scale)
            for pair in pairs:
                _check_size(self.paths[scale][pair.name], pair, scale)

    def _find(self, hr_paths, scale):
        """Maps each HR name to its picture at one scale."""
        endings = [ending.format(x=f"x{scale}") for ending in ENDINGS]
        found, left_out = {}, []
        folder = self.folders[scale]
        there = find_images(folder, FLAG).images
        for name, path in name_images(there, folder, f"{FLAG}={folder}").items():
            owners = _find_owners(name, hr_paths, endings)
            if len(owners) > 1:
                a, b = (hr_paths[owner].name for owner in owners[:2])
                raise InputError(
                    f"{path} matches two HR images, {a} and {b}; rename one of them."
                )
            if not owners:
                left_out.append(path)
                continue
            other = found.setdefault(owners[0], path)
            if other != path:
                raise InputError(
                    f"{FLAG}={self.folder}: {other} and {path.name} both match "
                    f"{hr_paths[owners[0]].name}; move one of them elsewhere."
                )
        missing = [n + path.suffix for n, path in hr_paths.items() if n not in found]
        if missing:
            said = ", ".join(ending for ending in endings if ending)
            raise InputError(
                f"{FLAG}={self.folder}: {self.folders[scale]} has no picture of "
                f"{name_some(missing)} of --data_truth_path ({len(missing)} of "
                f"{len(hr_paths)} missing); expected the same name, or the name "
                f"followed by one of {said}."
            )
        self._warn_of_left_out(left_out, f"without an HR image at x{scale}")
        return found

    def _warn_of_left_out(self, paths, why):
        if paths:
            names = name_some([path.name for path in paths])
            warn(
                f"{FLAG}={self.folder}: {len(paths)} pictures {why} are left out: "
                f"{names}."
            )

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """Loads the picture of a named HR image, cut to the size of a model's output.

        Returns:
            uint8, at most (H * scale, W * scale, 3), RGB, for the LR image (H, W, 3).
        """
        height, width = (length * scale for length in lr.shape[:2])
        return load_image(self.paths[scale][name])[:height, :width]


def _list_scales(folder):
    """Maps each scale to its folder in a folder; empty if the folder is missing."""
    there = sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []
    found = [(scale_of_folder(path.name), path) for path in there if path.is_dir()]
    return dict(sorted((scale, path) for scale, path in found if scale))


def _find_owners(name, hr_paths, endings):
    """Names the HR images that may own a picture; an exact match excludes others."""
    if name in hr_paths:
        return [name]
    names = [name[: len(name) - len(e)] for e in endings if name.lower().endswith(e)]
    return [shorter for shorter in names if shorter in hr_paths]


def _check_size(path, pair, scale):
    """Checks that a picture has the size of HR or of the enlarged LR image."""
    size, (height, width) = read_size(path), pair.hr_size
    cut_height, cut_width = (n // scale * scale for n in pair.hr_size)
    # The whole side, or an LR side rounded down or up, times the scale.
    allowed = [{n, n // scale * scale, -(-n // scale) * scale} for n in pair.hr_size]
    if size[0] in allowed[0] and size[1] in allowed[1]:
        return
    shaved = ""
    # Borders that are cut off by PIRM, by most papers, and by NTIRE.
    for border in (4, scale, scale + 6):
        if size == (cut_height - 2 * border, cut_width - 2 * border):
            shaved = (
                f" It seems that {border} pixels were already cut off at each border; "
                "use whole pictures, since --shave_size drops the border."
            )
    raise InputError(
        f"{path} is {size[1]}x{size[0]}, but {pair.hr_path} is {width}x{height}: at "
        f"x{scale} expected {cut_width}x{cut_height}.{shaved}"
    )
