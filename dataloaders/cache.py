"""A cache of decoded images: one file for each folder, read by memory map.

The file holds a line of JSON (the sources and the shape of each image), then the
uncompressed pixels. A batch costs a few copies instead of decoding a few PNGs.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from console.errors import InputError
from console.files import lock, remove_leftovers, written_whole
from console.prefetch import Prefetch
from console.progress import say, to_size, track

VERSION = 1
HEADER_UNIT = 4096

# File systems allow names of 255 bytes; a character may need four.
READABLE_LENGTH = 40


def default_folder() -> Path:
    """Returns the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "perceptual-eusr"


def name_cache(source: Path | str, suffix: str = "") -> str:
    """Makes a readable file name for the cache, unique for each source and suffix."""
    source = Path(source).resolve()
    readable = "-".join(source.parts[-2:]).strip("/")[-READABLE_LENGTH:]
    return f"{readable}-{digest_of(source)}{suffix}.pixels"


def digest_of(source: Path | str) -> str:
    """Returns a digest of a path, 12 characters."""
    return hashlib.sha256(os.fsencode(Path(source).resolve())).hexdigest()[:12]


def describe_sources(paths: Iterable[Path]) -> list[list]:
    """Returns name, size and modification time of each file, to detect changes."""
    stats = [(path, os.stat(path)) for path in paths]
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The content of a cache file, which need not exist yet.

    Attributes:
        sources: The source files, as `describe_sources` returns them.
        shapes: (H, W, 3) of each image.
        load: Returns the image with a given index, uint8 of that shape; called from
            several threads.
    """

    path: Path
    sources: list[list]
    shapes: list[tuple[int, int, int]]
    load: Callable[[int], np.ndarray]

    @functools.cached_property
    def header(self) -> bytes:
        """The first bytes of the file; they identify the images."""
        wanted = {"version": VERSION, "sources": self.sources, "shapes": self.shapes}
        header = json.dumps(wanted).encode() + b"\n"
        # Padded with spaces so that the pixels start on a page.
        return header.rjust(-(-len(header) // HEADER_UNIT) * HEADER_UNIT)

    @functools.cached_property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self.header) + _find_starts(self.shapes)[-1]

    def is_made(self) -> bool:
        """Whether the file exists, is complete and is up to date."""
        try:
            if self.path.stat().st_size != self.size:
                return False
            with open(self.path, "rb") as file:
                return file.read(len(self.header)) == self.header
        except OSError:
            return False


def _find_starts(shapes: Sequence[tuple[int, int, int]]) -> list[int]:
    """Byte offsets of all images, and the end of the last image."""
    sizes = [np.prod(shape, dtype=np.int64) for shape in shapes]
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]


def open_cache(plan: Plan, in_memory: bool = False) -> list[np.ndarray]:
    """Opens a cache; builds it first if it is missing or out of date.

    Returns:
        A read-only view of each image, uint8 (H, W, 3).

    Raises:
        InputError: The disk is full, the folder cannot be written, or an image
            cannot be loaded.
    """
    path, offset = plan.path, len(plan.header)
    if not plan.is_made():
        if path.exists():
            say(
                f"{path} is damaged, or the images have changed since it was made; "
                "rebuilding it."
            )
        _build(plan)
    if in_memory:
        pixels = np.fromfile(path, np.uint8, offset=offset)
        pixels.setflags(write=False)
    else:
        # Slicing a plain array is faster than slicing a memmap.
        pixels = np.asarray(np.memmap(path, np.uint8, mode="r", offset=offset))
    parts = itertools.pairwise(_find_starts(plan.shapes))
    return [
        pixels[start:end].reshape(shape)
        for (start, end), shape in zip(parts, plan.shapes, strict=True)
    ]


def _build(plan):
    """Writes a cache, using all processors."""
    check_room([plan])
    path, shapes, header = plan.path, plan.shapes, plan.header
    starts = _find_starts(shapes)
    with written_whole(path) as aside, open(aside, "wb") as file:
        lock(file)
        file.write(header)
        file.truncate(plan.size)
        file.flush()

        def store(index):
            image = np.ascontiguousarray(plan.load(index))
            if image.shape != tuple(shapes[index]):
                raise InputError(
                    f"{plan.sources[index][0]}: its header says {list(shapes[index])}, "
                    f"but the image is {list(image.shape)}; replace it."
                )
            _write_at(file.fileno(), image, len(header) + starts[index])

        # Decoders release the interpreter's lock.
        workers = os.cpu_count() or 1
        with Prefetch(store, range(len(shapes)), workers, 2 * workers) as stored:
            for _, check in track(stored, len(shapes), f"Caching {path.stem}"):
                check()
    say(f"Cached {len(shapes)} images ({to_size(plan.size)}) in {path}")


def _write_at(descriptor, image, offset):
    """Writes a whole image at an offset in a file."""
    rest = image.reshape(-1)
    # On a full disk the system first writes a part and raises only for the rest. The
    # file already has its full length, so it would look complete.
    while rest.size:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def check_room(plans: Iterable[Plan]) -> None:
    """Checks that the disk has room for all caches, in the order they are built in.

    Raises:
        InputError: The disk has too little room, or the folder cannot be written.
    """
    todo = [plan for plan in plans if not plan.is_made()]
    if not todo:
        return
    folder = todo[0].path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache folder {folder} cannot be made ({error.strerror}); "
            "give another --cache_path."
        ) from None
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"the cache folder {folder} is not writable; give another --cache_path."
        )
    for plan in todo:
        remove_leftovers(plan.path)
    needed, free = _most_at_once(todo), shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"the cache needs {to_size(needed)} in {folder}, where {to_size(free)} are "
            "free; free some space, or give another --cache_path."
        )


def _most_at_once(plans):
    """Peak disk usage of building caches in bytes; each replaces its old file."""
    more = most = 0
    for plan in plans:
        more += plan.size
        most = max(most, more)
        if plan.path.exists():
            more -= plan.path.stat().st_size
    return most
