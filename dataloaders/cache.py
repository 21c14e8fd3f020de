"""A folder's images, decoded once into one file that is read by memory map.

The file is a line of JSON (what it was made from, and where each image lies), then
the pixels, uncompressed. A batch then costs a few copies instead of a few PNGs, and
the memory is the operating system's to give and take.
"""

import concurrent.futures
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np

from console.errors import InputError
from console.files import written_whole
from console.progress import say, track

VERSION = 1
HEADER_UNIT = 4096

# File systems take names of 255 bytes; a character may need four.
READABLE_LENGTH = 40


def default_folder():
    """The user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "perceptual-eusr"


def name_cache(source_folder, suffix=""):
    """A file name for a folder's cache: readable, and unlike any other folder's.

    Args:
        source_folder: Where the images are.
        suffix: What is cached, if not the images themselves.
    """
    source = Path(source_folder).resolve()
    digest = hashlib.sha256(os.fsencode(source)).hexdigest()[:12]
    readable = "-".join(source.parts[-2:]).strip("/")[-READABLE_LENGTH:]
    return f"{readable}-{digest}{suffix}.pixels"


def describe_sources(paths):
    """What tells whether images have changed: name, size and time of each file."""
    stats = [(path, os.stat(path)) for path in paths]
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]


class PixelCache:
    """Decoded images: `cache[index]` is a uint8 (H, W, 3) view, read-only."""

    def __init__(self, pixels, shapes):
        """Takes the pixels of all images, end to end.

        Args:
            pixels: uint8 (all bytes,), an array or a memory map.
            shapes: (H, W, 3) of each image, in order.
        """
        self.pixels, self.shapes = pixels, [tuple(shape) for shape in shapes]
        ends = np.cumsum([_count_bytes(shape) for shape in self.shapes], dtype=np.int64)
        self.starts = [0, *ends.tolist()]

    def __len__(self):
        """How many images there are."""
        return len(self.shapes)

    def __getitem__(self, index):
        """One image, without copying it."""
        start, end = self.starts[index : index + 2]
        return self.pixels[start:end].reshape(self.shapes[index])


def _count_bytes(shape):
    return int(np.prod(shape, dtype=np.int64))


def open_cache(path, sources, shapes, load, in_memory=False):
    """Opens a cache; builds it first if it is not there or no longer true.

    Args:
        path: The cache file.
        sources: What it is made from, as `describe_sources` tells it.
        shapes: (H, W, 3) of each image.
        load: From an index to the image, uint8 of that shape; called by threads.
        in_memory: Whether the pixels are read into memory at once.

    Returns:
        PixelCache.

    Raises:
        InputError: There is no room, the folder cannot be written, or an image
            cannot be loaded.
    """
    wanted = {
        "version": VERSION,
        "sources": sources,
        "shapes": [list(shape) for shape in shapes],
    }
    offset = _find_pixels(path, wanted)
    if offset is None:
        if path.exists():
            say(
                f"{path} is damaged, or the images have changed since it was made; "
                "making it again."
            )
        _build(path, wanted, load)
        offset = _find_pixels(path, wanted)
    if in_memory:
        pixels = np.fromfile(path, np.uint8, offset=offset)
        pixels.setflags(write=False)
        return PixelCache(pixels, shapes)
    return PixelCache(np.memmap(path, np.uint8, mode="r", offset=offset), shapes)


def _encode_header(wanted):
    """JSON, filled up with spaces so that the pixels start on a page."""
    header = json.dumps(wanted).encode() + b"\n"
    return header.rjust(-(-len(header) // HEADER_UNIT) * HEADER_UNIT)


def _find_pixels(path, wanted):
    """Where the pixels start in a cache that is whole and up to date; else None."""
    header = _encode_header(wanted)
    size = len(header) + sum(map(_count_bytes, wanted["shapes"]))
    try:
        if path.stat().st_size != size:
            return None
        with open(path, "rb") as file:
            return len(header) if file.read(len(header)) == header else None
    except OSError:
        return None


def _build(path, wanted, load):
    """Writes a cache, with all processors."""
    shapes = wanted["shapes"]
    header = _encode_header(wanted)
    needed = len(header) + sum(map(_count_bytes, shapes))
    _check_room(path.parent, needed)
    starts = PixelCache(None, shapes).starts
    with written_whole(path) as aside, open(aside, "wb") as file:
        file.write(header)
        file.truncate(needed)
        file.flush()

        def store(index):
            image = np.ascontiguousarray(load(index))
            if list(image.shape) != shapes[index]:
                raise InputError(
                    f"{wanted['sources'][index][0]}: its header promised "
                    f"{shapes[index]}, but it holds {list(image.shape)}; replace it."
                )
            _write_at(file.fileno(), image, len(header) + starts[index])

        _run_all(store, len(shapes), f"Caching {path.stem}")
    say(f"Cached {len(shapes)} images ({needed / 1e6:.0f} MB) in {path}")


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


def _check_room(folder, needed):
    """Refuses a folder that cannot be written or has too little room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
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
    if needed > free:
        raise InputError(
            f"the cache needs {needed / 1e9:.2f} GB in {folder}, where "
            f"{free / 1e9:.2f} GB are free; make room, or --cache_path takes another "
            "folder."
        )
