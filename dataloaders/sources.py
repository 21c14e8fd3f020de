"""Where HR images are, and the LR images that belong to them: folders and lists."""

import dataclasses
import os
import re
from pathlib import Path, PurePosixPath

from console.errors import InputError, name_some
from console.flags import to_list
from console.progress import say
from imaging.listing import EXTENSIONS, find_images, is_image_name, look_into

# What a path begins with that is a list of images.
LIST = "@"


@dataclasses.dataclass(frozen=True)
class Source:
    """The HR images that one path gives, and where their LR images are.

    A data set that is laid out in another way has a subclass with `find_hr`, `find_lr`
    and `makes_lr`; see `dataloaders.paired.PairedLoader.source_class`.

    Attributes:
        truth: The path: a folder, looked through to the bottom, or `@` and the file of
            a list.
        input: Folder with `x2/`, `x4/`, ... of LR images; None makes them from HR.
        flag_prefix: What the flags that gave both begin with, for messages.
        prefix: What the names of its images begin with: empty for an only source, or
            else `"1/"` and so on, wherever it lies.
        given: Real paths of all folders that were given: none of them is taken for a
            part of another.
    """

    truth: str
    input: str | None
    flag_prefix: str
    prefix: str
    given: frozenset

    @property
    def is_list(self):
        """Whether it is a list of images and not a folder."""
        return _is_list(self.truth)

    @property
    def place(self):
        """The folder, or the file of the list, a Path."""
        return Path(self.truth.removeprefix(LIST) if self.is_list else self.truth)

    @property
    def makes_lr(self):
        """Whether the LR images are made from the HR images.

        A subclass that finds them beside HR says `makes_lr = False`.
        """
        return self.input is None

    def find_hr(self):
        """Finds the HR images; says what a folder holds besides.

        Returns:
            dict: From a name to a Path, sorted by the latter. A name is the path below
            the folder, without its ending; of a list, below the deepest folder that
            holds all of its images.

        Raises:
            InputError: There are none, two have one name, or the list is wrong.
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
            why = " (folders of LR images, or given themselves)" * bool(found.folders)
            say(f"Left out of {self.truth}: {rest}{why}.")
        return name_images(found.images, self.place, named)

    def _is_other(self, folder):
        """Whether a folder below holds LR images, or is a source of its own."""
        name = os.path.basename(folder)
        return bool(scale_of_folder(name)) or os.path.realpath(folder) in self.given

    def find_lr(self, hr_paths, scale):
        """Finds the LR image of each HR image at one scale.

        Args:
            hr_paths: As `find_hr` returns it.
            scale: Upscaling factor.

        Returns:
            dict: From the same names to a Path.

        Raises:
            InputError: The folder or an image is missing, or it is not clear whose
                image one is.
        """
        flag = f"{self.flag_prefix}_input_path"
        folder = _find_folder(Path(self.input), scale, flag)
        below = {PurePosixPath(name).parent for name in hr_paths}
        there = [folder / place for place in sorted(below) if (folder / place).is_dir()]
        images = [path for place in there for path in look_into(place, False).images]
        by_name = name_images(images, folder, f"{flag}={folder}")
        # `0001.png`, or as DIV2K's own archives name them.
        endings = ("", f"x{scale}", f"X{scale}")
        found = {}
        for name in hr_paths:
            names = [name + ending for ending in endings if name + ending in by_name]
            if names:
                found[name] = by_name[names[0]]
        missing = [n + path.suffix for n, path in hr_paths.items() if n not in found]
        if missing:
            raise InputError(
                f"{flag}={self.input}: {folder.name}/ has no image for "
                f"{name_some(missing)} of {self.flag_prefix}_truth_path "
                f"({len(missing)} of {len(hr_paths)} missing); expected the same name, "
                f"or with x{scale} behind it."
            )
        _check_each_its_own(found, hr_paths)
        return found


def make_sources(truth_path, input_path=None, flag_prefix="--data", make=Source):
    """Makes the sources that paths describe.

    Args:
        truth_path: A path, or a list of them; see `Source`.
        input_path: As many, in the same order; None makes all LR images from HR.
        flag_prefix: See `Source`.
        make: `Source`, or a subclass.

    Returns:
        list of Source.

    Raises:
        InputError: There are not as many of both, or LR images are given as a list.
    """
    truths, inputs = to_list(truth_path), to_list(input_path)
    flag, truth_flag = f"{flag_prefix}_input_path", f"{flag_prefix}_truth_path"
    if inputs and len(inputs) != len(truths):
        raise InputError(
            f"{flag} is given {_count(inputs)}, {truth_flag} {_count(truths)}; give "
            "each of the latter its LR images, in the same order, or leave out "
            f"{flag}: then all are made from HR."
        )
    if inputs and make.makes_lr is False:
        raise InputError(
            f"{flag}={inputs[0]}: this loader finds LR images by {truth_flag} alone; "
            "leave the flag out."
        )
    for path in filter(_is_list, inputs):
        raise InputError(
            f"{flag}={path}: lists are for {truth_flag}; give the folder with x2/, "
            "x4/, ... of the LR images, which are found by their names, or leave the "
            "flag out."
        )
    folders = [path for path in (*truths, *inputs) if not _is_list(path)]
    given = frozenset(map(os.path.realpath, folders))
    return [
        make(
            truth,
            inputs[index] if inputs else None,
            flag_prefix,
            f"{index + 1}/" if len(truths) > 1 else "",
            given,
        )
        for index, truth in enumerate(truths)
    ]


def read_list(path, named):
    """Reads a file of image paths.

    Args:
        path: The file, a Path: a path a line, relative to the file's folder. Empty
            lines and those that begin with `#` are passed over.
        named: The file and its flag, for messages.

    Returns:
        list of Path, in the file's order, at least one.

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
    lines = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        image = path.parent / line
        wrong = None
        if not is_image_name(image):
            wrong = f"is no image; expected a file that ends in {', '.join(EXTENSIONS)}"
        elif not image.is_file():
            wrong = f"does not exist as a file in {path.parent}; mend or remove it"
        elif image in lines:
            wrong = f"stands in line {lines[image]} already; remove one of them"
        if wrong:
            raise InputError(f"{named}, line {number}: {line} {wrong}.")
        lines[image] = number
    if not lines:
        raise InputError(f"{named}: the list is empty; expected an image on each line.")
    return list(lines)


