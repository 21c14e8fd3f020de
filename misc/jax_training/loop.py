"""The training loop under JAX, to a step or a deadline, on all local devices."""

import collections
import concurrent.futures
import contextlib
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from console.errors import InputError
from console.prefetch import Prefetch
from console.progress import make_step_bar, say, to_clock
from dataloaders.paired import PairedLoader
from misc.jax_training import log, run_files
from misc.jax_training.settings import LengthSettings
from misc.jax_training.steps import State, Stepper, count_work
from misc.jax_training.validation import Validation
from training.stopping import StopRequest

# Calls in flight on the device: one computes while the next one waits.
IN_FLIGHT = 2
# Timed calls at each scale, the first to warm up; slow calls are timed less often.
TIMED, TIMED_SECONDS = 4, 1.0
WORKERS = 6


class Loop:
    """One start of a run."""

    def __init__(
        self,
        stepper: Stepper,
        loader: PairedLoader,
        folder: Path | str,
        settings: LengthSettings,
        arguments: dict[str, Any],
        validation: Validation | None = None,
    ) -> None:
        """Takes a prepared loader, and the arguments for the run's files."""
        self.stepper, self.loader, self.settings = stepper, loader, settings
        self.folder, self.arguments = Path(folder), arguments
        self.validation = validation
        self.steps_of_scale: dict[int, jax.stages.Compiled] = {}
        self.saved: int | None = None
        self.validated: int | None = None
        self.aside = 0.0  # Seconds spent on other work than training.

    def run(
        self, state: State, step: int, seconds: float, rows: log.Rows
    ) -> int | None:
        """Trains until the last step, the deadline or a signal.

        Starts from a state and the rows of the log, after a number of steps and the
        seconds that they took. Returns the exit status that a signal asks for, or None.
        """
        self.start = time.monotonic() - seconds
        self.last_save, self.step, self.rows = self.seconds(), step, list(rows)
        self.state = self.stepper.place(state)
        unit, end = self.settings.steps_per_call, self.settings.max_steps
        calls, workers = -(-end // unit), max(WORKERS, self.loader.threads)
        ahead = range(step // unit, calls)
        with (
            StopRequest() as self.stop,
            Prefetch(self._make, ahead, workers, depth=workers) as batches,
            make_step_bar(step, end) as bar,
        ):
            self._compile()
            self._train(batches, bar)
            self.save()
            if not self._is_asked_to_stop():
                self._validate(wait=True)
                log.write(self.folder, self.rows)
        if self._is_asked_to_stop() and not self._is_over():
            return self.stop.tell(f"{self.step}")
        return None

    def seconds(self) -> float:
        """Seconds since the run began, including earlier starts."""
        return time.monotonic() - self.start

    def _is_over(self):
        most = self.settings.max_seconds
        is_late = most is not None and self.seconds() >= most
        return is_late or self.step >= self.settings.max_steps

    def _is_asked_to_stop(self):
        return self.stop.signal is not None

    def _make(self, index):
        """Draws the batches of one call: the scale, and lr and hr on the devices."""
        first = index * self.settings.steps_per_call
        scale = self.loader.scale_of(first)
        return scale, *self._place(first, scale)

    def _place(self, first, scale):
        """Draws the batches of one call at a scale: lr and hr, on the devices."""
        steps = range(first, first + self.settings.steps_per_call)
        drawn = [self.loader.batch(step, scale).inputs()[1] for step in steps]
        arrays = zip(*drawn, strict=True)
        return [self.stepper.place_batch(np.stack(patches)) for patches in arrays]

    def _compile(self):
        """Compiles the steps of all scales in parallel and reports their times."""
        batches = {scale: self._place(0, scale) for scale in self.loader.scales}

        def compile_one(scale):
            start = time.monotonic()
            numbers = np.int32(0), np.float32(0)
            lowered = self.stepper.call.lower(
                scale, self.state, *batches[scale], *numbers
            )
            compiled = lowered.compile()
            return compiled, count_work(lowered), time.monotonic() - start

        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = dict(zip(batches, pool.map(compile_one, batches), strict=True))
        for scale, (compiled, work, seconds) in found.items():
            self.steps_of_scale[scale] = compiled
            each = self._time(compiled, batches[scale]) / self.settings.steps_per_call
            rate = f", {work / each / 1e12:.3g} TFLOP/s" if work else ""
            text = f"x{scale}: {each * 1e3:.2f} ms a step{rate}"
            say(f"{text}; compiled in {seconds:.0f} s")

    def _time(self, compiled, batch):
        """Measures the seconds of a call, on a copy of the state."""
        state = jax.tree.map(lambda array: array.copy(), self.state)
        times: list[float] = []
        while len(times) < TIMED and sum(times) < TIMED_SECONDS:
            start = time.monotonic()
            state, values = compiled(state, *batch, np.int32(0), np.float32(0))
            jax.block_until_ready((state, values))
            times.append(time.monotonic() - start)
        return min(times)

    def _train(self, batches, bar):
        unit = self.settings.steps_per_call
        flying: collections.deque[jax.Array] = collections.deque()
        logged, since, waited = self.step, self._time_of_training(), batches.waited
        is_over = self._is_over()
        while not is_over and not self._is_asked_to_stop():
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
            is_over = self._is_over()
            if is_over or self._is_due(before, self.settings.log_freq):
                values = {name: float(value) for name, value in values.items()}
                self._check_finite()
                spent = self._time_of_training() - since
                waiting = (batches.waited - waited) / spent
                self._log(scale, values, spent / (self.step - logged), waiting)
                logged, since = self.step, self._time_of_training()
                waited = batches.waited
            with self._put_aside():
                self._save_if_due(before)
                if not is_over and self._is_due(before, self.settings.validate_freq):
                    self._validate()
                self._collect()

    def _time_of_training(self):
        """Seconds of training since an arbitrary moment."""
        return time.monotonic() - self.aside

    @contextlib.contextmanager
    def _put_aside(self):
        """Leaves the enclosed work out of the time of a step."""
        start = time.monotonic()
        yield
        self.aside += time.monotonic() - start

    def _share(self):
        """The completed share of the learning rate's decay; -1 if it follows steps."""
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
        # JAX sorts the keys of a dict.
        values = {"loss": values.pop("loss")} | values
        row = {"step": self.step, "scale": scale, "seconds": self.seconds()}
        row |= {"step_seconds": each, "waiting_share": waiting}
        self.rows.append(row | values)
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
        """Raises InputError after a step that was not finite and changed no weight."""
        step = int(self.state["first_bad_step"])
        if step < 0:
            return
        unit = self.settings.steps_per_call
        batch = self.loader.batch(step, self.loader.scale_of(step // unit * unit))
        good = [saved for saved in run_files.list_saved(self.folder) if saved <= step]
        last = "Nothing has been saved yet"
        if good:
            last = f"The last good files are those of step {good[-1]}"
        raise InputError(
            f"the loss or a gradient of step {step + 1} ({batch.describe()}) is not "
            f"finite. {last}. Lower the learning rate, or give --gradient_clip_norm."
        )

    def save(self) -> None:
        """Writes the files of the present step."""
        self._check_finite()
        if self.saved == self.step:
            return
        settings, state = self.settings, jax.device_get(self.state)
        most = settings.max_file_megabytes
        # The log comes first: a resumed run skips its later rows.
        log.write(self.folder, self.rows)
        (first, *_) = run_files.write(
            self.folder,
            self.step,
            state | {"seconds": np.float64(self.seconds())},
            self.arguments,
            settings.half_precision,
            most and most * 1_000_000,
        )
        run_files.remove_old(self.folder, settings.save_max_keep, self.step)
        self.saved, self.last_save = self.step, self.seconds()
        say(f"Saved {first}")

    def _validate(self, wait=False):
        """Measures the weights, averaged if there is an average, and collects results.

        Without `wait`, it measures nothing while an earlier validation is running.
        """
        if self.validation is None:
            return
        self._collect(wait)
        if self.validation.is_busy():
            say(f"No validation at step {self.step}: the last one is still running.")
        elif self.validated != self.step:
            self.validated = self.step
            weights = self.state.get("ema", self.state["generator"])
            self.validation.begin(self.step, weights, self._is_asked_to_stop)
            self._collect(wait)

    def _collect(self, wait=False):
        try:
            found = self.validation and self.validation.collect(wait)
        except InputError:
            self.save()  # The error is in the images, not in the weights.
            raise
        if not found:
            return
        step, values = found
        row = {"step": step, "seconds": self.seconds()}
        self.rows.append(row | {f"psnr_y_x{s}": value for s, value in values.items()})
        text = "  ".join(f"x{scale} {value:.3f}" for scale, value in values.items())
        say(f"validated at step {step}  psnr_y {text}")
