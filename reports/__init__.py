"""What a measurement leaves behind: a page, a table, numbers for programs."""

BICUBIC = "bicubic"


def by_model(report, measured):
    """What was found of each model at one scale.

    Args:
        report: As `validate.py` makes it.
        measured: One of its scales.

    Returns:
        dict: From a model's name, ours first, to its `average` and `images`.
    """
    return {report["model"]: measured} | {BICUBIC: measured[BICUBIC]}
