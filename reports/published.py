"""Published results, shown beside ours on the same images.

`published.csv` holds them as printed, and those of other programs as measured of their
pictures: a row for each method and scale, with the names of the data set's folder, its
number of images, the pixels dropped at each border (`shave`), and the source.
"""

import csv
import functools
from collections.abc import Sequence
from pathlib import Path

# Largest difference of bicubic's psnr_y from its known value, in dB. Rounding to 8 bits
# once instead of twice changes it by 0.005.
TOLERANCE = 0.01


@functools.cache
def _read():
    path = Path(__file__).with_name("published.csv")
    with open(path, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def find_data_set(truth_path: Path | str, count: int) -> str | None:
    """Recognises a data set by the name of its folder and the number of its images.

    The folder is that of the HR images, for example `Set5` or `Set5/HR`. None if the
    data set is unknown.
    """
    folders = {part.lower() for part in Path(truth_path).absolute().parts[-2:]}
    for row in _read():
        if folders & set(row["folders"].split()) and count == int(row["images"]):
            return row["data_set"]
    return None


def find_published(data_set: str | None, scale: int | str) -> list[dict[str, str]]:
    """Finds the rows of `published.csv` of a data set at a scale; none for None."""
    wanted = {"data_set": data_set, "scale": str(scale)}
    return [row for row in _read() if wanted.items() <= row.items()]


def list_warnings(
    results: Sequence[dict[str, str]], shave: int, bicubic_psnr_y: float
) -> list[str]:
    """Lists why our results are not comparable with those of `find_published`.

    Args:
        results: The published results.
        shave: HR pixels dropped at each border in our measurement.
        bicubic_psnr_y: psnr_y of bicubic in our measurement, in dB.
    """
    shaves = {int(result["shave"]) for result in results}
    warnings = [
        f"Not comparable: the published results drop {theirs} pixels at each border, "
        f"these results {shave}. Measure with --shave_size={theirs}."
        for theirs in sorted(shaves - {shave})
    ]
    for result in results:
        known = float(result["psnr_y"])
        # Bicubic is deterministic: another value means other images.
        is_bicubic = result["method"] == "bicubic" and int(result["shave"]) == shave
        if is_bicubic and not abs(bicubic_psnr_y - known) <= TOLERANCE:
            warnings.append(
                f"Not comparable: bicubic has {bicubic_psnr_y:.3f} dB here and "
                f"{known:.3f} dB as published. The images, or the downscaling of their "
                "low-resolution images, differ."
            )
    return warnings


def describe_indices(results: Sequence[dict[str, str]]) -> str | None:
    """Describes published perceptual indices, which are not measured; None if none."""
    known = [result for result in results if result["perceptual_index"]]
    indices = [f"{each['method']} {each['perceptual_index']}" for each in known]
    if not indices:
        return None
    return (
        f"Published perceptual indices (lower is better): {', '.join(indices)}. The "
        "index is the mean of NIQE and 10 minus Ma's score, which is not measured here."
    )
