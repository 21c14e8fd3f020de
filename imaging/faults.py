"""Finds the faults of photographs: strong compression, noise.

The thresholds leave alone all pictures of B100, Kodak24 and others that have few
faults; `docs/details.md` has the rates. They are for pictures in their own pixels: an
enlarged picture hides its noise and its blocks.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from console.errors import name_some
from console.progress import say, to_line
from imaging.decoding import opened
from imaging.files import to_rgb

# What may help; `tell` ends with it.
ADVICE = (
    "Weights for clean pictures enlarge such faults, too; --restore_path="
    "pretrained/photo takes others, which smooth them (x2 and x4)."
)
LEAST_QUALITY = 60
# Sum of the luma table of a JPEG of quality 50, which quality scales (ITU T.81, K.1).
TABLE_SUM = 3688

# Longest side of the middle part of a picture that is looked at, which keeps it fast.
SIDE = 1024
# Shorter sides have too few blocks to tell noise from texture.
LEAST_SIDE = 96
BLOCK = 8
# Noise of the quietest of BLOCK x BLOCK blocks, in grey levels; clean pictures have
# some quiet blocks. Texture has little colour.
QUIET_PERCENTILE, MOST_NOISE, MOST_COLOUR_NOISE = 2, 6.6, 1.8
# Excess of the steps between the blocks of a JPEG over other steps, in grey levels.
MOST_STEP, LARGEST_STEP = 1.2, 8
# White and black clip noise.
LEAST_GREY, MOST_GREY = 24, 231

_JPEG = b"\xff\xd8"
# Immerkaer's: blind to all but the finest details, and keeps white noise as it is.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6


def find_faults(path: Path | str, pixels: np.ndarray) -> list[str]:
    """Names the faults of a picture, given its file and its pixels.

    `pixels` are uint8 or uint16 (H, W, 1) or (H, W, 3).
    """
    quality = read_quality(path)
    faults = []
    if quality is not None and quality < LEAST_QUALITY:
        faults.append(f"JPEG of quality {quality}")
    if min(pixels.shape[:2]) < LEAST_SIDE:
        return faults
    rows, columns = (
        slice(max(0, length - SIDE) // 2, (length + min(length, SIDE)) // 2)
        for length in pixels.shape[:2]
    )
    part = cv2.cvtColor(to_rgb(pixels[rows, columns]), cv2.COLOR_RGB2YCrCb)
    luma, chroma = part[..., 0].astype(np.float32), part[..., 1].astype(np.float32)
    if not faults and measure_steps(luma) > MOST_STEP:
        faults.append("blocks of a JPEG")
    # Noise that was enlarged or blurred is seen at half the size.
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    noise = max(measure_noise(luma, luma), measure_noise(half, half))
    if noise > MOST_NOISE or measure_noise(chroma, luma) > MOST_COLOUR_NOISE:
        faults.append("noise")
    return faults


def tell(found: Mapping[Path, list[str]]) -> None:
    """Says which pictures have faults, in one line; nothing if none has."""
    found = {path: faults for path, faults in found.items() if faults}
    if found:
        names = name_some([f"{p} ({', '.join(f)})" for p, f in found.items()], 3)
        verb = "looks" if len(found) == 1 else "look"
        say(to_line(f"{names} {verb} degraded. {ADVICE}"))


def read_quality(path: Path | str) -> int | None:
    """Estimates the quality of a JPEG by its luma table; None for other formats.

    Below 20, the estimate is too high, because the numbers of a table end at 255.
    """
    with open(path, "rb") as file:
        if file.read(len(_JPEG)) != _JPEG:
            return None
    with opened(path) as image:
        tables = image.quantization  # type: ignore[attr-defined]
    percent = 100 * sum(tables[min(tables)]) / TABLE_SUM
    quality = 5000 / percent if percent > 100 else (200 - percent) / 2
    return round(min(100, max(1, quality)))


def measure_noise(plane: np.ndarray, luma: np.ndarray) -> float:
    """Measures the standard deviation of the finest details where there are fewest.

    `plane` is luma or chroma, float32 (H, W) as `luma`, which says where it is light.
    """
    height, width = (length // BLOCK * BLOCK for length in plane.shape)
    size = width // BLOCK, height // BLOCK

    def average(values):
        return cv2.resize(values[:height, :width], size, interpolation=cv2.INTER_AREA)

    fine = cv2.filter2D(plane, -1, _MASK)
    noise, grey = np.sqrt(average(fine * fine)), average(luma)
    is_between = (grey > LEAST_GREY) & (grey < MOST_GREY)
    noise = noise[is_between] if is_between.mean() > 0.1 else noise
    return float(np.percentile(noise, QUIET_PERCENTILE))


def measure_steps(luma: np.ndarray) -> float:
    """Measures the excess of the steps at each 8th pixel, in grey levels.

    The grid may begin anywhere. A JPEG has it in both directions, and a picture with
    stripes in one.
    """
    excesses = []
    for plane in (luma, luma.T):
        step = np.diff(plane, axis=1)
        bend = np.abs(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2)
        columns = np.minimum(bend, LARGEST_STEP).mean(axis=0)
        phases = np.array([columns[start::8].mean() for start in range(8)])
        excesses.append(phases.max() - np.median(np.sort(phases)[:-1]))
    return float(min(excesses))
