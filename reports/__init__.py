"""Reports of measurements: an HTML page, a CSV file and a JSON file."""

from typing import Any

BICUBIC = "bicubic"


def by_model(
    report: dict[str, Any], measured: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Returns the results of each model at one scale.

    Args:
        report: The report of `validate.py`.
        measured: The results of one scale.

    Returns:
        From a model's name, ours first, to its `average` and `images`.
    """
    return {report["model"]: measured} | {BICUBIC: measured[BICUBIC]}
