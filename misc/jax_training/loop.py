"""The training loop under JAX: to a step or to a deadline, on all local devices."""

import collections
import concurrent.futures
import dataclasses
import sys
import time
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from console.errors import InputError, name_some
from console.files import written_whole
from console.flags import define_count, from_flags
from console.progress import say, to_clock
from misc.jax_training import archives
from training.ahead import Ahead
from training.options import RunLength
from training.stopping import StopRequest

# Calls that may be under way on the device: one computes while the next one waits.
IN_FLIGHT = 2
# Calls that are timed at each scale before the training, the first one to warm up;
# fewer where a call takes long.
TIMED, TIMED_SECONDS = 4, 1.0
WORKERS = 4


@dataclasses.dataclass(frozen=True)
class Settings(RunLength):
    """How long, how often, and how it is stored.

    Attributes:
        max_seconds: Seconds in all, those of earlier starts included; None for any.
        save_seconds: Seconds between two saves; None for none but those by step.
        steps_per_call: Steps of one scale that are handed to the device at once.
        half_precision: Whether files hold 16 bits.
        max_file_megabytes: Of a file; None for any.
    """

    max_seconds: int | None = None
    save_seconds: int | None = None
    steps_per_call: int = 1
    half_precision: bool = False
    max_file_megabytes: int | None = None

    @classmethod
    def define_flags(cls):
        """Declares the flags of the same names, but for the switch."""
        super().define_flags()
        define_count(
            "max_seconds",
            cls.max_seconds,
            "Seconds to train at most, compilation included. The schedule 'cosine' "
            "then follows the share of them that is spent, so that the learning rate "
            "ends at zero however fast the device is.",
        )
        define_count("save_seconds", cls.save_seconds, "Seconds between two saves.")
        define_count(
            "steps_per_call",
            cls.steps_per_call,
            "Steps of one scale that are handed to the device at once: faster where a "
            "step is short.",
        )
        define_count(
            "max_file_megabytes",
            cls.max_file_megabytes,
            "Cut files that are larger into numbered pieces.",
        )

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags."""
        return from_flags(cls)


class Loop:
    """One start of a run."""

    def __init__(self, stepper, state, loader, folder, settings, arguments):
        """Takes what is trained; nothing is compiled yet.

        Args:
            stepper: `misc.jax_training.steps.Stepper`.
            state: Nested dicts of arrays, on the host or a device.
            loader: A `dataloaders.paired.PairedLoader`, prepared.
            folder: The run's.
            settings: `Settings`.
            arguments: What the run was started with, for its files.
        """
        self.stepper, self.loader, self.settings = stepper, loader, settings
        self.folder, self.arguments = Path(folder), arguments
        self.state = stepper.place(state)
        self.steps_of_scale = {}
        self.saved = None

    def run(self, step, seconds=0.0, validation=None, rows=()):
        """Trains until the last step, the deadline or a signal.

        Args:
            step: Steps done before.
            seconds: Spent on them.
            validation: `misc.jax_training.validation.Validation`; None for none.
            rows: Of the log so far, dicts.

        Returns:
            None, or the exit status that a signal asks for.
        """
        self.start = time.monotonic() - seconds
        self.last_save, self.step, self.rows = self.seconds(), step, list(rows)
        self.validation, self.validated = validation, None
        unit, end = self.settings.steps_per_call, self.settings.max_steps
        with (
            StopRequest() as stop,
            Ahead(self._make, step // unit, -(-end // unit), WORKERS) as batches,
            tqdm(
                initial=step,
                total=end,
                unit="step",
                dynamic_ncols=True,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            self._compile()
            self._train(batches, stop, bar)
            self._validate(wait=True)
            self.save()
        if stop.signal is not None and not self._is_over():
            say(
                f"Stopped by {stop.signal.name} after step {self.step}; the same "
                "command goes on from there."
            )
            return 128 + stop.signal
        return None

    def seconds(self):
        """Seconds since the run began, earlier starts included."""
        return time.monotonic() - self.start

    def _is_over(self):
        most = self.settings.max_seconds
        is_late = most is not None and self.seconds() >= most
        return is_late or self.step >= self.settings.max_steps

    def _make(self, index):
        """Draws the batches of one call, on the devices: scale, lr, hr."""
        unit = self.settings.steps_per_call
        first = index * unit
        scale = self.loader.scale_of(first)
        return scale, *self._place(range(first, first + unit), scale)

    def _place(self, steps, scale):
        """Draws the batches of some steps: lr and hr, on the devices."""
        drawn = [self.loader.draw_patches(step, scale) for step in steps]
        kinds = zip(*drawn, strict=True)
        return [self.stepper.place_batch(np.stack(patches)) for patches in kinds]

    def _compile(self):
        """Compiles the step of each scale, all at once, and says how long it takes."""
        steps = range(self.settings.steps_per_call)
        batches = {scale: self._place(steps, scale) for scale in self.loader.scales}

        def compile_one(scale):
            start = time.monotonic()
            lowered = self.stepper.lower(scale, self.state, *batches[scale])
            compiled = lowered.compile()
            return compiled, _count_work(lowered), time.monotonic() - start

        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = dict(zip(batches, pool.map(compile_one, batches), strict=True))
        for scale, (compiled, work, seconds) in found.items():
            self.steps_of_scale[scale] = compiled
            each = self._time(compiled, batches[scale]) / len(steps)
            rate = f", {work / each / 1e12:.3g} TFLOP/s" if work else ""
            text = f"x{scale}: {each * 1e3:.2f} ms a step{rate}"
            say(f"{text}; compiled in {seconds:.0f} s")

    def _time(self, compiled, batch):
        """Seconds of a call, on a copy of the state."""
        state = jax.tree.map(lambda array: array.copy(), self.state)
        times = []
        while len(times) < TIMED and sum(times) < TIMED_SECONDS:
            start = time.monotonic()
            state, values = compiled(state, *batch, np.int32(0), np.float32(0))
            jax.block_until_ready((state, values))
            times.append(time.monotonic() - start)
        return min(times)

    def _train(self, batches, stop, bar):
        unit, flying = self.settings.steps_per_call, collections.deque()
        logged, since, waited = self.step, time.monotonic(), batches.waited
        while not self._is_over() and stop.signal is None:
            scale, lr, hr = batches.get()
            before, share = self.step, np.float32(self._share())
            self.state, values = self.steps_of_scale[scale](
                self.state, lr, hr, np.int32(before), share
            )
            self.step += unit
            bar.update(unit)
            flying.append(values["loss"])
            if len(flying) > IN_FLIGHT:
                flying.popleft().block_until_ready()
            if self._is_due(before, self.settings.log_freq) or self._is_over():
                values = {name: float(value) for name, value in values.items()}
                self._check_finite()
                spent = time.monotonic() - since
                self._log(
                    scale,
                    values,
                    spent / (self.step - logged),
                    (batches.waited - waited) / spent,
                )
                logged, since, waited = self.step, time.monotonic(), batches.waited
            self._save_if_due(before)
            if self._is_due(before, self.settings.validate_freq):
                self._validate()
            self._collect()

    def _share(self):
        """How much of the rate's fall is done; -1 where it follows the step."""
        most = self.settings.max_seconds
        return -1.0 if most is None else min(self.seconds() / most, 1.0)

    def _is_due(self, before, every):
        return self.step // every > before // every

    def _save_if_due(self, before):
        every = self.settings.save_seconds
        is_late = every is not None and self.seconds() - self.last_save >= every
        if is_late or self._is_due(before, self.settings.save_freq):
            self.save()

    def _log(self, scale, values, each, waiting):
        # JAX sorts what is in a dict.
        values = {"loss": values.pop("loss")} | values
        row = {"step": self.step, "scale": scale, "seconds": self.seconds()}
        self.rows.append(
            row | {"step_seconds": each, "waiting_share": waiting} | values
        )
        numbers = "  ".join(
            f"{name} {value:.4f}"
            for name, value in values.items()
            if "/" not in name and name != "learning_rate"
        )
        left = (self.settings.max_steps - self.step) * each
        if self.settings.max_seconds is not None:
            left = min(left, max(self.settings.max_seconds - self.seconds(), 0.0))
        say(
            f"step {self.step}/{self.settings.max_steps}  x{scale}  {numbers}  "
            f"{each:.4f} s/step  {waiting:.1%} waiting  {to_clock(left)} left"
        )

    def _check_finite(self):
        """Stops a run of which a step was not finite.

        Raises:
            InputError: With what is needed to look into it. Such a step changed no
                weight.
        """
        step = int(self.state["first_bad_step"])
        if step < 0:
            return
        unit = self.settings.steps_per_call
        batch = self.loader.batch(step, self.loader.scale_of(step // unit * unit))
        steps = [
            s for s in archives.list_steps(self.folder, archives.STATE) if s <= step
        ]
        raise InputError(
            f"the loss or a gradient of step {step + 1} (x{batch.scale}, images "
            f"{name_some(batch.names, 99)}) is not finite. The last good files are "
            f"those of step {steps[-1] if steps else 'none'}. Lower the learning rate, "
            "or give --gradient_clip_norm."
        )

    def save(self):
        """Writes the files of the present step."""
        self._check_finite()
        if self.saved == self.step:
            return
        settings = self.settings
        most = settings.max_file_megabytes
        seconds = np.float64(self.seconds())
        (first, *_) = archives.write_run(
            self.folder,
            self.step,
            jax.device_get(self.state) | {"seconds": seconds},
            self.arguments,
            settings.half_precision,
            most and most * 1_000_000,
        )
        write_log(self.folder / LOG, self.rows)
        archives.remove_old(self.folder, settings.save_max_keep)
        self.saved, self.last_save = self.step, self.seconds()
        say(f"Saved {first}")

    def _validate(self, wait=False):
        """Measures the weights, averaged where they are; collects what is done."""
        if self.validation is None:
            return
        self._collect(wait=True)
        if self.validated != self.step:
            self.validated = self.step
            weights = self.state.get("ema", self.state["generator"])
            self.validation.begin(self.step, weights)
        self._collect(wait)

    def _collect(self, wait=False):
        found = self.validation and self.validation.collect(wait)
        if not found:
            return
        step, values = found
        row = {"step": step, "seconds": self.seconds()}
        self.rows.append(row | {f"psnr_y_x{s}": value for s, value in values.items()})
        text = "  ".join(f"x{scale} {value:.3f}" for scale, value in values.items())
        say(f"validated at step {step}  psnr_y {text}")


LOG = "log.csv"


def write_log(path, rows):
    """Writes rows as CSV, whole or not at all; a column is there if a row has it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names] + [[row.get(name, "") for name in names] for row in rows]
    text = "".join(f"{','.join(map(_to_text, line))}\n" for line in lines)
    with written_whole(path) as aside:
        aside.write_text(text)


def _to_text(value):
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def read_log(path, step):
    """Reads the rows of a log up to a step; none where there is no log."""
    path = Path(path)
    if not path.is_file():
        return []
    names, *lines = (line.split(",") for line in path.read_text().splitlines())
    rows = []
    for line in lines:
        cells = zip(names, line, strict=True)
        row = {n: float(c) if "." in c or "e" in c else c for n, c in cells if c}
        rows.append(row)
    return [row for row in rows if int(float(row["step"])) <= step]


def _count_work(lowered):
    """Floating-point operations of a step, as XLA counts them; None if it does not.

    It counts the body of a loop once, so this is one step of however many.
    """
    found = lowered.cost_analysis()
    return (found or {}).get("flops")