def _is_list(path):
    # A folder may have such a name, too.
    return path.startswith(LIST) and not os.path.isdir(path)


def _count(paths):
    return "once" if len(paths) == 1 else f"{len(paths)} times"


def scale_of_folder(name):
    """The scale in a folder's name such as `x2` or `X4`; None if there is none."""
    match = re.fullmatch(r"[xX]([1-9][0-9]*)", name)
    return int(match[1]) if match else None


def name_images(paths, folder, named):
    """Names images by where they lie below a folder, without their endings.

    Args:
        paths: list of Path.
        folder: What all of them lie in.
        named: The folder and its flag, for messages.

    Returns:
        dict: From a name to a path.

    Raises:
        InputError: Two have one name.
    """
    folder, by_name = os.path.abspath(folder), {}
    for path in paths:
        below = Path(os.path.relpath(os.path.abspath(path), folder))
        name = (below.parent / path.stem).as_posix()
        if name in by_name:
            other = below.with_name(by_name[name].name)
            raise InputError(
                f"{named}: {other} and {below} have one name; rename or remove one."
            )
        by_name[name] = path
    return by_name


def _check_each_its_own(lr_paths, hr_paths):
    """Refuses an LR image that two HR images would take, as `a` and `ax2` may."""
    taken = {}
    for name, path in lr_paths.items():
        if path in taken:
            raise InputError(
                f"{path} would be the LR image of both {hr_paths[taken[path]].name} "
                f"and {hr_paths[name].name}; rename one of these."
            )
        taken[path] = name


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
    scales = [str(s) for s in map(scale_of_folder, there) if s]
    or_these = f" --scales={','.join(scales)} does without it;" if scales else ""
    raise InputError(
        f"{flag}={input_path}: no folder x{scale} in it (folders there: "
        f"{name_some(there) or 'none'}).{or_these} misc/downscale_generator.py makes "
        "it; without this flag the LR images are made from HR."
    )
