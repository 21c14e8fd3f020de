"""Sources of HR images and their LR images: folders and lists."""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from console.errors import InputError, name_some
from console.flags import to_list
from console.progress import say
from imaging.listing import EXTENSIONS, find_images, is_image_name, look_into

# The first character of a path that names a list of images.
LIST = "@"

# A path, or several.
Paths = Path | str | list[str] | tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Source:
    """The HR images of one path, and the location of their LR images.

    A data set with another layout needs a subclass that overrides `find_hr`, `find_lr`
    and `makes_lr`; see `dataloaders.paired.PairedLoader.source_class`.

    Attributes:
        truth: The path: a folder, searched at all depths, or `@` and the file of a
            list.
        input: Folder with `x2/`, `x4/`, ... of LR images; None makes them from HR.
        flag_prefix: Prefix of the flags that gave both paths, for messages.
        prefix: Prefix of the image names: empty for a single source, otherwise `"1/"`
            and so on.
        given: Real paths of all given folders; a search of one skips the others.
    """

    truth: str
    input: str | None
    flag_prefix: str
    prefix: str
    given: frozenset[str]

    @property
    def is_list(self) -> bool:
        """Whether the path names a list of images, not a folder."""
        return _is_list(self.truth)

    @property
    def place(self) -> Path:
        """The folder, or the file of the list."""
        return Path(self.truth.removeprefix(LIST) if self.is_list else self.truth)

    @property
    def makes_lr(self) -> bool:
        """Whether LR is made from HR; False in a subclass that finds it beside HR."""
        return self.input is None

    def find_hr(self) -> dict[str, Path]:
        """Finds the HR images, and prints which other files a folder holds.

        Returns:
            From a name to a path, sorted by path. A name is the path below the folder,
            without its ending; for a list, below the deepest folder that holds all of
            its images.

        Raises:
            InputError: There are none, two have the same name, or the list is invalid.
        """
        named = f"{self.flag_prefix}_truth_path={self.truth}"
        if self.is_list:
            paths = read_list(self.place, named)
            folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
            return name_images(paths, os.path.commonpath(folders), named)
        found = find_images(
            self.place, f"{self.flag_prefix}_truth_path", is_passed=self._is_other
        )
        rest = found.describe_rest()
        if rest:
            why = " (folders of LR images, or given separately)" * bool(found.folders)
            say(f"Left out of {self.truth}: {rest}{why}.")
        return name_images(found.images, self.place, named)

    def _is_other(self, folder):
        """Whether a folder below holds LR images, or is another source."""
        name = os.path.basename(folder)
        return bool(scale_of_folder(name)) or os.path.realpath(folder) in self.given

    def find_lr(self, hr_paths: Mapping[str, Path], scale: int) -> dict[str, Path]:
        """Finds the LR image of each name of `find_hr` at one scale.

        Raises:
            InputError: The folder or an image is missing, or an image fits several HR
                images.
        """
        flag = f"{self.flag_prefix}_input_path"
        folder = _find_folder(Path(self.input), scale, flag)  # type: ignore[arg-type]
        below = {PurePosixPath(name).parent for name in hr_paths}
        there = [folder / place for place in sorted(below) if (folder / place).is_dir()]
        images = [path for place in there for path in look_into(place, False).images]
        by_name = name_images(images, folder, f"{flag}={folder}")
        # `0001.png`, or `0001x2.png` as in DIV2K's archives.
        endings = ("", f"x{scale}", f"X{scale}")
        found: dict[str, Path] = {}
        owners: dict[Path, str] = {}
        for name in hr_paths:
            names = [name + ending for ending in endings if name + ending in by_name]
            if names:
                found[name] = path = by_name[names[0]]
                owner = owners.setdefault(path, name)
                if owner != name:  # Such as `a` and `ax2`.
                    raise InputError(
                        f"{path} matches two HR images, {hr_paths[owner].name} and "
                        f"{hr_paths[name].name}; rename one of them."
                    )
        missing = [n + path.suffix for n, path in hr_paths.items() if n not in found]
        if missing:
            raise InputError(
                f"{flag}={self.input}: {folder.name}/ has no image for "
                f"{name_some(missing)} of {self.flag_prefix}_truth_path "
                f"({len(missing)} of {len(hr_paths)} missing); expected the same name, "
                f"or the name followed by x{scale}."
            )
        return found


