"""A user's picture: pixels, alpha and metadata."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from scipy import ndimage

from console.errors import InputError
from console.progress import warn
from imaging.animations import ANIMATED, Animation, load_animation
from imaging.decoding import damage_told, decode, opened
from imaging.exif import read_exif
from imaging.files import to_integers
from imaging.metadata import Metadata, find_companions, read_metadata
from imaging.tiff_pages import find_pages

# Luma of BT.601. A network's output for a grey picture is nearly grey.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# Formats whose second frame is a preview, not a second picture.
_WITH_PREVIEWS = ("MPO",)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An upright picture with the channels and the dtype of its file.

    Attributes:
        pixels: uint8 or uint16 (H, W, 1) or (H, W, 3): grey or RGB.
        alpha: The same dtype, (H, W, 1), 0 for transparent; None for none.
        metadata: The picture's metadata.
        is_lossless: Whether the file's compression is lossless, as far as is known.
        animation: The frames behind this one; None for a still.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = Metadata()
    is_lossless: bool = True
    animation: Animation | None = None

    def has_transparency(self) -> bool:
        """Whether any pixel is not opaque."""
        if self.alpha is None:
            return False
        return bool(self.alpha.min() < np.iinfo(self.alpha.dtype).max)

    def flatten(self, colour: tuple[int, int, int]) -> "Picture":
        """Puts a transparent picture on a background of RGB from 0 to 255.

        The result has no alpha; it is RGB unless the picture and the colour are grey.
        """
        if self.alpha is None:
            return self
        pixels = self.pixels
        if pixels.shape[-1] == 1 and len(set(colour)) > 1:
            pixels = np.repeat(pixels, 3, axis=-1)
        most = np.iinfo(pixels.dtype).max
        behind = np.array(colour[: pixels.shape[-1]], np.float32) * (most / 255)
        output = np.empty_like(pixels)
        # Row by row, because floats take four times the picture's memory.
        for row, colours, alpha in zip(output, pixels, self.alpha, strict=True):
            shown = behind + (colours - behind) * (alpha / np.float32(most))
            row[...] = to_integers(shown, pixels.dtype)
        return dataclasses.replace(self, pixels=output, alpha=None)

    @property
    def joined(self) -> np.ndarray:
        """(H, W, C): the colours, and the alpha if there is one."""
        if self.alpha is None:
            return self.pixels
        return np.concatenate([self.pixels, self.alpha], axis=-1)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[:2]


def load_picture(path: Path | str, page: int | None = None) -> Picture:
    """Loads a picture; of several pages, warns and loads the first.

    Args:
        path: The file, of one of `imaging.kinds.KINDS`.
        page: See `imaging.decoding.opened`.

    Returns:
        The picture. Transparent pixels have the colours of the nearest visible pixels,
        so that hidden colours do not affect visible pixels.

    Raises:
        InputError: The file is not an image, or is damaged.
    """
    with opened(path, page) as image, damage_told(path):
        is_lossless = _is_lossless(image, path)
        pages = getattr(image, "n_frames", 1)
        is_tiff = image.format == "TIFF"
        if is_tiff and pages > 1:
            pages = len(find_pages(path))
        if pages > 1 and image.format not in (*_WITH_PREVIEWS, *ANIMATED):
            advice = " (--all_pages takes each)" * is_tiff
            warn(f"{path} has {pages} pages or frames; only the first is used{advice}.")
        exif = read_exif(image) if is_tiff else None
        pixels = decode(image, path, to_the_end=True)
        animation = None
        if image.format in ANIMATED and pages > 1 and (found := load_animation(path)):
            if pixels.dtype == np.uint16:
                warn(f"{path}: has frames of 16 bits per channel, reduced to 8.")
            pixels, animation = found
        pixels, alpha = split_alpha(pixels)
        metadata = read_metadata(image, path, pixels, exif)
        if companions := find_companions(image, metadata.xmp):
            names = " and ".join(companions)
            warn(f"{path}: also holds {names}, which the result does not.")
    return Picture(pixels, alpha, metadata, is_lossless, animation)


def split_alpha(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Separates (H, W, C) to colours, (H, W, 1) or (H, W, 3), and alpha, (H, W, 1).

    Hidden pixels get the nearest visible colour. Alpha is None for none.
    """
    if pixels.shape[-1] not in (2, 4):
        return pixels, None
    alpha = np.ascontiguousarray(pixels[..., -1:])
    return fill_hidden(pixels[..., :-1], alpha), alpha


def _is_lossless(image, path):
    """Whether a file's compression is lossless."""
    if image.format != "WEBP":
        return image.format not in ("JPEG", "MPO", "AVIF", "HEIF", "JXL")
    with open(path, "rb") as file:
        file.seek(12)
        # Each chunk begins with its name and size; the name of the pixels' chunk tells.
        while len(header := file.read(8)) == 8:
            name, length = header[:4], int.from_bytes(header[4:], "little")
            if name in (b"VP8L", b"VP8 "):
                return name == b"VP8L"
            # The chunk of an animation's frame contains that of the pixels.
            file.seek(16 if name == b"ANMF" else length + length % 2, 1)
    return False


def fill_hidden(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Gives transparent pixels the colour of the nearest visible pixel.

    `pixels` are (H, W, C), as is the result, which is C-contiguous; `alpha` is
    (H, W, 1), 0 for transparent.
    """
    is_hidden = alpha[..., 0] == 0
    if not is_hidden.any() or is_hidden.all():
        return np.ascontiguousarray(pixels)
    rows, columns = ndimage.distance_transform_edt(
        is_hidden, return_distances=False, return_indices=True
    )
    return pixels[rows, columns]


def to_input(tile: np.ndarray) -> np.ndarray:
    """Converts uint8 or uint16, (H, W, 1) or (H, W, 3), to the input of a network.

    Returns:
        float32 (H, W, 3), RGB in [0, 255].
    """
    x = tile.astype(np.float32)
    if tile.dtype == np.uint16:
        x /= 257
    return x if x.shape[-1] == 3 else np.repeat(x, 3, axis=-1)


def make_finish(dtype: DTypeLike, channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Makes the inverse of `to_input`, for uint8 or uint16 and 1 or 3 channels.

    Returns:
        A function from float32 (H, W, 3), RGB, neither rounded nor clipped, to a tile
        (H, W, channels) of the dtype. It raises `InputError` for non-finite values.
    """

    def finish(tile):
        if not np.isfinite([tile.min(), tile.max()]).all():
            raise InputError(
                "the output of the model is not finite; its weights are damaged. Use "
                "another file or checkpoint."
            )
        if channels == 1:
            tile = (tile @ LUMA)[..., None]
        if dtype == np.uint16:
            tile = tile * np.float32(257)
        return to_integers(tile, dtype)

    return finish
