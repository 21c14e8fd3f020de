"""Measures the loss of quality by bfloat16.

For each seed, a small EUSR is trained in float32 and another in bfloat16, on the same
batches from the same initial weights. The first is also measured in bfloat16. The
benchmark calls train.py and validate.py, as a user would.
"""

import json
import shlex
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.harness import BenchmarkSettings, run_script
from benchmarks.rows import Row

# Flags of the network and of its training.
SMALL = (
    *("--scales=2,4", "--eusr_model_scales=2,4", "--eusr_conv_features=24"),
    *("--eusr_shared_blocks=4", "--batch_size=8", "--input_patch_size=24"),
    *("--eusr_learning_rate=1e-3", "--eusr_learning_rate_schedule=cosine"),
)

# Precisions of the training and of the measurement; the others are compared with the
# first.
WAYS = {
    "float32": ("float32", "float32"),
    "run in bfloat16": ("float32", "bfloat16"),
    "trained in bfloat16": ("bfloat16", "bfloat16"),
}


def measure(settings: BenchmarkSettings) -> Iterator[Row]:
    """Measures psnr_y at each scale, for each seed and on average."""
    found: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        paths: list[str] = [settings.truth_path, settings.validate_truth_path]
        if None in paths:
            run_script("misc/sample_images.py", output_path=folder)
            paths = [f"{folder}/{part}/HR" for part in ("train", "validate")]
        for seed in range(settings.seeds):
            for precision in ("float32", "bfloat16"):
                run_script(
                    "train.py",
                    *(*SMALL, *shlex.split(settings.train_flags)),
                    data_truth_path=paths[0],
                    cache_path=f"{folder}/cache",
                    train_path=f"{folder}/{precision}-{seed}",
                    seed=seed,
                    precision=precision,
                    max_steps=settings.steps,
                    cuda_device=settings.cuda_device,
                    eusr_learning_rate_decay_steps=settings.steps,
                )
            results = {
                way: validate(
                    settings, f"{folder}/{trained}-{seed}", paths[1], measured
                )
                for way, (trained, measured) in WAYS.items()
            }
            found.append(results)
            yield from to_rows(f"seed {seed}", [results])
    yield from to_rows("mean", found)


def validate(
    settings: BenchmarkSettings, run_folder: str, truth_path: str, precision: str
) -> dict[str, float]:
    """Measures a run; returns the mean psnr_y in dB for each scale, a text."""
    report_path = Path(f"{run_folder}-{precision}.json")
    run_script(
        "validate.py",
        *shlex.split(settings.validate_flags),
        data_truth_path=truth_path,
        restore_path=run_folder,
        precision=precision,
        cuda_device=settings.cuda_device,
        report_path=report_path,
    )
    scales = json.loads(report_path.read_text())["scales"]
    return {scale: found["average"]["psnr_y"] for scale, found in scales.items()}


def to_rows(
    what: str, found: Sequence[Mapping[str, Mapping[str, float]]]
) -> Iterator[Row]:
    """Averages the results of some seeds, and computes the loss by bfloat16 in dB."""
    for scale in found[0]["float32"]:
        means = {
            way: statistics.fmean(results[way][scale] for results in found)
            for way in WAYS
        }
        for way, psnr_y in means.items():
            loss = None if way == "float32" else means["float32"] - psnr_y
            yield Row(f"{what}, {way}", scale=int(scale), psnr_y=psnr_y, loss=loss)
