"""Makes LR images with the faults of photographs: the second-order model.

Blur, resizing, noise and compression, twice, as in Real-ESRGAN (Wang et al., ICCVW
2021) and BSRGAN (Zhang et al., ICCV 2021), with a sinc filter and the last compression
in either order. Besides what phones and chats do: sharpening halos, all kinds of chroma
subsampling, and WebP. The published parameters are for x4. Faults belong to the LR
image, so at other scales the HR image is first resized to 4 times LR.
"""

import dataclasses
import hashlib
import json
import math

import cv2
import numpy as np

from dataloaders.degradation_settings import BICUBIC, Stage, Strength, load_strength
from imaging import degrading
from imaging.files import to_uint8
from imaging.imresize import cut_to_multiple, make_lr

# The scale of the published parameters.
SCALE = 4
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
# Sides of the final sinc filter, and its lowest cutoff. That of small kernels is the
# same, and large kernels ring more.
SINC_SIZE, SINC_CUTOFF, LARGE_CUTOFF, LARGE = (7, 21), math.pi / 3, math.pi / 5, 13


@dataclasses.dataclass(frozen=True)
class Degradation:
    """Degrades images; see the module."""

    strength: Strength

    @property
    def digest(self) -> str:
        """Tells the values apart from others."""
        values = json.dumps(self.strength.to_json()).encode()
        return hashlib.sha256(values).hexdigest()[:12]

    def apply(
        self, hr: np.ndarray, scale: int, random: np.random.Generator
    ) -> np.ndarray:
        """Makes an LR image.

        Args:
            hr: uint8 (H, W, 3).
            scale: Downscaling factor.
            random: Draws all parameters and the noise.

        Returns:
            uint8 (H // scale, W // scale, 3).
        """
        lr_size = tuple(length // scale for length in hr.shape[:2])
        if 0 in lr_size or random.random() < self.strength.clean_probability:
            return make_lr(hr, scale)
        first, second = self.strength.first, self.strength.second
        way = cv2.INTER_AREA if scale > SCALE else cv2.INTER_CUBIC
        image = _resize(cut_to_multiple(hr, scale), lr_size, SCALE, way)
        image = blur(image.astype(np.float32), first, random)
        factor = draw_factor(first, random)
        image = _resize(image, image.shape, factor, _draw_interpolation(random))
        image = compress(spoil(image, first, random), first, random)

        image = blur(image.astype(np.float32), second, random)
        factor = draw_factor(second, random)
        image = _resize(image, lr_size, factor, _draw_interpolation(random))
        image = spoil(image, second, random)
        if random.random() < 0.5:
            image = self._finish(image, lr_size, random)
            return to_uint8(compress(image, second, random))
        image = compress(image, second, random).astype(np.float32)
        return to_uint8(self._finish(image, lr_size, random))

    def apply_to(self, name: str, hr: np.ndarray, scale: int, seed: int) -> np.ndarray:
        """Works like `apply` on a whole picture, fixed by its name and a seed."""
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
        random = np.random.default_rng((seed, *digest[:16]))
        return self.apply(hr, scale, random)

    def _finish(self, image, lr_size, random):
        """Resizes to the final size, and filters."""
        image = _resize(image, lr_size, 1, _draw_interpolation(random))
        if random.random() < self.strength.final_sinc_probability:
            size = _draw_odd(SINC_SIZE, random)
            cutoff = random.uniform(SINC_CUTOFF, math.pi)
            image = degrading.filter_with(image, degrading.make_sinc(size, cutoff))
        return degrading.clip(image)


def open_degradation(name: str) -> Degradation | None:
    """Opens the value of --degradation by `load_strength`; None for bicubic."""
    return None if name == BICUBIC else Degradation(load_strength(name))


def blur(image: np.ndarray, stage: Stage, random: np.random.Generator) -> np.ndarray:
    """Blurs float32 (H, W, 3), or does not."""
    if random.random() >= stage.blur_probability:
        return image
    kernel = draw_kernel(stage, random)
    return degrading.clip(degrading.filter_with(image, kernel))


def draw_kernel(stage: Stage, random: np.random.Generator) -> np.ndarray:
    """Draws a kernel: float32 (K, L), or (K,) if it is separable."""
    size = _draw_odd(stage.kernel_size, random)
    if random.random() < stage.sinc_probability:
        lowest = SINC_CUTOFF if size < LARGE else LARGE_CUTOFF
        return degrading.make_sinc(size, random.uniform(lowest, math.pi))
    index = random.choice(6, p=stage.kernels)
    is_anisotropic = index % 2 == 1
    sigmas = [random.uniform(*stage.sigma)] * 2
    angle, beta = 0.0, 1.0
    if is_anisotropic:
        sigmas[1] = random.uniform(*stage.sigma)
        angle = random.uniform(-math.pi, math.pi)
    if index >= 2:
        betas = stage.generalised_beta if index < 4 else stage.plateau_beta
        beta = _draw_beta(betas, random)
    elif not is_anisotropic:
        return degrading.make_gaussian(size, sigmas[0])
    return degrading.make_kernel(size, sigmas, angle, beta, is_plateau=index >= 4)


def _draw_odd(sizes, random):
    """Draws an odd whole number; even bounds lose 1."""
    least, most = ((size - 1) // 2 for size in sizes)
    return 2 * int(random.integers(least, most + 1)) + 1


def _draw_beta(betas, random):
    """Draws an exponent, below 1 in half of the cases."""
    least, most = betas
    if least < 1 < most:
        below = random.random() < 0.5
        least, most = (least, 1) if below else (1, most)
    return random.uniform(least, most)


def draw_factor(stage: Stage, random: np.random.Generator) -> float:
    """Draws the factor of a resizing."""
    way = random.choice(3, p=stage.resize_up_down_keep)
    least, most = stage.resize_factor
    if way == 0:
        return random.uniform(max(1, least), max(1, most))
    if way == 1:
        return random.uniform(min(1, least), min(1, most))
    return 1.0


def _draw_interpolation(random):
    return INTERPOLATIONS[random.integers(3)]


def _resize(image, size, factor, interpolation):
    """Resizes to a multiple of a size (height, width)."""
    height, width = (max(1, int(length * factor)) for length in size[:2])
    if (height, width) == image.shape[:2]:
        return image
    return cv2.resize(image, (width, height), interpolation=interpolation)


def spoil(image: np.ndarray, stage: Stage, random: np.random.Generator) -> np.ndarray:
    """Sharpens float32 (H, W, 3) and adds noise, or does not.

    In this order, since phones reduce the noise before they sharpen.
    """
    image = degrading.clip(image)
    if random.random() < stage.sharpen_probability:
        sigma = random.uniform(*stage.sharpen_sigma)
        image = degrading.sharpen(image, sigma, random.uniform(*stage.sharpen_amount))
    if random.random() < stage.noise_probability:
        is_poisson = random.random() < stage.poisson_probability
        is_grey = random.random() < stage.grey_probability
        strengths = stage.poisson_noise if is_poisson else stage.gaussian_noise
        strength = random.uniform(*strengths)
        image = degrading.add_noise(image, strength, random, is_poisson, is_grey)
    return image


def compress(
    image: np.ndarray, stage: Stage, random: np.random.Generator
) -> np.ndarray:
    """Compresses float32 (H, W, 3) to uint8, or returns it unchanged."""
    is_kept = random.random() >= stage.compress_probability
    if is_kept or max(image.shape) > degrading.MOST_JPEG:
        return image
    quality = int(random.integers(stage.quality[0], stage.quality[1] + 1))
    is_webp = random.random() < stage.webp_probability
    if is_webp and max(image.shape) <= degrading.MOST_WEBP:
        return degrading.compress_webp(image, quality)
    kind = random.choice(list(degrading.SUBSAMPLINGS), p=stage.chroma_420_422_444)
    return degrading.compress_jpeg(image, quality, str(kind))
