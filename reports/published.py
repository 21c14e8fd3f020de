"""Numbers that others published, to be shown beside ours on the same images.

They stand in `published.csv`, as they were printed: a row for each method and scale,
with the names that the data set's folder goes by, how many images it has, how many
pixels were dropped at each border (`shave`), and where the numbers were published.
"""

import csv
import functools
from pathlib import Path

# By how much bicubic's psnr_y may differ from what is known, in dB: rounding to 8 bits
# once or twice makes 0.005.
TOLERANCE = 0.01


@functools.cache
def _read():
    path = Path(__file__).with_name("published.csv")
    with open(path, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def find_data_set(truth_path, count):
    """Recognises a data set by the name of its folder and the number of its images.

    Args:
        truth_path: Folder of the HR images, `Set5` or `Set5/HR`, say.
        count: How many images were measured.

    Returns:
        str: Its name; None for one that is not known.
    """
    folders = {part.lower() for part in Path(truth_path).absolute().parts[-2:]}
    for row in _read():
        if folders & set(row["folders"].split()) and count == int(row["images"]):
            return row["data_set"]
    return None


def find_published(data_set, scale):
    """What was published of a data set at a scale.

    Args:
        data_set: Its name; None for none.
        scale: Upscaling factor.

    Returns:
        list of dict: Rows of `published.csv`; values are str, empty where there is
        none.
    """
    wanted = {"data_set": data_set, "scale": str(scale)}
    return [row for row in _read() if wanted.items() <= row.items()]


def list_warnings(results, shave, bicubic_psnr_y):
    """Why ours might not be compared with what was published.

    Args:
        results: As of `find_published`.
        shave: HR pixels dropped at each border here.
        bicubic_psnr_y: What was measured of bicubic here, in dB.

    Returns:
        list of str.
    """
    shaves = {int(result["shave"]) for result in results}
    warnings = [
        f"Not comparable: the published numbers leave out {theirs} pixels at each "
        f"border, these {shave}. --shave_size={theirs} measures as they did."
        for theirs in sorted(shaves - {shave})
    ]
    for result in results:
        known = float(result["psnr_y"])
        # Bicubic needs no training, so that it has its known value or is another's.
        is_bicubic = result["method"] == "bicubic" and int(result["shave"]) == shave
        if is_bicubic and not abs(bicubic_psnr_y - known) <= TOLERANCE:
            warnings.append(
                f"Not comparable: bicubic has {bicubic_psnr_y:.3f} dB here and "
                f"{known:.3f} dB as published, so other images were measured, or their "
                "low-resolution images were made in another way."
            )
    return warnings


def describe_indices(results):
    """The perceptual index, which is not measured here; None where none is known."""
    indices = [
        f"{result['method']} {result['perceptual_index']}"
        for result in results
        if result["perceptual_index"]
    ]
    if not indices:
        return None
    return (
        f"The perceptual index, as published (lower is better): {', '.join(indices)}. "
        "It is the mean of NIQE and 10 less Ma's score, which is not measured here."
    )
