"""The distortions of TID2013, made again from their published descriptions.

Ponomarenko et al., "Image database TID2013: peculiarities, results and perspectives",
Signal Processing: Image Communication, 2015. 23 of its 24 types; errors in the
transmission of JPEG 2000 are missing. Most types are set to the PSNR of their level.
The types 14, 15, 17 and 18 have strengths of their own, chosen by eye.

All functions take an image, uint8 (H, W, 3), a strength, and a random generator, and
return the distorted image, uint8 of the same shape.
"""

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image

from console import quiet
from imaging.degrading import compress_jpeg
from imaging.files import to_uint8
from metrics import psnr_rgb

# PSNR of the levels 1 to 5, in dB.
LEVELS = (33.0, 30.0, 27.0, 24.0, 21.0)
TOLERANCE, TRIALS = 0.1, 10
FALLING = (0, 1, 2, 3, 4)

Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Distortion:
    """A type of distortion."""

    function: Function
    # Weakest and strongest to search for the PSNR of a level; or one of each level.
    strengths: tuple[float, ...]
    # Rank of each level in quality, 0 for the best.
    ranks: tuple[int, ...] = FALLING

    def apply(
        self, image: np.ndarray, level: int, seed: tuple[int, ...]
    ) -> tuple[np.ndarray, float]:
        """Distorts an image at a level from 1 to 5; returns it and the strength."""
        if len(self.strengths) == len(LEVELS):
            strength = self.strengths[level - 1]
            return self.function(image, strength, np.random.default_rng(seed)), strength
        return self._search(image, LEVELS[level - 1], seed)

    def _search(self, image, target, seed):
        """Bisects the logarithm of the strength until the PSNR is that of the level."""
        low, high = np.log(self.strengths)
        least, best = np.inf, (image, 0.0)
        for _ in range(TRIALS):
            strength = float(np.exp((low + high) / 2))
            made = self.function(image, strength, np.random.default_rng(seed))
            psnr = psnr_rgb(made, image, shave=0)
            if abs(psnr - target) < least:
                least, best = abs(psnr - target), (made, strength)
            if least < TOLERANCE:
                break
            middle = np.log(strength)
            low, high = (middle, high) if psnr > target else (low, middle)
        return best


def add_noise(image, deviation, draw):
    """Gaussian noise of a standard deviation in grey levels."""
    return to_uint8(image + draw.normal(0, deviation, image.shape))


def _add_colour_noise(image, deviation, draw):
    noise = draw.normal(0, deviation, image.shape) * (0.3, 1, 1)
    return _to_rgb(_to_ycc(image) + noise)


def _add_correlated_noise(image, deviation, draw):
    noise = cv2.GaussianBlur(draw.normal(0, 1, image.shape), (0, 0), 1.0)
    return to_uint8(image + deviation * noise / noise.std())


def _add_masked_noise(image, deviation, draw):
    activity = _local_deviation(image.astype(float))
    noise = draw.normal(0, 1, image.shape) * (activity / activity.mean() + 0.05)
    return to_uint8(image + deviation * noise)


def _add_high_noise(image, deviation, draw):
    noise = draw.normal(0, 1, image.shape)
    noise -= cv2.GaussianBlur(noise, (0, 0), 1.0)
    return to_uint8(image + deviation * noise / noise.std())


def _add_impulses(image, share, draw):
    hit = draw.random(image.shape) < share
    return np.where(hit, 255 * draw.integers(0, 2, image.shape), image).astype(np.uint8)


def _quantise(image, step, draw):
    return to_uint8((np.floor(image / step) + 0.5) * step)


def blur(image, sigma, draw):
    """Gaussian blur of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def _denoise(image, deviation, draw):
    noisy = add_noise(image, deviation, draw)
    return cv2.fastNlMeansDenoisingColored(noisy, None, deviation, deviation, 5, 11)


def compress(image, strength, draw):
    """JPEG of the quality 101 - `strength`."""
    return compress_jpeg(image, max(1, round(101 - strength)))


def _compress_more(image, strength, draw):
    """JPEG 2000 of a PSNR of 100 / `strength`."""
    stored = io.BytesIO()
    options: dict[str, Any] = {"quality_mode": "dB", "quality_layers": [100 / strength]}
    Image.fromarray(image).save(stored, "JPEG2000", **options)
    return np.asarray(Image.open(stored).convert("RGB"))


def _damage_jpeg(image, count, draw):
    """Overwrites bytes of the coded pixels; a restart marker ends each row's damage."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_RST_INTERVAL, 8]
    _, stored = cv2.imencode(".jpg", image[..., ::-1], options)
    coded = stored.copy()
    start = bytes(coded).rindex(b"\xff\xda") + 14
    places = draw.integers(start, len(coded) - 2, 400)[: max(1, round(count))]
    # Not a marker, nor beside one, so that the rest can be decoded.
    near = (coded[places] == 255) | (coded[places - 1] == 255)
    places = places[~near]
    coded[places] = draw.integers(0, 255, 400)[: len(places)]
    with quiet.descriptor_caught():  # libjpeg's lines about the damage.
        read = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return image if read is None else read[..., ::-1]


def _copy_patches(image, count, draw, side=15, most=5):
    """Copies small patches over others a few pixels away."""
    made = image.copy()
    height, width = image.shape[:2]
    for _ in range(max(1, round(count))):
        top, left = (draw.integers(most, n - side - most) for n in (height, width))
        up, aside = draw.integers(-most, most + 1, 2)
        patch = image[top + up : top + up + side, left + aside : left + aside + side]
        made[top : top + side, left : left + side] = patch
    return made


