"""Reports of measurements: an HTML page, a CSV file and a JSON file."""

from typing import Any

BICUBIC = "bicubic"


def by_model(
    report: dict[str, Any], measured: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Names the results of one scale, `average` and `images`, by model: ours first."""
    return {report["model"]: measured} | {BICUBIC: measured[BICUBIC]}
