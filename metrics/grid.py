"""The regular grid that networks trained against a discriminator tend to draw.

It has a period of two or four pixels and shows as a peak in the spectrum (Odena,
Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016; Durall,
Keuper and Keuper, "Watch your up-convolution", CVPR 2020). The measure is the height of
this peak. It needs no truth, and complements NIQE, which a grid does not make worse.
"""

from collections.abc import Iterator

import numpy as np

from imaging.colour import to_y
from imaging.files import to_uint8

PERIODS = (2, 4)

# Longest and shortest window in pixels; the shorter ones are for small pictures.
WINDOW, LEAST_WINDOW = 128, 32
LEAST_SIDE = LEAST_WINDOW + 1

# Bins near a peak that show the power without a grid. The bins right beside the peak
# belong to it, because the window widens it.
BESIDE = np.array([-6, -5, -4, -3, -2, 2, 3, 4, 5, 6])

# Deviation, in grey levels, of the white noise whose power is added to that of the
# differences, so that a grid too faint to see does not count.
NOISE = 1.0


def grid(image: np.ndarray, shave: int = 0) -> float:
    """Measures the regular grid of a picture.

    The differences of neighbouring pixels of Y, along rows and along columns, are cut
    into Hann windows of 128 pixels that overlap by half. The power spectrum of each
    window is divided by its mean, so that flat places count as much as others, and all
    spectra of an axis are averaged. The power at the frequencies of the periods 2 and 4
    is divided by the power expected there: a parabola through the logarithm of the
    power at the bins around.

    Args:
        image: uint8 or float (H, W, 3), RGB in [0, 255]; rounded and clipped to uint8.
        shave: Pixels dropped at each border.

    Returns:
        The largest ratio over both axes and periods, lower is better: 1.0 to 1.2 for
        photographs, 1 for a flat picture. NaN if a side has less than 33 pixels.
    """
    inner = slice(shave, -shave or None)
    y = to_y(to_uint8(image)[inner, inner])
    window = min(WINDOW, (min(y.shape) - 1) // 4 * 4)
    if window < LEAST_WINDOW:
        return float("nan")
    return max(ratio for axis in (y, y.T) for ratio in _find_ratios(axis, window))


def _find_ratios(y: np.ndarray, window: int) -> Iterator[float]:
    """Yields the ratio of each period along the rows."""
    # All bins of the transform, so that those beyond the Nyquist frequency, which is
    # that of period 2, mirror those before it.
    power = np.log(_average_spectrum(y, window))
    for period in PERIODS:
        peak = window // period
        expected = np.polyfit(BESIDE, power[peak + BESIDE], 2)[-1]
        yield float(np.exp(power[peak] - expected))


def _average_spectrum(y: np.ndarray, window: int) -> np.ndarray:
    """Averages the normalized power spectra of all windows; float64 (window,)."""
    differences = np.diff(y, axis=1)
    weights = np.hanning(window + 1)[:-1]
    noise = NOISE**2 * np.sum(weights**2)
    spectra = []
    for start in range(0, differences.shape[1] - window + 1, window // 2):
        part = differences[:, start : start + window] * weights
        power = np.abs(np.fft.fft(part)) ** 2 + noise
        spectra.append(np.mean(power / power.mean(axis=1, keepdims=True), axis=0))
    return np.mean(spectra, axis=0)