def make_sources(
    truth_path: Paths,
    input_path: Paths | None = None,
    flag_prefix: str = "--data",
    make: type[Source] = Source,
) -> list[Source]:
    """Makes a source for each path, in their order.

    Args:
        truth_path: One path or several; see `Source`.
        input_path: As many, in the same order; None makes all LR images from HR.
        flag_prefix: See `Source`.
        make: `Source`, or a subclass.

    Raises:
        InputError: The numbers of paths differ, or LR images are given as a list.
    """
    truths, inputs = to_list(truth_path), to_list(input_path)
    flag, truth_flag = f"{flag_prefix}_input_path", f"{flag_prefix}_truth_path"
    if inputs and len(inputs) != len(truths):
        raise InputError(
            f"{flag} is given {_count(inputs)}, {truth_flag} {_count(truths)}; give "
            f"one {flag} for each {truth_flag}, in the same order, or leave out {flag} "
            "to make all LR images from HR."
        )
    if inputs and make.makes_lr is False:
        raise InputError(
            f"{flag}={inputs[0]}: this loader finds LR images through {truth_flag}; "
            "leave the flag out."
        )
    for path in filter(_is_list, inputs):
        raise InputError(
            f"{flag}={path}: only {truth_flag} accepts a list; give the folder with "
            "the LR images in x2/, x4/, ..., or leave the flag out."
        )
    folders = [path for path in (*truths, *inputs) if not _is_list(path)]
    given = frozenset(map(os.path.realpath, folders))
    pairs = zip(truths, inputs or [None] * len(truths), strict=True)
    return [
        make(truth, lr, flag_prefix, f"{n}/" if len(truths) > 1 else "", given)
        for n, (truth, lr) in enumerate(pairs, 1)
    ]


def read_list(path: Path, named: str) -> list[Path]:
    """Reads a file of image paths, at least one; returns them in its order.

    Each line holds one path, relative to the file's folder; empty lines and lines that
    begin with `#` are skipped. `named` is the file and its flag, for messages.

    Raises:
        InputError: The file cannot be read, or a line is not the path of an image.
    """
    try:
        text = os.fsdecode(path.read_bytes()).removeprefix("\ufeff")
    except OSError as error:
        raise InputError(
            f"{named}: the list cannot be read ({error.strerror}); expected a file "
            "with the path of an image on each line."
        ) from None
    lines: dict[Path, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        image = path.parent / line
        wrong = None
        if not is_image_name(image):
            endings = ", ".join(EXTENSIONS)
            wrong = f"is not an image; expected a file that ends in {endings}"
        elif not image.is_file():
            wrong = f"is not a file in {path.parent}; correct or remove the line"
        elif image in lines:
            wrong = f"is also in line {lines[image]}; remove one of the lines"
        if wrong:
            raise InputError(f"{named}, line {number}: {line} {wrong}.")
        lines[image] = number
    if not lines:
        raise InputError(f"{named}: the list is empty; expected an image on each line.")
    return list(lines)


def _is_list(path):
    # A folder's name may also begin with @.
    return path.startswith(LIST) and not os.path.isdir(path)


def _count(paths):
    return "once" if len(paths) == 1 else f"{len(paths)} times"


def scale_of_folder(name: str) -> int | None:
    """Returns the scale in a folder's name such as `x2` or `X4`; None for others."""
    match = re.fullmatch(r"[xX]([1-9][0-9]*)", name)
    return int(match[1]) if match else None


def name_images(paths: list[Path], folder: Path | str, named: str) -> dict[str, Path]:
    """Returns images by their paths below a folder above them, without endings.

    `named` is the folder and its flag, for messages.

    Raises:
        InputError: Two images have the same name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        below = Path(os.path.relpath(path, folder))
        name = (below.parent / path.stem).as_posix()
        if name in by_name:
            other = below.with_name(by_name[name].name)
            raise InputError(
                f"{named}: {other} and {below} have the same name; rename or remove "
                "one of them."
            )
        by_name[name] = path
    return by_name


def _find_folder(input_path, scale, flag):
    """Finds the folder of one scale."""
    for name in (f"x{scale}", f"X{scale}"):
        if (input_path / name).is_dir():
            return input_path / name
    if not input_path.is_dir():
        raise InputError(
            f"{flag}={input_path}: no such folder. Without this flag, LR images are "
            "made from HR."
        )
    there = sorted(path.name for path in input_path.iterdir() if path.is_dir())
    scales = [str(s) for s in map(scale_of_folder, there) if s]
    or_these = f" --scales={','.join(scales)} works without it;" if scales else ""
    raise InputError(
        f"{flag}={input_path}: has no folder x{scale} (its folders: "
        f"{name_some(there) or 'none'}).{or_these} misc/downscale_generator.py makes "
        "it; without this flag, LR images are made from HR."
    )
