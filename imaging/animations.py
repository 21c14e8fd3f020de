"""Reads and writes animations: GIF, PNG and WebP of several frames.

Pillow composes frames: each is a whole picture, whatever the file stores of it. One
frame is in memory at a time, except that Pillow keeps those of a GIF that it writes,
with a byte for each pixel.
"""

import contextlib
import dataclasses
import io
import itertools
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image

from console.errors import InputError
from imaging.chunks import PNG_SIGNATURE, Inserting, make_chunk, split_chunks
from imaging.decoding import damage_told, opened
from imaging.dihedral import UPRIGHT, transform
from imaging.files import to_8_bits
from imaging.limits import check_size

# Pillow's names of the formats that have animations.
ANIMATED = ("GIF", "PNG", "WEBP")
_EXIF_ORIENTATION = 0x0112
# Index of the transparent colour in a GIF, and the least alpha that is opaque.
_CLEAR, _OPAQUE = 255, 128
# Pixels of a frame from which its palette is made.
_SAMPLE = 20_000


@dataclasses.dataclass(frozen=True)
class Animation:
    """The frames behind the first, and the times of all.

    Attributes:
        durations: Milliseconds of each frame, the first included.
        plays: How often it is played; 0 for ever.
        read: Yields uint8 (H, W, 3) or (H, W, 4), all with alpha or none.
    """

    durations: tuple[float, ...]
    plays: int
    read: Callable[[], Iterator[np.ndarray]]


def count_frames(path: Path | str) -> int:
    """Counts the frames of an animation; 1 for other pictures."""
    with opened(path) as image, damage_told(path):
        return len(_list_frames(image))


def is_animated(path: Path | str) -> bool:
    """Whether a file is an animation; False for files that cannot be read."""
    with contextlib.suppress(InputError):
        return count_frames(path) > 1
    return False


def load_animation(path: Path | str) -> tuple[np.ndarray, Animation] | None:
    """Loads the first frame of an animation; decodes all frames for their times.

    Returns:
        uint8 (H, W, 3) or (H, W, 4), and the animation; None for other pictures.

    Raises:
        InputError: The file is damaged.
    """
    with opened(path) as image, damage_told(path):
        if len(_list_frames(image)) == 1:
            return None
        loop = image.info.get("loop")
        plays = 1 if loop is None else loop
        if image.format == "GIF" and loop:
            plays += 1  # A GIF counts repetitions.
    has_alpha, durations = False, []
    for frame, duration in _read(path, "RGBA"):
        has_alpha |= bool(frame[..., 3].min() < 255)
        durations.append(duration)
    mode = "RGBA" if has_alpha else "RGB"
    first, _ = next(_read(path, mode))

    def read():
        return (frame for frame, _ in itertools.islice(_read(path, mode), 1, None))

    return first, Animation(tuple(durations), plays, read)


def _list_frames(image):
    """Returns the numbers of frames; a PNG may begin with a still for old programs."""
    if image.format not in ANIMATED:
        return range(1)
    frames = range(getattr(image, "default_image", False), image.n_frames)
    return frames if len(frames) > 1 else range(1)


def _read(path, mode):
    """Yields frames, upright, and their durations."""
    with opened(path) as image, damage_told(path):
        frames, size = _list_frames(image), image.size
        upright = UPRIGHT.get(image.getexif().get(_EXIF_ORIENTATION, 1), UPRIGHT[1])
        for index in frames:
            image.seek(index)
            check_size(path, *image.size)  # Of this frame, before memory is taken.
            image.load()
            # What of a frame lies outside of the picture is not shown.
            shown = image if image.size == size else image.crop((0, 0, *size))
            if image.mode == "I;16":  # Pillow would make it white.
                shown = Image.fromarray(to_8_bits(np.asarray(shown)))
            frame = transform(np.asarray(shown.convert(mode)), upright)
            yield np.ascontiguousarray(frame), image.info.get("duration", 0)


