r"""What bfloat16 costs in quality: trains in both precisions, measures, compares.

    python benchmarks/precision.py --truth_path=HR --validate_input_path=LR \
        --validate_truth_path=HR --output_path=precision.json

For each seed one small EUSR is trained in float32 and one in bfloat16, on the same
batches from the same weights. The first is also measured with its network run in
bfloat16. Without any path it takes the demo's photographs. All of it is done by
train.py and validate.py, as a user would.
"""

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benchmarks.rows import align  # noqa: E402
from console import app  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.files import check_target, written_whole  # noqa: E402
from console.progress import say  # noqa: E402
from console.settings import PathName, Settings, option  # noqa: E402

# What is compared: from a name to the precision of the training and of the measuring.
# All else is compared with the first.
WAYS = {
    "float32": ("float32", "float32"),
    "run_in_bfloat16": ("float32", "bfloat16"),
    "trained_in_bfloat16": ("bfloat16", "bfloat16"),
}
TITLES = ("scale", "seed", "float32", "run in bfloat16", "trained in bfloat16")


@dataclasses.dataclass(frozen=True)
class ExperimentSettings(Settings):
    """What is trained and measured."""

    truth_path: PathName | None = option(
        None, "HR images to train on; the demo's photographs if not given."
    )
    input_path: PathName | None = option(
        None, "Their LR images; made from HR if not given."
    )
    validate_truth_path: PathName | None = option(None, "HR images to measure on.")
    validate_input_path: PathName | None = option(
        None, "Their LR images; made from HR if not given."
    )
    output_path: PathName | None = option(None, "JSON file for all numbers.")
    cuda_device: str = option("0", "GPU to run on; -1 for the CPU.")
    seeds: int = option(3, "How often to train in each precision.")
    steps: int = option(2000, "Steps of each training.")
    scales: tuple[int, ...] = option((2, 4), "Scales to train and to measure.")
    batch_size: int = option(8, "Patches in a training step.")
    input_patch_size: int = option(24, "Side of the LR patches, in LR pixels.")
    features: int = option(24, "Channels of the network's inner convolutions.")
    shared_blocks: int = option(4, "Local residual blocks in the shared part.")
    learning_rate: float = option(1e-3, "At the first step; falls to zero.")

    def check(self):
        """See `Settings.check`: some paths are of no use without others."""
        needed = ("truth_path", "validate_truth_path")
        given = (*needed, "input_path", "validate_input_path")
        missing = [f"--{name}" for name in needed if getattr(self, name) is None]
        if missing and any(getattr(self, name) is not None for name in given):
            raise InputError(f"{' and '.join(missing)} must be given; see --helpshort.")


def main():
    """Trains, measures, prints a table, writes the numbers."""
    settings = ExperimentSettings.from_flags()
    if settings.output_path is not None:
        check_target(settings.output_path, "--output_path")
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(Path(folder), dict(vars(settings)))
        seeds = [experiment.run(seed) for seed in range(settings.seeds)]
    report = {"settings": experiment.settings(), "seeds": seeds}
    report["mean"] = average(seeds)
    say(f"\npsnr_y in dB, and what is lost beside float32\n\n{to_table(report)}")
    if settings.output_path is not None:
        with written_whole(settings.output_path) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")
        say(f"\nWrote {settings.output_path}")


