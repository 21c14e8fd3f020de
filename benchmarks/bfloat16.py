"""What bfloat16 costs in quality: trains in both precisions, measures, compares.

With each seed one small EUSR is trained in float32 and one in bfloat16, on the same
batches from the same weights. The first is also measured with its network run in
bfloat16. All of it is done by train.py and validate.py, as a user would.
"""

import json
import shlex
import statistics
import tempfile
from pathlib import Path

from benchmarks.harness import run_script
from benchmarks.rows import Row

# Flags of the network and of its training.
SMALL = (
    *("--scales=2,4", "--eusr_model_scales=2,4", "--eusr_conv_features=24"),
    *("--eusr_shared_blocks=4", "--batch_size=8", "--input_patch_size=24"),
    *("--eusr_learning_rate=1e-3", "--eusr_learning_rate_schedule=cosine"),
)

# What is compared with the first: the precision of the training and of the measuring.
WAYS = {
    "float32": ("float32", "float32"),
    "run in bfloat16": ("float32", "bfloat16"),
    "trained in bfloat16": ("bfloat16", "bfloat16"),
}


def measure(settings):
    """psnr_y of each way at each scale, with each seed and the mean over the seeds."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        paths = settings.truth_path, settings.validate_truth_path
        if None in paths:
            run_script("misc/sample_images.py", output_path=folder)
            paths = [f"{folder}/{part}/HR" for part in ("train", "validate")]
        for seed in range(settings.seeds):
            runs = {
                precision: train(settings, folder, paths[0], seed, precision)
                for precision in ("float32", "bfloat16")
            }
            results = {
                way: validate(settings, runs[trained], paths[1], measured)
                for way, (trained, measured) in WAYS.items()
            }
            found.append(results)
            yield from to_rows(f"seed {seed}", [results])
    yield from to_rows("mean", found)


def train(settings, folder, truth_path, seed, precision):
    """Trains in one precision; returns the folder of the run."""
    run_folder = f"{folder}/{precision}-{seed}"
    run_script(
        "train.py",
        *(*SMALL, *shlex.split(settings.train_flags)),
        data_truth_path=truth_path,
        cache_path=f"{folder}/cache",
        train_path=run_folder,
        seed=seed,
        precision=precision,
        max_steps=settings.steps,
        cuda_device=settings.cuda_device,
        eusr_learning_rate_decay_steps=settings.steps,
    )
    return run_folder


def validate(settings, run_folder, truth_path, precision):
    """Measures a run; returns, from a scale as text, the mean psnr_y in dB."""
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
    return {scale: one["average"]["psnr_y"] for scale, one in scales.items()}


def to_rows(what, found):
    """The means of what some seeds came to, and what is lost beside float32, in dB."""
    for scale in found[0]["float32"]:
        means = {
            way: statistics.fmean(results[way][scale] for results in found)
            for way in WAYS
        }
        for way, psnr_y in means.items():
            loss = None if way == "float32" else means["float32"] - psnr_y
            yield Row(f"{what}, {way}", scale=int(scale), psnr_y=psnr_y, loss=loss)