def write(
    file: BinaryIO,
    name: str,
    frames: Iterable[np.ndarray],
    animation: Animation | None,
    options: dict[str, Any],
    chunks: Iterable[tuple[bytes, bytes]],
) -> None:
    """Writes an animation, or a GIF of one frame (`animation` is None).

    `frames` are uint8 (H, W, C), the first included, all with alpha or none; `options`
    are Pillow's; `chunks` are those of a PNG beside the pixels.
    """
    images = (Image.fromarray(f[..., 0] if f.shape[-1] == 1 else f) for f in frames)
    if name == "GIF":
        images = (_reduce_colours(image) for image in images)
    if animation is None:
        next(images).save(file, format=name, **options)
    elif name == "PNG":
        _write_png(Inserting(file, chunks), images, animation, options)
    else:
        sequence, plays = _Sequence(images, len(animation.durations)), animation.plays
        unit = 10 if name == "GIF" else 1
        times = np.cumsum([0, *animation.durations]) / unit
        options = {**options, "duration": (np.diff(np.rint(times)) * unit).tolist()}
        if name == "GIF":
            options |= {"optimize": False, "loop": max(plays - 1, 0)}
            options["disposal"] = 2 if "transparency" in sequence.info else 0
            if plays == 1:
                del options["loop"]
        else:
            options["loop"] = plays
        sequence.save(file, format=name, save_all=True, **options)


def _reduce_colours(image):
    """Reduces an image to the 256 colours of a GIF, one of them transparent."""
    rgba = image.convert("RGBA")
    is_clear = np.asarray(rgba)[..., 3] < _OPAQUE
    has_alpha = image.mode in ("LA", "RGBA")
    image = rgba.convert("RGB")
    step = math.ceil(math.sqrt(image.width * image.height / _SAMPLE))
    sample = Image.fromarray(np.asarray(image)[::step, ::step])
    palette = sample.quantize(256 - has_alpha, kmeans=1)
    # Dithering would flicker.
    reduced = image.quantize(palette=palette, dither=Image.Dither.NONE)
    reduced.putpalette([*(palette.getpalette() or []), *[0] * 768][:768])
    if has_alpha:
        reduced.paste(_CLEAR, mask=Image.fromarray(is_clear))
        reduced.info["transparency"] = _CLEAR
    return reduced


class _Sequence(Image.Image):
    """An image of several frames for Pillow's writers, which take each in its turn."""

    def __init__(self, images, count):
        super().__init__()
        self.images, self.n_frames, self.place = images, count, -1
        self.seek(0)

    def seek(self, frame):
        if frame >= self.n_frames:
            raise EOFError
        while self.place < frame:
            image = next(self.images)
            self.im, self._mode, self._size = image.im, image.mode, image.size
            self.palette, self.info = image.palette, image.info
            self.place += 1

    def tell(self):
        return self.place


def _write_png(file, images, animation, options):
    """Writes an animated PNG; of each frame, the box that differs from the last."""
    numbers, before = itertools.count(), None
    for image, duration in zip(images, animation.durations, strict=True):
        pixels = np.asarray(image)
        left, top, width, height = 0, 0, image.width, image.height
        if before is not None:
            is_changed = (before != pixels).any(-1).astype(np.uint8)
            left, top, width, height = cv2.boundingRect(is_changed)
            width, height = max(width, 1), max(height, 1)
        encoded = io.BytesIO()
        box = image.crop((left, top, left + width, top + height))
        box.save(encoded, format="PNG", **options)
        encoded.seek(len(PNG_SIGNATURE))
        chunks = [(header[4:], data) for header, data, _ in split_chunks(encoded)]
        if before is None:
            file.write(PNG_SIGNATURE)
            for chunk in itertools.takewhile(lambda each: each[0] != b"IDAT", chunks):
                file.write(make_chunk(*chunk))
            control = struct.pack(">II", len(animation.durations), animation.plays)
            file.write(make_chunk(b"acTL", control))
        delay = Fraction(duration / 1000).limit_denominator(1000)
        control = (next(numbers), width, height, left, top)
        control += (min(delay.numerator, 65535), delay.denominator, 0, 0)
        file.write(make_chunk(b"fcTL", struct.pack(">5I2H2B", *control)))
        for data in (data for kind, data in chunks if kind == b"IDAT"):
            if before is None:
                file.write(make_chunk(b"IDAT", data))
            else:
                number = struct.pack(">I", next(numbers))
                file.write(make_chunk(b"fdAT", number + data))
        before = pixels
    file.write(make_chunk(b"IEND", b""))