class Experiment:
    """Trains and measures in one folder."""

    def __init__(self, folder, values):
        """Takes a folder to work in, and the values of the flags from their names."""
        self.folder, self.values = folder, values
        if values["truth_path"] is None:
            self._write_photographs()

    def settings(self):
        """What makes the numbers what they are, ready for JSON."""
        names = ("seeds", "steps", "scales", "batch_size", "input_patch_size")
        names += ("features", "shared_blocks", "learning_rate")
        return {name: self.values[name] for name in names}

    def run(self, seed):
        """Trains and measures with one seed.

        Returns:
            dict: From a name of `WAYS` and a scale, as text, to psnr_y in dB.
        """
        for precision in dict.fromkeys(trained for trained, _ in WAYS.values()):
            say(f"seed {seed}: training {self.values['steps']} steps in {precision}")
            self._train(seed, precision)
        results = {
            name: self._measure(self._run_folder(seed, trained), measured)
            for name, (trained, measured) in WAYS.items()
        }
        for name, psnr in results.items():
            values = "  ".join(f"x{scale} {psnr[scale]:.3f} dB" for scale in psnr)
            say(f"seed {seed}: {name}  {values}")
        return results

    def _write_photographs(self):
        """Takes the demo's photographs, as the demo does."""
        run("misc/sample_images.py", output_path=self.folder)
        names = (("train", ""), ("validate", "validate_"))
        for part, prefix in names:
            hr, lr = self.folder / part / "HR", self.folder / part / "LR"
            run(
                "misc/downscale_generator.py",
                input_path=hr,
                output_path=lr,
                scales=self._scales(),
            )
            self.values[f"{prefix}truth_path"] = hr
            self.values[f"{prefix}input_path"] = lr

    def _train(self, seed, precision):
        values = self.values
        run(
            "train.py",
            data_truth_path=values["truth_path"],
            data_input_path=values["input_path"],
            cache_path=self.folder / "cache",
            train_path=self._run_folder(seed, precision),
            seed=seed,
            precision=precision,
            max_steps=values["steps"],
            scales=self._scales(),
            batch_size=values["batch_size"],
            input_patch_size=values["input_patch_size"],
            cuda_device=values["cuda_device"],
            eusr_model_scales=self._scales(),
            eusr_conv_features=values["features"],
            eusr_shared_blocks=values["shared_blocks"],
            eusr_learning_rate=values["learning_rate"],
            eusr_learning_rate_schedule="cosine",
            eusr_learning_rate_decay_steps=values["steps"],
        )

    def _measure(self, run_folder, precision):
        """Measures a run; returns, from a scale as text, the mean psnr_y in dB."""
        report_path = self.folder / "report.json"
        run(
            "validate.py",
            data_truth_path=self.values["validate_truth_path"],
            data_input_path=self.values["validate_input_path"],
            restore_path=run_folder,
            precision=precision,
            scales=self._scales(),
            cuda_device=self.values["cuda_device"],
            report_path=report_path,
        )
        scales = json.loads(report_path.read_text())["scales"]
        return {scale: one["average"]["psnr_y"] for scale, one in scales.items()}

    def _run_folder(self, seed, precision):
        return self.folder / f"{precision}-{seed}"

    def _scales(self):
        return ",".join(map(str, self.values["scales"]))


def run(script, **values):
    """Runs a script with flags; those that are None are left out.

    Raises:
        InputError: It failed; with what it said.
    """
    arguments = [f"--{k}={v}" for k, v in values.items() if v is not None]
    command = [sys.executable, str(ROOT / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().removeprefix("Error: ")
        raise InputError(f"{script} failed: {said}")


def average(seeds):
    """The mean over the seeds.

    Args:
        seeds: list of what `Experiment.run` returns.

    Returns:
        dict: The same of the means, and under `loss` how far each way is below
        float32, in dB.
    """
    mean = {
        name: {
            scale: statistics.fmean(seed[name][scale] for seed in seeds)
            for scale in seeds[0][name]
        }
        for name in WAYS
    }
    first, *others = WAYS
    mean["loss"] = {
        name: {scale: mean[first][scale] - psnr for scale, psnr in mean[name].items()}
        for name in others
    }
    return mean


def to_table(report):
    """Writes a line for each scale and seed, and one for each scale's mean."""
    lines = [[*TITLES[:3], TITLES[3], "loss", TITLES[4], "loss"]]
    for scale in report["settings"]["scales"]:
        named = {**dict(enumerate(report["seeds"])), "mean": report["mean"]}
        for name, results in named.items():
            lines.append([f"x{scale}", str(name), *_cells(results, str(scale))])
    return align(lines, TITLES[:2])


def _cells(results, scale):
    """psnr_y of each way, behind all but the first what it lost."""
    first, *others = (results[name][scale] for name in WAYS)
    cells = [f"{first:.3f}"]
    for psnr in others:
        cells += [f"{psnr:.3f}", f"{first - psnr:+.3f}"]
    return cells


if __name__ == "__main__":
    app.run(main, (ExperimentSettings,))
