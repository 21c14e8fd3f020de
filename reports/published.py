"""Numbers that others published, to be shown beside ours on the same images."""

import dataclasses
from pathlib import Path

PAPER = "arXiv 1809.04789"
# By how much bicubic's psnr_y may differ from what is known, in dB: rounding to 8 bits
# once or twice makes 0.005.
TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Published:
    """What was published of one method at one scale.

    Attributes:
        method: Its name.
        scale: Upscaling factor.
        shave: HR pixels that were dropped at each border.
        values: From a metric to its value, as it was printed, a str.
        source: Where it stands.
        perceptual_index: PIRM's, as it was printed; None for none.
    """

    method: str
    scale: int
    shave: int
    values: dict
    source: str
    perceptual_index: str | None = None


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A set of images that numbers were published of.

    Attributes:
        name: As people call it.
        folders: Names that its folder goes by, in small letters.
        count: How many images it has.
        results: tuple of Published.
    """

    name: str
    folders: tuple
    count: int
    results: tuple


_KNOWN = "known value of MATLAB's bicubic on 8-bit images"
DATA_SETS = (
    DataSet(
        "BSD100",
        ("b100", "bsd100", "bsds100"),
        100,
        tuple(
            Published(name, 4, 4, {"psnr_y": psnr, "ssim_y": ssim}, PAPER, index)
            for name, psnr, ssim, index in (
                ("bicubic", "25.957", "0.669", "6.995"),
                ("EUSR", "27.674", "0.740", "5.307"),
                ("4PP-EUSR (PIRM version)", "26.569", "0.688", "2.683"),
            )
        ),
    ),
    DataSet(
        "Set5",
        ("set5",),
        5,
        tuple(
            Published("bicubic", scale, scale, {"psnr_y": psnr}, _KNOWN)
            for scale, psnr in ((2, "33.673"), (4, "28.429"), (8, "24.397"))
        ),
    ),
)


def find_data_set(truth_path, count):
    """Recognises a data set by the name of its folder and the number of its images.

    Args:
        truth_path: Folder of the HR images, `Set5` or `Set5/HR`, say.
        count: How many images were measured.

    Returns:
        DataSet; None for one that is not known.
    """
    folders = {part.lower() for part in Path(truth_path).absolute().parts[-2:]}
    for data_set in DATA_SETS:
        if folders & set(data_set.folders) and count == data_set.count:
            return data_set
    return None


def find_published(data_set, scale):
    """What was published of a data set (None for none) at a scale, a list."""
    results = data_set.results if data_set is not None else ()
    return [result for result in results if result.scale == scale]


def list_warnings(results, shave, bicubic_psnr_y):
    """Why ours might not be compared with what was published.

    Args:
        results: list of Published, of one scale.
        shave: HR pixels dropped at each border here.
        bicubic_psnr_y: What was measured of bicubic here, in dB.

    Returns:
        list of str.
    """
    warnings = []
    for theirs in sorted({result.shave for result in results} - {shave}):
        warnings.append(
            f"Not comparable: the published numbers leave out {theirs} pixels at each "
            f"border, these {shave}. --shave_size={theirs} measures as they did."
        )
    for result in results:
        if result.method == "bicubic" and result.shave == shave:
            warnings += _check_bicubic(result, bicubic_psnr_y)
    return warnings


def _check_bicubic(result, psnr_y):
    """Whether bicubic, which needs no training, has its known value here."""
    known = float(result.values["psnr_y"])
    if abs(psnr_y - known) <= TOLERANCE:
        return []
    return [
        f"Not comparable: bicubic has {psnr_y:.3f} dB here and {known:.3f} dB as "
        "published, so other images were measured, or their low-resolution images "
        "were made in another way."
    ]


def describe_indices(results):
    """The perceptual index, which is not measured here; None where none is known."""
    indices = [
        f"{r.method} {r.perceptual_index}" for r in results if r.perceptual_index
    ]
    if not indices:
        return None
    return (
        f"The perceptual index, as published (lower is better): {', '.join(indices)}. "
        "It is the mean of NIQE and 10 less Ma's score, which is not measured here."
    )
