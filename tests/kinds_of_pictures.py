"""Writes a picture of each kind that people have, by other libraries' writers."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

from tests.pictures import draw_picture

HEIGHT, WIDTH = 22, 31
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF_IFD, WIDTH_TAG, TAKEN_TAG = 0x8769, 0xA002, 0x9003
TAKEN = "2026:05:04 03:02:01"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of picture, and what its enlargement has to be.

    Attributes:
        write: Writes it to a path.
        mode: Of the result, as Pillow calls it.
        is_16bit: Whether the result has 16 bits a channel.
        is_turned: Whether its height and width are exchanged.
        has_profile: Whether the result has the sRGB profile.
        has_exif: Whether it has the EXIF of `make_exif`.
    """

    write: Callable
    mode: str = "RGB"
    is_16bit: bool = False
    is_turned: bool = False
    has_profile: bool = False
    has_exif: bool = False


def make_exif(orientation=1):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker", orientation
    exif.get_ifd(EXIF_IFD).update({TAKEN_TAG: TAKEN, WIDTH_TAG: WIDTH})
    return exif


def draw(channels=3, seed=0):
    """Grey or RGB, alpha in the last of 2 or 4: uint8 (HEIGHT, WIDTH, channels)."""
    picture = draw_picture(HEIGHT, WIDTH, seed)
    if channels in (1, 2):
        picture = picture[..., :1]
    if channels in (2, 4):
        x = np.broadcast_to(np.arange(WIDTH), (HEIGHT, WIDTH))
        alpha = np.clip((x - 8) * 20, 0, 255).astype(np.uint8)[..., None]
        picture = np.concatenate([picture, alpha], -1)
    return picture


def draw_deep(channels=3):
    """The same as uint16, with something in the lower eight bits."""
    return draw(channels).astype(np.uint16) * 257 // 3 * 3


def by_pillow(mode="RGB", channels=3, **options):
    def write(path):
        pixels = draw(channels)
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        image.convert(mode).save(path, **options)

    return write


def by_opencv(channels):
    def write(path):
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        cv2.imwrite(str(path), draw_deep(channels)[..., order])

    return write


def by_tifffile(channels, **options):
    def write(path):
        pixels = draw_deep(channels)
        photometric = "minisblack" if channels == 1 else "rgb"
        pixels = pixels[..., 0] if channels == 1 else pixels
        tifffile.imwrite(path, pixels, photometric=photometric, **options)

    return write


def in_black_and_white(path):
    Image.fromarray(np.arange(WIDTH)[None].repeat(HEIGHT, 0) > 12).save(path)


def with_colour_key(path):
    image = Image.fromarray(draw())
    image.save(path, transparency=image.getpixel((3, 3)))


def with_palette_and_alpha(path):
    Image.fromarray(draw()).quantize(64).save(path, transparency=5)


def with_pages(path):
    pages = [Image.fromarray(draw(seed=seed)) for seed in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def deep_grey_and_alpha(path):
    # By ours: no other library here writes it; what comes of it is read by others.
    from imaging import png_16bit
    from imaging.metadata import Metadata

    with open(path, "wb") as file:
        png_16bit.write(file, draw_deep(2), Metadata())


def bmp_with_alpha(path):
    cv2.imwrite(str(path), draw(4)[..., [2, 1, 0, 3]])


KINDS = {
    "rgb.png": Kind(by_pillow()),
    "grey.png": Kind(by_pillow("L", 1), "L"),
    "bilevel.png": Kind(in_black_and_white, "L"),
    "grey alpha.png": Kind(by_pillow("LA", 2), "LA"),
    "rgba.png": Kind(by_pillow("RGBA", 4), "RGBA"),
    "palette.png": Kind(by_pillow("P"), "RGB"),
    "palette alpha.png": Kind(with_palette_and_alpha, "RGBA"),
    "colour key.png": Kind(with_colour_key, "RGBA"),
    "deep grey.png": Kind(by_opencv(1), "I;16", is_16bit=True),
    "deep.png": Kind(by_opencv(3), "RGB", is_16bit=True),
    "deep rgba.png": Kind(by_opencv(4), "RGBA", is_16bit=True),
    "deep grey alpha.png": Kind(deep_grey_and_alpha, "RGBA", is_16bit=True),
    "profile.png": Kind(by_pillow(icc_profile=SRGB), has_profile=True),
    "exif.png": Kind(by_pillow(exif=make_exif()), has_exif=True),
    "rgb.jpg": Kind(by_pillow(quality=95)),
    "grey.JPG": Kind(by_pillow("L", 1, quality=95), "L"),
    "cmyk.jpg": Kind(by_pillow("CMYK", quality=95)),
    "progressive.jpeg": Kind(by_pillow(progressive=True, quality=95)),
    "turned by 90.jpg": Kind(
        by_pillow(exif=make_exif(6), icc_profile=SRGB, quality=95),
        is_turned=True,
        has_profile=True,
        has_exif=True,
    ),
    "turned by 180.jpg": Kind(by_pillow(exif=make_exif(3), quality=95), has_exif=True),
    "lossy.webp": Kind(by_pillow(quality=95)),
    "lossless.webp": Kind(by_pillow(lossless=True, exif=make_exif()), has_exif=True),
    "alpha.webp": Kind(by_pillow("RGBA", 4, lossless=True), "RGBA"),
    "rgb.tiff": Kind(
        by_pillow(compression="tiff_lzw", icc_profile=SRGB), has_profile=True
    ),
    "grey.tif": Kind(by_pillow("L", 1), "L"),
    "rgba.tif": Kind(by_pillow("RGBA", 4), "RGBA"),
    "deep.tif": Kind(by_tifffile(3, iccprofile=SRGB), is_16bit=True, has_profile=True),
    "deep grey.tif": Kind(by_tifffile(1), "I;16", is_16bit=True),
    "pages.tif": Kind(with_pages),
    "turned.tif": Kind(by_pillow(exif=make_exif(8)), is_turned=True, has_exif=True),
    "rgb.bmp": Kind(by_pillow()),
    "alpha.bmp": Kind(bmp_with_alpha, "RGBA"),
    "grey.bmp": Kind(by_pillow("L", 1), "L"),
}
