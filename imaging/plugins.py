"""HEIC and JPEG XL, which Pillow reads with libraries that may be missing.

They are imported with the first such file, which no other file waits for. Pixels of
more than 8 bits do not go through Pillow.
"""

import contextlib
import importlib
import inspect
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from console.errors import InputError
from console.file_types import HEIC, JPEG_XL, tell_file_type
from console.progress import warn
from imaging.limits import check_size

HEIF, JXL = "HEIF", "JXL"
# From Pillow's name of a format to the packages that it needs, and their modules.
_NEEDED = {
    HEIF: ("pillow-heif", ["pillow_heif"]),
    JXL: ("pillow-jxl-plugin imagecodecs", ["pillow_jxl", "imagecodecs"]),
}
_NAMES = {HEIC: HEIF, JPEG_XL: JXL}
# Width of a JPEG XL for a height of 1, by the number in its header.
_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# Numbers of bits that may encode a side of a JPEG XL.
_LENGTHS = (9, 13, 18, 30)
_HEADER = 1 << 12


def use(name: str, subject: Path | str) -> list[Any]:
    """Imports the modules that a format needs; none for those that Pillow has itself.

    Raises:
        InputError: A package is missing; names `subject`, the file or flag.
    """
    packages, modules = _NEEDED.get(name, ("", []))
    try:
        found = [importlib.import_module(module) for module in modules]
    except ImportError:
        raise InputError(
            f"{subject}: {name} needs {packages.replace(' ', ' and ')}; install with: "
            f"python -m pip install {packages}."
        ) from None
    if name == HEIF:
        found[0].register_heif_opener()
    return found


def open_plugin(file: BinaryIO, path: Path | str) -> Image.Image | None:
    """Opens a HEIC or JPEG XL; returns None for files of other kinds.

    Raises:
        InputError: A package is missing, or the picture is too large.
    """
    name = _NAMES.get(tell_file_type(path)[0])
    if name is None:
        return None
    use(name, path)
    if name == JXL:  # Opening decodes it.
        file.seek(0)
        check_size(path, *_read_jxl_size(file.read(_HEADER)))
    file.seek(0)
    return Image.open(file, formats=[name])


def _read_jxl_size(header):
    """Reads width and height of a JPEG XL; raises if they are not in the header."""
    box = max(header.find(b"jxlc"), header.find(b"jxlp"), 0)
    start = header.index(b"\xff\x0a", box) + 2
    bits = int.from_bytes(header[start : start + 16], "little")

    def take(count):
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    is_small = take(1)

    def read_side():
        return 8 * (take(5) + 1) if is_small else take(_LENGTHS[take(2)]) + 1

    height = read_side()
    ratio = _RATIOS[take(3)]
    width = read_side() if ratio is None else height * ratio[0] // ratio[1]
    return width, height


def decode_plugin(name: str, path: Path | str, most: int) -> np.ndarray:
    """Decodes a HEIC or JPEG XL of any depth.

    Returns:
        (H, W, C), upright: uint8, or uint16 from 0 to `most`.
    """
    (library, *_) = reversed(use(name, path))
    if name == HEIF:
        shifted = np.asarray(library.open_heif(path, convert_hdr_to_8bit=False))
        pixels = shifted >> (16 - most.bit_length())
    else:
        pixels = library.jpegxl_decode(Path(path).read_bytes())
        if pixels.ndim == 4:
            warn(f"{path} has {len(pixels)} frames; only the first is used.")
            pixels = pixels[0]
        if pixels.dtype.kind == "f":
            if pixels.min() < 0 or pixels.max() > 1:
                warn(f"{path}: has values beyond black and white, which are clipped.")
            pixels = np.rint(np.clip(pixels, 0, 1) * np.float32(most)).astype(np.uint16)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def write_heif(file: BinaryIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Writes uint8 or uint16 (H, W, C) as a HEIC of 8 or 10 bits.

    `options` are quality and metadata, as Pillow names them.
    """
    (library,) = use(HEIF, "--output_format=heic")
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[-1]]
    mode += ";16" * (pixels.dtype == np.uint16)
    height, width, _ = pixels.shape
    image = library.from_bytes(mode, (width, height), pixels.tobytes())
    # A quarter of the default preset's time, for the same PSNR and a fifth more bytes.
    image.save(file, enc_params={"preset": "ultrafast"}, **options)


def states_colours() -> bool:
    """Whether imagecodecs can state the colours of a JPEG XL.

    Its last release for Python 3.11 cannot: 8 bits are in sRGB, 16 bits linear.
    """
    _, imagecodecs = use(JXL, "--output_format=jxl")
    return "primaries" in inspect.signature(imagecodecs.jpegxl_encode).parameters


def write_jxl(
    file: BinaryIO,
    pixels: np.ndarray,
    quality: int | None,
    metadata: dict[bytes, bytes | None],
    colours: tuple[str, str],
) -> None:
    """Writes uint8 or uint16 (H, W, C) as a JPEG XL of that depth.

    Args:
        file: The file.
        pixels: The pixels.
        quality: As that of a JPEG, 1 to 100; None for lossless.
        metadata: Contents of boxes by their kinds.
        colours: As `imaging.colour_profiles.name_colours` returns them.
    """
    _, imagecodecs = use(JXL, "--output_format=jxl")
    # libjxl's own rule for the quality of JPEG.
    distance = 0.0 if quality is None else 0.1 + 0.09 * (100 - max(quality, 30))
    options: dict[str, Any] = {}
    if states_colours():  # Otherwise 8 bits in sRGB, by `find_obstacle`.
        options["primaries"], options["transfer"] = colours
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    code = imagecodecs.jpegxl_encode(
        pixels,
        lossless=quality is None,
        distance=distance,
        usecontainer=False,
        **options,
    )
    boxes = [(kind, data) for kind, data in metadata.items() if data]
    if boxes:
        file.write(_box(b"JXL ", b"\r\n\x87\n") + _box(b"ftyp", b"jxl \0\0\0\0jxl "))
        for kind, data in boxes:
            file.write(_box(kind, data))
        code = _box(b"jxlc", code)
    file.write(code)


def _box(kind, data):
    return (len(data) + 8).to_bytes(4, "big") + kind + data


def find_jxl_box(path: Path | str, kind: bytes) -> bytes | None:
    """Returns the content of a JPEG XL's first box of a kind; None for none."""
    data, start = Path(path).read_bytes(), 0
    with contextlib.suppress(ValueError):
        while start + 8 <= len(data):
            length = int.from_bytes(data[start : start + 4], "big")
            if data[start + 4 : start + 8] == kind:
                return data[start + 8 : start + length if length else None]
            if length < 8:
                break
            start += length
    return None
