"""Measures the network during training, on the CPU beside the accelerator."""

import dataclasses
import functools
import threading
from collections.abc import Callable

import jax
import numpy as np

from dataloaders.paired import PairedLoader
from imaging.files import to_uint8
from metrics.measuring import SHAVE_SIZE, average, measure_scale
from misc.jax_training.network import Network, Weights
from models.generator import Generator
from models.generator_settings import Architecture
from upscaling.tiles import Stage, upscale_image


class Upscaler:
    """A generator in float32, with the interface that `metrics.measuring` expects."""

    def __init__(self, architecture: Architecture, device: jax.Device) -> None:
        """Makes the network.

        Args:
            architecture: Settings of the generator.
            device: The device that it runs on.
        """
        self.network = Network(Generator.from_architecture(architecture))
        self.device = device
        self.weights: Weights | None = None
        self.runs: dict[tuple[int, int], Callable] = {}

    def take(self, weights: Weights) -> None:
        """Takes new weights."""
        self.weights = jax.device_put(weights, self.device)

    def stages(self, scale: int) -> list[Stage]:
        """See `models.base.Model.stages`."""
        return [
            dataclasses.replace(part, run=self._run(scale, index))
            for index, part in enumerate(self.network.layer.parts(scale))
        ]

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """See `models.base.Model.make_sr`."""
        return upscale_image(self.stages(scale), lr, finish=to_uint8)

    def _run(self, scale, index):
        if (scale, index) not in self.runs:
            call = functools.partial(
                self.network, method="run_part", scale=scale, index=index
            )
            self.runs[scale, index] = jax.jit(call)
        run = self.runs[scale, index]
        return lambda x: run(self.weights, jax.device_put(x, self.device))


class _LeftOff(Exception):
    """A validation was asked to stop."""


class Validation:
    """Measures psnr_y of whole pictures during training.

    With an accelerator it runs in a thread on the CPU, so that the compilation for each
    size of picture does not delay the training.
    """

    def __init__(self, architecture: Architecture, loader: PairedLoader) -> None:
        """Takes the images; does not measure yet.

        Args:
            architecture: Settings of the generator.
            loader: The loader of the images.
        """
        self.is_beside = jax.default_backend() != "cpu"
        self.upscaler = Upscaler(architecture, jax.local_devices(backend="cpu")[0])
        self.loader = loader
        self.thread: threading.Thread | None = None
        self.result: tuple[int, dict[int, float]] | None = None
        self.error: BaseException | None = None

    def begin(
        self, step: int, weights: Weights, is_to_stop: Callable[[], bool]
    ) -> None:
        """Starts to measure weights; `collect` returns the result.

        Args:
            step: The step of the weights.
            weights: From a name to an array, on any device.
            is_to_stop: Called after each image; True stops the validation.
        """
        self.upscaler.take(jax.device_get(weights))
        self.thread = threading.Thread(
            target=self._measure, args=(step, is_to_stop), daemon=True
        )
        self.thread.start()
        if not self.is_beside:
            self.thread.join()

    def is_busy(self) -> bool:
        """Whether a validation is running."""
        return self.thread is not None and self.thread.is_alive()

    def _measure(self, step, is_to_stop):
        def ask(*_):
            if is_to_stop():
                raise _LeftOff

        try:
            values = {}
            for scale in self.loader.scales:
                (images,) = measure_scale(
                    [self.upscaler], self.loader, scale, SHAVE_SIZE, ask
                )
                values[scale] = average(images)["psnr_y"]
            self.result = step, values
        except _LeftOff:
            pass
        except BaseException as error:  # For the main thread to raise.
            self.error = error

    def collect(self, wait: bool = False) -> tuple[int, dict[int, float]] | None:
        """Returns the result of the last validation, once.

        Args:
            wait: Whether to wait for a validation that is running.

        Returns:
            The step and psnr_y in dB of each scale; None if there is no new result.
        """
        if self.thread is None or (self.thread.is_alive() and not wait):
            return None
        self.thread.join()
        self.thread = None
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        result, self.result = self.result, None
        return result
