"""A folder's images, decoded once into one file that is read by memory map.

The file is a line of JSON (what it was made from, and where each image lies), then
the pixels, uncompressed. A batch then costs a few copies instead of a few PNGs, and
the memory is the operating system's to give and take.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from console.errors import InputError
from console.files import lock, remove_leftovers, written_whole
from console.progress import say, to_size, track

VERSION = 1
HEADER_UNIT = 4096

# File systems take names of 255 bytes; a character may need four.
READABLE_LENGTH = 40


def default_folder():
    """The user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "perceptual-eusr"


def name_cache(source, suffix=""):
    """A file name for a folder's cache: readable, and unlike any other folder's.

    Args:
        source: Where the images are, or the file of a list of them.
        suffix: What is cached, if not the images themselves.
    """
    source = Path(source).resolve()
    readable = "-".join(source.parts[-2:]).strip("/")[-READABLE_LENGTH:]
    return f"{readable}-{digest_of(source)}{suffix}.pixels"


def digest_of(source):
    """Tells folders and files apart, whatever they are called: 12 characters."""
    return hashlib.sha256(os.fsencode(Path(source).resolve())).hexdigest()[:12]


def describe_sources(paths):
    """What tells whether images have changed: name, size and time of each file."""
    stats = [(path, os.stat(path)) for path in paths]
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a cache is made from, whether it is there or not.

    Attributes:
        path: The cache file.
        sources: What it is made from, as `describe_sources` tells it.
        shapes: (H, W, 3) of each image.
        load: From an index to the image, uint8 of that shape; called by threads.
    """

    path: Path
    sources: list
    shapes: list
    load: Callable

    @functools.cached_property
    def header(self):
        """What the file begins with; no other images have the same."""
        return _encode_header(
            {
                "version": VERSION,
                "sources": self.sources,
                "shapes": [list(shape) for shape in self.shapes],
            }
        )

    @functools.cached_property
    def size(self):
        """Bytes of the file."""
        return len(self.header) + _find_starts(self.shapes)[-1]

    def is_made(self):
        """Whether the file is there, whole and up to date."""
        try:
            if self.path.stat().st_size != self.size:
                return False
            with open(self.path, "rb") as file:
                return file.read(len(self.header)) == self.header
        except OSError:
            return False


def _find_starts(shapes):
    """Where each image begins, and where the last one ends, in bytes: list of int."""
    sizes = [np.prod(shape, dtype=np.int64) for shape in shapes]
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]


def open_cache(plan, in_memory=False):
    """Opens a cache; builds it first if it is not there or no longer true.

    Args:
        plan: Its `Plan`.
        in_memory: Whether the pixels are read into memory at once.

    Returns:
        list of uint8 (H, W, 3): Of each image a view that is read-only.

    Raises:
        InputError: There is no room, the folder cannot be written, or an image
            cannot be loaded.
    """
    path, offset = plan.path, len(plan.header)
    if not plan.is_made():
        if path.exists():
            say(
                f"{path} is damaged, or the images have changed since it was made; "
                "making it again."
            )
        _build(plan)
    if in_memory:
        pixels = np.fromfile(path, np.uint8, offset=offset)
        pixels.setflags(write=False)
    else:
        # As a plain array, of which parts are taken faster.
        pixels = np.asarray(np.memmap(path, np.uint8, mode="r", offset=offset))
    starts = _find_starts(plan.shapes)
    return [
        pixels[start:end].reshape(shape)
        for start, end, shape in zip(starts, starts[1:], plan.shapes, strict=False)
    ]


def _encode_header(wanted):
    """JSON, filled up with spaces so that the pixels start on a page."""
    header = json.dumps(wanted).encode() + b"\n"
    return header.rjust(-(-len(header) // HEADER_UNIT) * HEADER_UNIT)


def _build(plan):
    """Writes a cache, with all processors."""
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
                    f"{plan.sources[index][0]}: its header promised "
                    f"{list(shapes[index])}, but it holds {list(image.shape)}; replace "
                    "it."
                )
            _write_at(file.fileno(), image, len(header) + starts[index])

        _run_all(store, len(shapes), f"Caching {path.stem}")
    say(f"Cached {len(shapes)} images ({to_size(plan.size)}) in {path}")


def _write_at(descriptor, image, offset):
    """Writes all of an image at its place in a file."""
    rest = image.reshape(-1)
    # On a disk that fills up, the system writes a part first and complains only when
    # asked for the rest; the file already has its full length, so it would look whole.
    while rest.size:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _run_all(function, count, what):
    """Calls a function for each index in as many threads as processors.

    Decoders let other threads run. Of all calls only a few are under way at a time,
    so that memory does not grow with their number.
    """
    workers = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for _ in track(pool.map(function, range(count)), count, what):
                pass
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def check_room(plans):
    """Refuses caches that the disk could not hold all of, before one is built.

    Args:
        plans: `Plan` of each, in the order in which they will be built; those that are
            made already need nothing.

    Raises:
        InputError: There is too little room, or the folder cannot be written.
    """
    todo = [plan for plan in plans if not plan.is_made()]
    if not todo:
        return
    folder = todo[0].path.parent
    _check_folder(folder)
    for plan in todo:
        remove_leftovers(plan.path)
    needed, free = _most_at_once(todo), shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"the cache needs {to_size(needed)} in {folder}, where {to_size(free)} are "
            "free; make room, or --cache_path takes another folder."
        )


def _most_at_once(plans):
    """Bytes that building some caches takes; each one replaces its old file, if any."""
    more = most = 0
    for plan in plans:
        more += plan.size
        most = max(most, more)
        if plan.path.exists():
            more -= plan.path.stat().st_size
    return most


def _check_folder(folder):
    """Makes the folder of the caches; refuses one that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise InputError(
            f"the cache folder {folder} cannot be made ({error.strerror}); "
            "--cache_path takes another."
        ) from None
    if not writable:
        raise InputError(
            f"the cache folder {folder} cannot be written; --cache_path takes another."
        )
