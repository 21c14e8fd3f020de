"""NIQE: the distance of a picture's statistics from those of natural pictures.

Mittal, Soundararajan and Bovik, "Making a completely blind image quality analyzer",
IEEE Signal Processing Letters, 2013. This code follows the authors' MATLAB code, on
BT.601 luma rounded to uint8, as PIRM 2018 measured super-resolution. Lower is better.
The authors' file of the statistics of natural pictures is not part of this project.
"""

import functools
import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import scipy.io
from scipy.special import gamma

from console.errors import InputError
from imaging.colour import to_y
from imaging.files import to_uint8
from imaging.imresize import imresize

# Side of a block in pixels; half of it at the second scale.
BLOCK = 96
WINDOW, SIGMA = 7, 7 / 6
SCALES = 2
FEATURES = 36

# Offsets, in rows and columns, of the neighbours that each pixel is multiplied with.
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))

_NAMES = ("mu_prisparam", "cov_prisparam"), ("mu_pris_param", "cov_pris_param")
# Errors that NumPy and SciPy raise for damaged files and files of another kind.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, scipy.io.matlab.MatReadError),
)
_SOURCES = "modelparameters.mat of the authors' release, or the same numbers as .npz"


class NIQE:
    """NIQE against one model of natural pictures."""

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        """Takes the mean, float64 (36,), and covariance (36, 36) of their features."""
        self.mean, self.covariance = mean, covariance

    @property
    def digest(self) -> str:
        """A short hash that identifies the model of natural pictures."""
        numbers = np.concatenate([self.mean, self.covariance.ravel()])
        return hashlib.sha256(numbers.tobytes()).hexdigest()[:8]

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads the model from a `.mat` or `.npz` file with a pair of `_NAMES`.

        Raises:
            InputError: The file is missing or does not hold the model.
        """
        path = Path(path)
        named = f"--niqe_model_path={path}"
        if not path.is_file():
            found = "is a folder" if path.exists() else "no such file"
            raise InputError(f"{named}: {found}; expected {_SOURCES}.")
        try:
            if path.suffix == ".npz":
                with np.load(path) as file:
                    values = dict(file)
            else:
                values = scipy.io.loadmat(path)
        except _UNREADABLE:
            raise InputError(f"{named}: cannot be read; expected {_SOURCES}.") from None
        for names in _NAMES:
            if set(names) <= set(values):
                mean, covariance = (np.asarray(values[name]) for name in names)
                if mean.size == FEATURES and covariance.shape == (FEATURES, FEATURES):
                    model = [_to_numbers(x, named) for x in (mean, covariance)]
                    return cls(model[0].reshape(-1), model[1])
        found = ", ".join(sorted(name for name in values if name[:2] != "__"))
        raise InputError(f"{named}: holds {found or 'nothing'}; expected {_SOURCES}.")

    def __call__(self, image: np.ndarray, shave: int = 0) -> float:
        """Measures one picture.

        Args:
            image: uint8 or float (H, W, 3), RGB in [0, 255]; rounded and clipped to
                uint8. Pixels beyond the last whole block of 96 x 96 are ignored.
            shave: Pixels dropped at each border.

        Returns:
            NIQE, lower is better; NaN for a flat picture.

        Raises:
            InputError: The picture has fewer than two blocks.
        """
        inner = slice(shave, -shave or None)
        grey = to_uint8(to_y(to_uint8(image)[inner, inner])).astype(np.float64)
        if not is_large_enough(grey.shape):
            raise InputError(
                f"{grey.shape[1]}x{grey.shape[0]} pixels are too few for NIQE; "
                f"expected at least two blocks of {BLOCK}x{BLOCK}."
            )
        height, width = (length // BLOCK * BLOCK for length in grey.shape)
        features = compute_features(grey[:height, :width])
        whole = features[~np.isnan(features).any(axis=1)]
        if len(whole) < 2:
            return float("nan")
        # Like MATLAB: nanmean skips single values, nancov whole rows.
        difference = self.mean - np.nanmean(features, axis=0)
        covariance = (self.covariance + np.cov(whole, rowvar=False)) / 2
        return float(np.sqrt(difference @ np.linalg.pinv(covariance) @ difference))


def _to_numbers(values, named):
    """Converts real, finite numbers to float64."""
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise InputError(
            f"{named}: holds values that are not finite numbers; expected {_SOURCES}."
        )
    return values.astype(float)


def is_large_enough(size: Sequence[int]) -> bool:
    """Whether a picture of (height, width), without borders, has two blocks."""
    return (size[0] // BLOCK) * (size[1] // BLOCK) >= 2


def compute_features(grey: np.ndarray) -> np.ndarray:
    """Computes the features of every block.

    Args:
        grey: float64 (H, W), in [0, 255], both sides multiples of 96.

    Returns:
        float64 (blocks, 36); NaN for flat blocks.
    """
    features = []
    for scale in range(SCALES):
        if scale:
            grey = imresize(grey, 0.5)
        side = BLOCK >> scale
        rows, columns = grey.shape[0] // side, grey.shape[1] // side
        blocks = _normalize(grey).reshape(rows, side, columns, side)
        features.append(_fit_blocks(blocks.swapaxes(1, 2).reshape(-1, side, side)))
    return np.concatenate(features, axis=1)


def _normalize(grey):
    """Subtracts the local mean and divides by the local deviation plus one."""
    window = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)

    def blur(x):
        return cv2.sepFilter2D(
            x, cv2.CV_64F, window, window, borderType=cv2.BORDER_REPLICATE
        )

    mean = blur(grey)
    return (grey - mean) / (np.sqrt(np.abs(blur(grey * grey) - mean * mean)) + 1)


def _fit_blocks(blocks):
    """The 18 features of blocks (N, S, S) of normalised values."""
    flat = blocks.reshape(len(blocks), -1)
    shape, left, right = _fit(flat)
    features = [shape, (left + right) / 2]
    for shift in SHIFTS:
        moved = np.roll(blocks, shift, axis=(1, 2)).reshape(flat.shape)
        shape, left, right = _fit(flat * moved)
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)
        features += [shape, mean, left, right]
    return np.stack(features, axis=1)


@functools.cache
def _table():
    """Shapes of an asymmetric generalised Gaussian and the ratio of moments of each."""
    shapes = np.arange(0.2, 10.0005, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _fit(values):
    """Fits an asymmetric generalised Gaussian to each row (N, M), by its moments.

    Returns shape, left and right scale, (N,) each; NaN for rows without positive or
    without negative values.
    """
    squares = values * values
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt((squares * side).sum(axis=1) / side.sum(axis=1))
            for side in (values < 0, values > 0)
        )
        ratio = left / right
        moments = np.abs(values).mean(axis=1) ** 2 / squares.mean(axis=1)
        moments *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, known = _table()
    # The ratio grows with the shape, so the nearest entry is one of two neighbours.
    above = np.clip(np.searchsorted(known, moments), 1, len(known) - 1)
    is_lower = np.abs(known[above - 1] - moments) <= np.abs(known[above] - moments)
    shape = np.where(np.isfinite(moments), shapes[above - is_lower], np.nan)
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * width, right * width