def choose_blocks(image, share, draw, side):
    """Yields views of blocks of an image; at least one, however small the image is."""
    rows, columns = (max(1, length // side) for length in image.shape[:2])
    count = max(1, round(share * rows * columns))
    chosen = draw.permutation(rows * columns)[:count]
    for top, left in side * np.stack(np.divmod(chosen, columns), -1):
        yield image[top : top + side, left : left + side]


def put_blocks(image, share, draw):
    """Shifts the colours of blocks: of few by much, of many by little."""
    made = image.astype(float)
    for block in choose_blocks(made, share, draw, side=32):
        block += draw.choice([-1, 1], 3) * 16 / np.sqrt(share)
    return to_uint8(made)


def _shift_mean(image, shift, draw):
    sign = draw.choice([-1, 1])
    return to_uint8(image.astype(float) + sign * shift)


def change_contrast(image, factor, draw):
    """Multiplies the contrast around mid-grey."""
    return to_uint8(127.5 + factor * (image - 127.5))


def _fade(image, share, draw):
    values = _to_ycc(image)
    values[..., 1:] *= 1 - share
    return _to_rgb(values)


def _add_multiplied_noise(image, deviation, draw):
    return to_uint8(image * (1 + draw.normal(0, deviation, image.shape)))


def _replace_texture(image, sigma, draw):
    """Replaces fine texture by noise of the same strength."""
    smooth = cv2.GaussianBlur(image.astype(float), (0, 0), sigma)
    lost = _local_deviation(image - smooth)
    return to_uint8(smooth + 0.7 * lost * draw.normal(0, 1, image.shape[:2])[..., None])


def _compress_noisy(image, deviation, draw):
    noisy = add_noise(image, deviation, draw)
    return compress(noisy, 10 + 2.5 * deviation, draw)


def _reduce_colours(image, reduction, draw):
    colours = max(2, round(256 / reduction))
    reduced = Image.fromarray(image).quantize(colours, Image.Quantize.MEDIANCUT)
    return np.asarray(
        Image.fromarray(image).quantize(palette=reduced, dither=1).convert("RGB")
    )


def _spread_colours(image, pixels, draw):
    """Shifts red and blue apart and blurs both a little."""
    made = image.copy()
    size, border = image.shape[1::-1], cv2.BORDER_REFLECT
    for channel, sign in ((0, 1), (2, -1)):
        shift = np.array([[1, 0, sign * pixels], [0, 1, sign * pixels / 2]])
        plane = cv2.warpAffine(image[..., channel], shift, size, borderMode=border)
        made[..., channel] = cv2.GaussianBlur(plane, (0, 0), 0.3 + pixels / 4)
    return made


def _sample_sparsely(image, loss, draw):
    """Keeps few of the pixels and interpolates between them."""
    kept = (draw.random(image.shape[:2]) > 1 - 1 / loss).astype(np.float32)[..., None]
    total, weight = np.float32(0), np.float32(0)
    for sigma in (0.8, 1.6, 3.2, 6.4, 12.8):
        # Coarser means where finer ones have no pixel.
        share = 1 / (1 + weight * 1e4)
        total += share * cv2.GaussianBlur(kept * image, (0, 0), sigma)
        weight += share * cv2.GaussianBlur(kept, (0, 0), sigma)[..., None]
    return to_uint8(total / np.maximum(weight, 1e-12))


def _local_deviation(values):
    mean = cv2.blur(values, (5, 5))
    return np.sqrt(np.maximum(cv2.blur(values * values, (5, 5)) - mean**2, 0))


def _to_ycc(image):
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2YCrCb).astype(float) - (
        (0, 0.5, 0.5)
    )


def _to_rgb(values):
    values = (values + (0, 0.5, 0.5)).astype(np.float32)
    return to_uint8(cv2.cvtColor(values, cv2.COLOR_YCrCb2RGB))


# From TID2013's number.
DISTORTIONS: dict[int, Distortion] = {
    1: Distortion(add_noise, (2, 60)),
    2: Distortion(_add_colour_noise, (2, 90)),
    3: Distortion(_add_correlated_noise, (2, 60)),
    4: Distortion(_add_masked_noise, (1, 90)),
    5: Distortion(_add_high_noise, (2, 60)),
    6: Distortion(_add_impulses, (0.0005, 0.3)),
    7: Distortion(_quantise, (6, 150)),
    8: Distortion(blur, (0.3, 20)),
    9: Distortion(_denoise, (2, 120)),
    10: Distortion(compress, (1, 100)),
    11: Distortion(_compress_more, (2.2, 6.5)),
    12: Distortion(_damage_jpeg, (1, 400)),
    14: Distortion(_copy_patches, (20, 60, 150, 400, 1000)),
    # Many faint blocks trouble people less than few strong ones.
    15: Distortion(put_blocks, (0.02, 0.04, 0.08, 0.16, 0.32), FALLING[::-1]),
    16: Distortion(_shift_mean, (2, 60)),
    # People like more contrast.
    17: Distortion(change_contrast, (0.85, 1.15, 0.65, 1.4, 0.45), (2, 0, 3, 1, 4)),
    18: Distortion(_fade, (0.4, 0.55, 0.7, 0.85, 1.0)),
    19: Distortion(_add_multiplied_noise, (0.01, 1)),
    20: Distortion(_replace_texture, (0.3, 20)),
    21: Distortion(_compress_noisy, (1, 60)),
    22: Distortion(_reduce_colours, (1, 128)),
    23: Distortion(_spread_colours, (0.1, 30)),
    24: Distortion(_sample_sparsely, (1.05, 500)),
}
