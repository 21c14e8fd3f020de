"""Measures the network during training, on the CPU beside the accelerator."""

import concurrent.futures
import dataclasses
import functools
import threading
from collections.abc import Callable

import jax
import numpy as np

from dataloaders.paired import PairedLoader
from imaging.files import to_uint8
from metrics import validation
from metrics.measuring import SHAVE_SIZE
from misc.jax_training.network import Network, Weights
from models.generator import Generator
from models.generator_settings import Architecture
from upscaling.tiles import upscale_image


class Upscaler:
    """A generator in float32 on the CPU, as `metrics.measuring` expects a model."""

    weights: Weights  # The weights to use, on the CPU.

    def __init__(self, architecture: Architecture) -> None:
        """Makes the network; its weights are not used."""
        self.network = Network(Generator(architecture))
        self.device = jax.local_devices(backend="cpu")[0]

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """See `models.base.Model.make_sr`."""
        stages = [
            dataclasses.replace(part, run=functools.partial(self._run, scale, index))
            for index, part in enumerate(self.network.layer.parts(scale))
        ]
        return upscale_image(stages, lr, finish=to_uint8)

    def _run(self, scale, index, x):
        return self._compiled(scale, index)(
            self.weights, jax.device_put(x, self.device)
        )

    @functools.cache  # noqa: B019 - a run has a single object of this class
    def _compiled(self, scale, index):
        run = functools.partial(
            self.network, method="run_part", scale=scale, index=index
        )
        return jax.jit(run)


class Validation:
    """Measures psnr_y of whole pictures during training.

    With an accelerator it runs in a thread on the CPU, so that the compilation for each
    size of picture does not delay the training.
    """

    def __init__(self, architecture: Architecture, loader: PairedLoader) -> None:
        """Takes the settings of the generator and the images; does not measure yet."""
        self.is_beside = jax.default_backend() != "cpu"
        self.upscaler = Upscaler(architecture)
        self.measure = validation.Validation(self.upscaler, None, loader, SHAVE_SIZE)
        self.future: concurrent.futures.Future | None = None

    def begin(
        self, step: int, weights: Weights, is_to_stop: Callable[[], bool]
    ) -> None:
        """Starts to measure the weights of a step; `collect` returns the result.

        `is_to_stop` is called after each image; True stops the validation.
        """
        host = jax.device_get(weights)
        self.upscaler.weights = jax.device_put(host, self.upscaler.device)
        future: concurrent.futures.Future = concurrent.futures.Future()
        self.future = future

        def measure():
            try:
                future.set_result((step, self.measure(is_to_stop)))
            except BaseException as error:  # For the main thread to raise.
                future.set_exception(error)

        # A pool would wait for this thread where another error ends the run.
        threading.Thread(target=measure, daemon=True).start()
        if not self.is_beside:
            concurrent.futures.wait([future])

    def is_busy(self) -> bool:
        """Whether a validation is running."""
        return self.future is not None and not self.future.done()

    def collect(self, wait: bool = False) -> tuple[int, dict[int, float]] | None:
        """Returns the step and psnr_y in dB of each scale, once; None if not new."""
        if self.future is None or (self.is_busy() and not wait):
            return None
        future, self.future = self.future, None
        step, measured = future.result()
        if measured is None:
            return None
        return step, {scale: one.values["psnr_y"] for scale, one in measured.items()}
