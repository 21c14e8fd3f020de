"""What degrades pictures: blur, noise, sharpening, lossy compression.

The kernels are those of BSRGAN (Zhang et al., ICCV 2021) and Real-ESRGAN (Wang et al.,
ICCVW 2021). Nothing here draws parameters; `dataloaders.degradations` does.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy import special

from imaging.files import to_uint8

# Chroma subsampling of a JPEG.
SUBSAMPLINGS = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}

# Longest sides.
MOST_JPEG, MOST_WEBP = 65500, 16383
# Weight of a kernel that changes no grey level, relative to the largest weight.
NEGLIGIBLE = 1e-5


def make_gaussian(size: int, sigma: float) -> np.ndarray:
    """Makes a separable Gaussian kernel, float32 (size,); the sum is 1."""
    return cv2.getGaussianKernel(size, sigma, cv2.CV_32F)[:, 0]


def make_kernel(
    size: int,
    sigmas: Sequence[float],
    angle: float,
    beta: float = 1.0,
    is_plateau: bool = False,
) -> np.ndarray:
    """Makes a generalised Gaussian kernel, or a plateau.

    Args:
        size: Largest side of the kernel, odd.
        sigmas: Standard deviations along the two axes, in pixels.
        angle: Angle of the first axis, in radians.
        beta: Exponent of the squared distance: 1 for a Gaussian, more for a flatter
            top, less for longer tails.
        is_plateau: Whether the kernel falls as 1 / (1 + d), not as exp(-d / 2).

    Returns:
        float32 (K, L), both odd and at most `size`, without the rows and columns of
        negligible weights; the sum is 1.
    """
    y, x = np.mgrid[:size, :size] - size // 2
    along = (math.cos(angle) * x + math.sin(angle) * y) / sigmas[0]
    across = (math.cos(angle) * y - math.sin(angle) * x) / sigmas[1]
    distance = (along**2 + across**2) ** beta
    kernel = 1 / (1 + distance) if is_plateau else np.exp(-distance / 2)
    # A smaller kernel takes less time.
    near = kernel > NEGLIGIBLE * kernel.max()
    kernel = kernel[near.any(axis=1)][:, near.any(axis=0)]
    return (kernel / kernel.sum()).astype(np.float32)


def make_sinc(size: int, cutoff: float) -> np.ndarray:
    """Makes a circular low-pass kernel, which rings and overshoots at edges.

    The cutoff frequency is in radians per pixel, at most pi. Returns float32
    (size, size), whose sum is 1; the size is odd.
    """
    y, x = np.mgrid[:size, :size] - size // 2
    radius = np.hypot(y, x)
    radius[size // 2, size // 2] = 1  # Any number but 0; the limit replaces it.
    kernel = cutoff * special.j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return (kernel / kernel.sum()).astype(np.float32)


def filter_with(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filters float32 (H, W, C) by (K, L), or (K,) if separable; mirrors borders."""
    if kernel.ndim == 1:
        return cv2.sepFilter2D(image, -1, kernel, kernel)
    return cv2.filter2D(image, -1, kernel)


def sharpen(image: np.ndarray, sigma: float, amount: float) -> np.ndarray:
    """Sharpens by an unsharp mask.

    Args:
        image: float32 (H, W, 3), as is the result, in [0, 255].
        sigma: Standard deviation of the blur, in pixels.
        amount: Height of the halos, in multiples of what the blur takes; 1 doubles the
            finest details.
    """
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return clip(cv2.addWeighted(image, 1 + amount, blurred, -amount, 0))


def add_noise(
    image: np.ndarray,
    strength: float,
    random: np.random.Generator,
    is_poisson: bool,
    is_grey: bool,
) -> np.ndarray:
    """Adds noise.

    Poisson's noise is drawn as a normal distribution of its variance, several times as
    fast. The two differ where a pixel counts few photons: below a grey level of 10.

    Args:
        image: float32 (H, W, 3), in [0, 255], as is the result.
        strength: Standard deviation in grey levels; of Poisson's noise, in multiples of
            the noise of 256 photons in a white pixel.
        random: Random number generator.
        is_poisson: Whether the deviation grows with the root of the pixel.
        is_grey: Whether the noise is that of the luma, equal in all channels.
    """
    height, width, channels = image.shape
    noise = random.standard_normal(
        (height, width, 1 if is_grey else channels), np.float32
    )
    noise *= np.float32(strength)
    if is_poisson:
        light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] if is_grey else image
        noise *= np.sqrt(np.maximum(light, 0))
    return clip(image + noise)


def clip(image: np.ndarray) -> np.ndarray:
    """Clips float32 pixels to [0, 255], in place."""
    return np.clip(image, 0, 255, out=image)


def compress_jpeg(
    image: np.ndarray, quality: int, subsampling: str = "4:2:0"
) -> np.ndarray:
    """Compresses an image as JPEG and decodes it, with the pixels of libjpeg.

    Takes uint8, or float32 in [0, 255], (H, W, 3), RGB; returns uint8 of that shape.
    The quality is from 1 to 100, the subsampling one of `SUBSAMPLINGS`.
    """
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLINGS[subsampling]
    return _code(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *sampling])


def compress_webp(image: np.ndarray, quality: int) -> np.ndarray:
    """Compresses an image as lossy WebP and decodes it; see `compress_jpeg`.

    No side may be longer than `MOST_WEBP`.
    """
    return _code(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])


def _code(ending, image, options):
    # OpenCV releases the interpreter's lock, which Pillow does not; its pixels are
    # the same.
    bgr = cv2.cvtColor(to_uint8(image), cv2.COLOR_RGB2BGR)
    _, stored = cv2.imencode(ending, bgr, options)
    return cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
